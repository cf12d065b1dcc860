"""How much a client reads at once."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.imap import IMAPClient
from mailproto.testing import LOOPBACK, MemoryTransport

FULL = 1 << 16


class SizedTransport(MemoryTransport):
    """Reads so much at once, as Twisted's TCP connections do."""

    bufferSize = FULL  # noqa: N815


class ReadingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.client = IMAPClient(Clock())
        self.transport = SizedTransport(self.client.protocol, LOOPBACK)
        self.receive(b"* PREAUTH [CAPABILITY IMAP4rev1] Hello\r\n")

    def receive(self, octets: bytes) -> int:
        """:returns: how much is read next."""
        self.client.protocol.dataReceived(octets)
        return self.transport.bufferSize

    def test_large_events_are_read_in_large_pieces(self) -> None:
        body = b"* 1 FETCH (BODY[] {7000}\r\n" + b"x" * 7000 + b")\r\n"
        self.assertEqual(self.receive(body), FULL)
        self.assertEqual(self.receive(body * 10), FULL * 4)
        small = b"* 1 FETCH (FLAGS ())\r\n"
        self.assertEqual(self.receive(small * 200), FULL * 4)
        self.assertEqual(self.receive(small * (FULL // len(small) + 1)), FULL)
        self.assertEqual(self.receive(body * 10), FULL * 4)

    def test_other_transports_are_left_alone(self) -> None:
        client = IMAPClient(Clock())
        transport = MemoryTransport(client.protocol, LOOPBACK)
        client.protocol.dataReceived(b"* PREAUTH [CAPABILITY IMAP4rev1] Hello\r\n")
        client.protocol.dataReceived(b"* 1 FETCH (BODY[] {70000}\r\n" + b"x" * 70_000 + b")\r\n")
        self.assertTrue(client.is_usable)
        self.assertFalse(hasattr(transport, "bufferSize"))
