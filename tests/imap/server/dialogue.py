"""IMAP dialogues in memory, written as they would be read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.auth import StoreRealm
from mailproto.backends._memory import MemoryStore
from mailproto.backends._simple import SimpleMailbox
from mailproto.imap import IMAPServerFactory
from mailproto.imap.limits import IMAPLimits
from mailproto.testing import LOOPBACK, Dialogue, Feed, MemoryTransport
from tests.auth.exchanges import WITH_CRAM

MESSAGE = b"""From: Alice <alice@example.org>\r
To: bob@example.org\r
Subject: Hello\r
Date: Mon, 7 Feb 1994 21:52:25 -0800\r
\r
Hello Bob,\r
how are you?\r
"""


def message(subject: str = "Hello", body: str = "Hello Bob\r\n") -> bytes:
    """A small message."""
    return f"From: alice@example.org\r\nSubject: {subject}\r\n\r\n{body}".encode()


def run(awaitable: Any) -> Any:
    """The result of what does not wait, but may let others have their turn."""
    coroutine = awaitable.__await__()
    try:
        while next(coroutine) is None:
            pass
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits")


class Client:
    """One connection of a dialogue, for tests that look closer."""

    def __init__(self, transport: MemoryTransport) -> None:
        self.transport = transport
        self.session: Any = transport.protocol

    def send(self, data: bytes) -> None:
        self.transport.send(data)

    def received(self) -> bytes:
        return self.transport.read()


class DialogueTestCase(SynchronousTestCase):
    """A store in memory with one account, and clients that talk to a server over it.

    :ivar inbox: the account's INBOX.
    :cvar feed: how octets come in dialogues.
    """

    tls: Any = None
    feed: Feed = "turns"

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = self.make_store()
        run(self.store.directory.add("alice", ""))
        self.account: Any = run(self.store.account("alice"))
        self.inbox: SimpleMailbox = run(self.account.open("INBOX"))
        checker = InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret")
        self.passwords = checker.users = {b"alice": b"secret", b"bob": b"secret"}
        portal = Portal(StoreRealm(self.store), [checker])
        self.factory = IMAPServerFactory(
            portal,
            clock=self.clock,
            hostname="mail.example.org",
            tls=self.tls,
            max_message_size=1 << 20,
            limits=IMAPLimits(failure_delay=0),
            mechanisms=WITH_CRAM,
        )
        self.dialogue = Dialogue(clock=self.clock, feed=self.feed)
        self.clients: dict[str, Client] = {}
        self.addCleanup(self.hang_up)

    def make_store(self) -> MemoryStore:
        return MemoryStore()

    def patch_method(self, instance: Any, name: str, method: Any) -> Any:
        """Replace a method in the class that has it: restored in another one, it would hide later patches."""
        return self.patch(next(each for each in type(instance).__mro__ if name in vars(each)), name, method)

    def slow_clock(self, seconds: float) -> list[float]:
        """From now on it is later whenever somebody looks.

        :returns: grows by one for each turn that is left to others.
        """
        turns: list[float] = []
        look, call_later = self.clock.seconds, self.clock.callLater

        def later() -> float:
            self.clock.rightNow += seconds
            return look()

        def note(delay: float, *arguments: Any) -> Any:
            if not delay:
                turns.append(self.clock.rightNow)
            return call_later(delay, *arguments)

        self.clock.seconds, self.clock.callLater = later, note
        return turns

    def hang_up(self) -> None:
        self.dialogue.close()
        self.assertEqual([call for call in self.clock.getDelayedCalls() if call.active()], [])

    def open(self, name: str = "", peer: str = LOOPBACK, *, tls: bool = False) -> Client:
        """A connection whose greeting is unread, in place of one that had the name."""
        if name in self.clients:
            self.clients[name].transport.drop()
        transport = MemoryTransport(self.factory.buildProtocol(None), peer, tls=tls)
        client = self.clients[name] = Client(self.dialogue.add(transport, name))
        return client

    def connect(self, name: str = "", peer: str = LOOPBACK) -> Client:
        """A connection whose greeting has been read."""
        client = self.open(name, peer)
        self.assertIn(b"* OK [CAPABILITY", client.received())
        return client

    def sign_in(self, name: str = "", select: str = "") -> Client:
        """A client that is signed in, with a mailbox selected."""
        client = self.connect(name)
        client.send(b"login LOGIN alice secret\r\n")
        if select:
            client.send(b"select SELECT %b\r\n" % select.encode())
        answer = client.received()
        for _ in range(1000):  # a large mailbox is read in turns
            if not select or b"\nselect " in answer:
                break
            self.clock.advance(0)
            answer += client.received()
        return client

    def fill(self, count: int, mailbox: SimpleMailbox | None = None, flags: Iterable[str] = ()) -> None:
        """Put ``count`` small messages into INBOX."""
        for number in range(1, count + 1):
            (mailbox or self.inbox).add(message(f"Number {number}"), flags, 0)

    def talk(self, text: str) -> None:
        """Have a part of the dialogue; see `mailproto.testing.Dialogue`."""
        self.dialogue.play(text)
