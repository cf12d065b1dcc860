"""What comes in many records of TLS, and is read at once, is handled together."""

from __future__ import annotations

from twisted.internet import tcp
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory

from mailproto.imap import IMAPClient
from mailproto.testing import LOOPBACK
from tests.stepped_reactor import SteppedReactor, tcp_pair
from tests.test_twisted_internals import InternalsCase
from tests.tls.stdlib_client import StdlibClient


class RecordTests(InternalsCase):
    def open(self) -> None:
        """A client that has signed in; for TLS, it is the server, which makes no difference here."""
        self.client = IMAPClient(self.reactor)
        factory = Factory.forProtocol(lambda: self.client.protocol)
        layer = TLSMemoryBIOFactory(self.make_tls(), False, factory, clock=self.reactor).buildProtocol(None)
        self.socket, ours = tcp_pair()
        self.addCleanup(self.socket.close)
        transport = tcp.Server(ours, layer, (LOOPBACK, 1), None, 0, self.reactor)  # type: ignore[arg-type]
        transport.startReading()
        layer.makeConnection(transport)
        self.inside: StdlibClient = self.shake_hands(self.socket)
        self.send(b"* PREAUTH [CAPABILITY IMAP4rev1] Hello\r\n")

    def send(self, *records: bytes) -> None:
        for octets in records:
            self.inside.write(octets)
        self.socket.sendall(self.inside.to_send())
        self.reactor.turn()

    def test_one_event_for_all(self) -> None:
        self.open()
        self.assertIsInstance(self.reactor, SteppedReactor)
        fetching = Deferred.fromCoroutine(self.client.fetch("1:*", "FLAGS").all())
        times: list[int] = []
        receive = self.client._session.received

        def received(event: object) -> None:
            times.append(1)
            receive(event)  # type: ignore[arg-type]

        self.client._session.received = received  # type: ignore[method-assign,assignment]
        self.send(*[b"* %d FETCH (UID %d FLAGS ())\r\n" % (uid, uid) for uid in range(1, 51)], b"A1 OK\r\n")
        self.assertEqual([each.uid for each in self.successResultOf(fetching)], list(range(1, 51)))
        self.assertEqual(len(times), 2)

    def test_what_came_before_the_end_is_there(self) -> None:
        self.open()
        waiting = self.client.noop()
        self.inside.write(b"A1 O")
        self.inside.write(b"K Done\r\n")
        self.socket.sendall(self.inside.to_send())
        self.socket.close()
        for _ in range(5):
            self.reactor.turn()
        self.successResultOf(waiting)
        self.assertFalse(self.client.is_usable)
