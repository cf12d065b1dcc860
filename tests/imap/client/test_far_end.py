"""A server that closes the connection while the application is slow, and nothing is read."""

from __future__ import annotations

import select
import socket
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailproto.client import _far_end
from mailproto.client._far_end import far_end_has_closed
from mailproto.client.errors import ConnectionLost
from mailproto.imap import IMAPClient
from mailproto.imap.limits import IMAPClientLimits
from tests.imap.client.dialogue import ClientTestCase

reactor: Any = installed

MESSAGE = b"* 1 FETCH (UID 5 BODY[] {2000}\r\n" + b"x" * 2000 + b")\r\n"


class Transport:
    def __init__(self, socket: object) -> None:
        self.socket = socket


class FarEndTests(SynchronousTestCase):
    def test_sockets(self) -> None:
        here, there = socket.socketpair()
        with here, there:
            self.assertFalse(far_end_has_closed(Transport(here)))
            there.send(b"the last words")
            self.assertFalse(far_end_has_closed(Transport(here)))
            there.shutdown(socket.SHUT_WR)
            if hasattr(select, "POLLRDHUP"):
                self.assertTrue(far_end_has_closed(Transport(here)))
        self.assertFalse(far_end_has_closed(Transport(here)))  # nothing is known of what we have closed
        self.assertFalse(far_end_has_closed(object()))


class LateServerTests(TestCase):
    timeout = 20

    def test_the_end_is_noticed(self) -> None:
        """And what came before it is there all the same."""
        if not hasattr(select, "POLLRDHUP"):
            self.skipTest("Needs a system that tells of a closed connection before all is read")
        self.patch(_far_end, "INTERVAL", 0.01)
        return Deferred.fromCoroutine(self._notice())  # type: ignore[return-value]

    async def _notice(self) -> None:
        peers: list[Protocol] = []

        class Server(Protocol):
            def connectionMade(self) -> None:
                peers.append(self)
                self.transport.write(b"* PREAUTH [CAPABILITY IMAP4rev1]\r\n")

        port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(Factory.forProtocol(Server))
        self.addCleanup(port.stopListening)
        limits = IMAPClientLimits(ahead=5000)
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
        client = await IMAPClient.connect(reactor, endpoint, limits=limits)
        fetched = client.fetch("1:*", "BODY.PEEK[]")
        peers[0].transport.write(MESSAGE * 10)  # type: ignore[union-attr]
        await fetched.__anext__()
        await deferLater(reactor, 0.05, lambda: None)
        self.assertTrue(client.is_usable)
        peers[0].transport.loseConnection()  # type: ignore[union-attr]
        await client.closed()
        self.assertFalse(client.is_usable)
        for _ in range(9):
            self.assertEqual((await fetched.__anext__()).uid, 5)
        with self.assertRaises(ConnectionLost):
            await fetched.__anext__()


class LookingTests(ClientTestCase):
    def hold(self, capabilities: str = "IMAP4rev1") -> Any:
        """A client that reads no more, because nobody takes its messages."""
        self.has_closed = False
        self.patch(_far_end, "far_end_has_closed", lambda transport: self.has_closed)
        self.selected(capabilities, limits=IMAPClientLimits(ahead=5000))
        fetched = self.client.fetch("1:*", "BODY.PEEK[]")
        while self.transport.is_reading:
            self.transport.send(MESSAGE)
        return fetched

    def test_it_looks_as_long_as_nothing_is_read(self) -> None:
        fetched = self.hold()
        self.clock.advance(5)
        self.assertFalse(self.transport.is_reading)
        self.has_closed = True
        self.clock.advance(1)
        for _ in range(10):
            self.assertTrue(self.transport.is_reading)
            self.transport.send(MESSAGE)
        self.transport.drop()
        self.assertFalse(self.client.is_usable)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        del fetched

    def test_it_looks_no_more(self) -> None:
        """When the application goes on, or the client closes."""
        fetched = self.hold()
        for _ in range(2):
            self.result(self.begin(fetched.__anext__()))
        self.assertTrue(self.transport.is_reading)
        self.client.abort()
        self.assertEqual([call for call in self.clock.getDelayedCalls() if call.active()], [])
        self.hold()
        self.client.abort()
        self.assertEqual([call for call in self.clock.getDelayedCalls() if call.active()], [])
