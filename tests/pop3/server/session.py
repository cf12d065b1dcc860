"""What the tests of POP3 stand on: a store in memory, and dialogues that are played with it."""

from __future__ import annotations

from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from mailproto.auth import StoreRealm
from mailproto.backends import MemoryStore, SimpleMailbox
from mailproto.interfaces import IAccount
from mailproto.pop3 import POP3ServerFactory
from mailproto.pop3.limits import POP3Limits
from mailproto.testing import LOOPBACK, Dialogue, Feed, MemoryTransport
from tests.auth.exchanges import WITH_CRAM

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

    async def metadata(self, uids: Any) -> Any:
        await self._wait()
        return await super().metadata(uids)

    async def expunge(self, uids: Any = None) -> Any:
        await self._wait()
        return await super().expunge(uids)

    async def _wait(self) -> None:
        if self.pending is not None:
            await self.pending
        if self.failure is not None:
            raise self.failure


@implementer(IAccount)
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

    :cvar feed: how octets come in dialogues.
    """

    feed: Feed = "turns"

    def setUp(self) -> None:
        self.clock = Clock()
        self.inbox = Mailbox()
        self.account: Any = Account(self.inbox)
        self.realm = Realm(self.account)
        self.checker = InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret word")
        self.factory = self.make_factory()

    def make_factory(self, **more: Any) -> POP3ServerFactory:
        portal = Portal(self.realm, [self.checker])
        more.setdefault("limits", POP3Limits(failure_delay=0))
        more.setdefault("mechanisms", WITH_CRAM)
        return POP3ServerFactory(portal, clock=self.clock, hostname="mail.test", **more)

    def connect(self, peer: str = LOOPBACK, **more: Any) -> MemoryTransport:
        """A connection whose greeting is still unread."""
        return MemoryTransport(self.factory.buildProtocol(None), peer, **more)

    def play(self, script: str, transport: MemoryTransport | None = None) -> MemoryTransport:
        """Have a dialogue; without a connection, over a new one whose greeting was taken."""
        if transport is None:
            transport = self.connect()
            self.assertTrue(transport.read().startswith(b"+OK "))
        dialogue = Dialogue(clock=self.clock, feed=self.feed)
        dialogue.add(transport)
        dialogue.play(script)
        return transport

    def sign_in(self, **more: Any) -> MemoryTransport:
        """A session in the TRANSACTION state, everything read."""
        transport = self.connect(**more)
        transport.read()
        self.play(ALICE, transport)
        return transport
