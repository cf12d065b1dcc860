"""Rows about who the client is, and what it says in our name."""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Protocol

from mailproto.connection import Networks, ProxiedFactory
from mailproto.smtp import SMTPLimits, SMTPServerFactory
from tests.smtp.corner_cases.transcript import TranscriptTestCase
from tests.smtp.dialogue import FakeDelivery
from tests.transport import ELSEWHERE, LOOPBACK, MemoryTransport

GREETING = b"220 mx.example ESMTP mailproto\r\n"


class ClientTests(TranscriptTestCase):
    def make(self) -> SMTPServerFactory:
        """A server on port 25, as it is by default, but for one proxy that may use XCLIENT."""
        return SMTPServerFactory(
            FakeDelivery(), clock=self.clock, hostname="mx.example", xclient=Networks(["198.51.100.7"])
        )

    def test_15_talking_before_the_greeting(self) -> None:
        """RFC 5321 4.3.1."""
        for piece in (0, 1):
            transport = MemoryTransport(self.make().buildProtocol(None), ELSEWHERE)
            transport.send(b"EHLO a\r\nMAIL FROM:<a@b>\r\n", piece)
            self.clock.advance(SMTPLimits().greeting_wait)
            self.assertEqual(transport.read()[:10], b"554 5.5.1 ")
            self.assertFalse(transport.is_open)

    def test_a1_the_proxy_protocol(self) -> None:
        """From listed peers only, before the greeting, in any segments, octets behind it kept."""
        factory = self.make()
        proxied = ProxiedFactory(factory, Networks([LOOPBACK]), clock=self.clock)
        local = b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
        for data in (local + b"NOOP\r\n", b"PROXY UNKNOWN\r\nNOOP\r\n"):
            for cut in range(len(data) + 1):
                protocol = proxied.buildProtocol(IPv4Address("TCP", LOOPBACK, 1))
                assert isinstance(protocol, Protocol)
                transport = MemoryTransport(protocol, LOOPBACK)
                transport.send(data[:cut])
                transport.send(data[cut:])
                self.assertEqual(transport.read(), GREETING + b"250 2.0.0 OK\r\n")
                transport.drop()
        protocol = proxied.buildProtocol(IPv4Address("TCP", ELSEWHERE, 1))
        assert isinstance(protocol, Protocol)
        stranger = MemoryTransport(protocol, ELSEWHERE)
        self.clock.advance(2)
        self.assertEqual(stranger.read(), GREETING)
        stranger.send(b"PROXY UNKNOWN\r\n")
        self.assertEqual(stranger.read()[:4], b"500 ")

    def test_a1_xclient(self) -> None:
        """From listed peers only."""
        for peer, reply, known_as in (
            ("198.51.100.7", b"220 ", "203.0.113.9"),
            (ELSEWHERE, b"550 5.7.0 ", ELSEWHERE),
        ):
            server = self.make().buildProtocol(None)
            transport = MemoryTransport(server, peer)
            self.clock.advance(2)
            transport.read()
            transport.send(b"XCLIENT ADDR=203.0.113.9\r\n", 1)
            self.assertTrue(transport.read().startswith(reply))
            self.assertEqual(server.peer_address, known_as)

    def test_a3_what_claims_to_be_our_own_judgement(self) -> None:
        """RFC 8601 5."""
        [message] = self.play(
            """
            C: HELO a
            S: 250 mx.example
            C: MAIL FROM:<a@b>
            S: 250...
            C: RCPT TO:<c@d>
            S: 250...
            C: DATA
            S: 354...
            C: AUTHENTICATION-results : (x)␍␊ MX.example 1;␍␊␉spf=pass
            C: Authentication-Results: mx.other; spf=pass
            C:
            C: Authentication-Results: mx.example; none
            C: .
            S: 250...
            """
        )
        self.assertEqual(
            message.content,
            b"Authentication-Results: mx.other; spf=pass\r\n\r\nAuthentication-Results: mx.example; none\r\n",
        )
