"""IMAP dialogues in memory, written as they would be read."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import alsoProvides

from mailproto.auth import StoreRealm
from mailproto.backends._memory import MemoryStore
from mailproto.backends._simple import SimpleMailbox
from mailproto.imap import IMAPServer, IMAPServerFactory
from mailproto.testing._transport import FakeTLS

LOCAL = "127.0.0.1"
REMOTE = "192.0.2.7"

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
    """The result of what does not wait."""
    coroutine = awaitable.__await__()
    try:
        next(coroutine)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits")


class Transport(StringTransportWithDisconnection):
    """What the server writes, and whether it hung up."""

    disconnected = False

    def __init__(self, peer: str) -> None:
        super().__init__(peerAddress=IPv4Address("TCP", peer, 40000))

    def setTcpNoDelay(self, enabled: bool) -> None:
        """There is no delay."""

    def getHandle(self) -> FakeTLS:
        return FakeTLS()

    def loseConnection(self) -> None:
        self.disconnected = True
        super().loseConnection()

    def abortConnection(self) -> None:
        self.loseConnection()


class Client:
    """One connection, and what was received on it and not looked at yet."""

    def __init__(self, factory: IMAPServerFactory, peer: str, *, tls: bool = False) -> None:
        self.transport = Transport(peer)
        if tls:
            alsoProvides(self.transport, ISSLTransport)
        self.session: IMAPServer = factory.buildProtocol(None)
        self.transport.protocol = self.session
        self.session.makeConnection(self.transport)

    def send(self, data: bytes) -> None:
        self.session.dataReceived(data)

    def received(self) -> bytes:
        data = self.transport.value()
        self.transport.clear()
        return data


class DialogueTestCase(SynchronousTestCase):
    """A store in memory with one account, and clients that talk to a server over it.

    :ivar inbox: the account's INBOX.
    """

    tls: Any = None

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = self.make_store()
        run(self.store.directory.add("alice", ""))
        self.account: Any = run(self.store.account("alice"))
        self.inbox: SimpleMailbox = run(self.account.open("INBOX"))
        checker = InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret")
        checker.users = {b"alice": b"secret"}
        portal = Portal(StoreRealm(self.store), [checker])
        self.factory = IMAPServerFactory(
            portal, clock=self.clock, hostname="mail.example.org", tls=self.tls, max_message_size=1 << 20
        )
        self.clients: dict[str, Client] = {}
        self.addCleanup(self.hang_up)

    def make_store(self) -> MemoryStore:
        return MemoryStore()

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
        for client in self.clients.values():
            if client.transport.connected:
                client.transport.loseConnection()
        self.assertEqual([call for call in self.clock.getDelayedCalls() if call.active()], [])

    def connect(self, name: str = "", peer: str = LOCAL) -> Client:
        if name in self.clients and self.clients[name].transport.connected:
            self.clients[name].transport.loseConnection()
        client = self.clients[name] = Client(self.factory, peer)
        self.assertIn(b"* OK [CAPABILITY", client.received())
        return client

    def sign_in(self, name: str = "", select: str = "") -> Client:
        """A client that is signed in, with a mailbox selected."""
        client = self.connect(name)
        client.send(b"login LOGIN alice secret\r\n")
        if select:
            client.send(b"select SELECT %b\r\n" % select.encode())
        client.received()
        return client

    def fill(self, count: int, mailbox: SimpleMailbox | None = None, flags: Iterable[str] = ()) -> None:
        """Put ``count`` small messages into INBOX."""
        for number in range(1, count + 1):
            (mailbox or self.inbox).add(message(f"Number {number}"), flags, 0)

    def talk(self, text: str) -> None:
        """Play a dialogue.

        ``C:`` is what a client sends, ``S:`` what it must receive, line by line; ``C2:`` and ``S2:``
        are a second client's.  ``...`` stands for anything within a line, and, alone, for any
        lines; a space at the end of a line is not shown.  Nothing more may be received.
        """
        steps = [line for line in textwrap.dedent(text).strip().splitlines() if line]
        received: dict[str, list[str]] = {name: [] for name in self.clients}

        def listen() -> None:
            for name, client in self.clients.items():
                data = client.received().decode("utf-8", "surrogateescape")
                if data:
                    self.assertTrue(data.endswith("\r\n"), data)
                    received[name] += data.removesuffix("\r\n").split("\r\n")

        listen()
        skipping: set[str] = set()
        for step in steps:
            who, _, line = step.partition(":")
            name, line = who[1:], line.removeprefix(" ")
            if who[0] == "C":
                for other in received:
                    if other in skipping:
                        received[other].clear()
                skipping.clear()
                self.clients[name].send(line.encode() + b"\r\n")
                listen()
                continue
            if line == "...":
                skipping.add(name)
                continue
            if name in skipping:
                skipping.discard(name)
                while received[name] and not self._fits(line, received[name][0]):
                    received[name].pop(0)
            self.assertTrue(received[name], f"nothing was received, expected {line!r}")
            found = received[name].pop(0)
            if not self._fits(line, found):
                self.assertEqual([found, *received[name]][:8], [line], "in the dialogue")
        for name, rest in received.items():
            if name not in skipping:
                self.assertEqual(rest, [], f"received, and not expected by client {name or 1}")

    @staticmethod
    def _fits(expected: str, found: str) -> bool:
        pattern = ".*".join(map(re.escape, expected.split("...")))
        return re.fullmatch(pattern + " ?", found, re.DOTALL) is not None
