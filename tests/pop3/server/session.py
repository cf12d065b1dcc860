"""What the tests of POP3 stand on: a store in memory, and dialogues that are played with it."""

from __future__ import annotations

from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from mailproto.auth import StoreRealm
from mailproto.backends import MemoryStore, SimpleMailbox
from mailproto.interfaces import IAccount
from mailproto.pop3 import POP3Limits, POP3ServerFactory
from tests.transport import LOOPBACK, MemoryTransport

ALICE = "C: USER alice\nS: +OK...\nC: PASS secret word\nS: +OK..."


class Mailbox(SimpleMailbox):
    """An INBOX that tells what was read of it, and that waits or fails when a test wants it to."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[list[int]] = []
        self.pending: Deferred[None] | None = None
        self.failure: Exception | None = None

    async def read(self, uids: Any, parts: Any) -> Any:
        self.reads.append(list(uids))
        await self._wait()
        return await super().read(uids, parts)

    async def expunge(self, uids: Any = None) -> Any:
        await self._wait()
        return await super().expunge(uids)

    async def _wait(self) -> None:
        if self.pending is not None:
            await self.pending
        if self.failure is not None:
            raise self.failure


class Account:
    """Alice, who has nothing but an INBOX."""

    name = "alice"

    def __init__(self, inbox: Mailbox) -> None:
        self.inbox = inbox
        self.failure: Exception | None = None

    async def open(self, name: str) -> Mailbox:
        if self.failure is not None:
            raise self.failure
        assert name == "INBOX"
        return self.inbox


class Realm(StoreRealm):
    """Gives alice's account, and counts who is signed in."""

    def __init__(self, account: Any) -> None:
        super().__init__(MemoryStore())
        self.account = account
        self.signed_in = 0

    def requestAvatar(self, avatar_id: Any, mind: object, *interfaces: Any) -> Any:
        self.signed_in += 1

        def logout() -> None:
            self.signed_in -= 1

        return IAccount, self.account, logout


class SessionTestCase(TestCase):
    """A POP3 server whose one account is alice's, with the password ``secret word``.

    :cvar piece: octets that the server receives at once; 0 for all that a dialogue's
        lines in a row have.
    """

    piece = 0

    def setUp(self) -> None:
        self.clock = Clock()
        self.inbox = Mailbox()
        self.account = Account(self.inbox)
        self.realm = Realm(self.account)
        self.checker = InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret word")
        self.factory = self.make_factory()

    def make_factory(self, **more: Any) -> POP3ServerFactory:
        portal = Portal(self.realm, [self.checker])
        more.setdefault("limits", POP3Limits())
        return POP3ServerFactory(portal, clock=self.clock, hostname="mail.test", **more)

    def connect(self, peer: str = LOOPBACK, **more: Any) -> MemoryTransport:
        """A connection whose greeting is still unread."""
        return MemoryTransport(self.factory.buildProtocol(None), peer, **more)

    def play(self, script: str, transport: MemoryTransport | None = None) -> MemoryTransport:
        """Hold a dialogue: ``C:`` lines are sent, ``S:`` lines must come, and nothing else.

        ``...`` at the end of a line stands for any text.  C: lines in a row are sent at
        once.  Without a connection, a new one is made and its greeting taken.
        """
        if transport is None:
            transport = self.connect()
            self.assertTrue(transport.read().startswith(b"+OK "))
        lines = [line.strip() for line in script.splitlines() if line.strip()]
        while lines:
            sent = []
            while lines and lines[0].startswith("C:"):
                sent.append(lines.pop(0)[2:].removeprefix(" ") + "\r\n")
            transport.send("".join(sent).encode(), self.piece)
            expected = []
            while lines and lines[0].startswith("S:"):
                expected.append(lines.pop(0)[2:].removeprefix(" "))
            got = transport.read().decode("latin-1").split("\r\n")
            self.assertEqual(got.pop(), "", "the last line has no end")
            shown = [
                want if want.endswith("...") and line.startswith(want[:-3]) else line
                for want, line in zip(expected, got, strict=False)
            ]
            self.assertEqual(shown + got[len(expected) :], expected, f"after {sent}")
        return transport

    def sign_in(self, **more: Any) -> MemoryTransport:
        """A session in the TRANSACTION state, everything read."""
        transport = self.connect(**more)
        transport.read()
        self.play(ALICE, transport)
        return transport
