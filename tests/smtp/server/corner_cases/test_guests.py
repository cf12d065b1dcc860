"""Rows 15, a1 and a3: who talks too early, who speaks for others, and who judges in our name."""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Protocol

from mailproto.connection.proxy import Networks, ProxiedFactory
from mailproto.smtp.limits import SMTPLimits
from mailproto.testing import ELSEWHERE, LOOPBACK, MemoryTransport
from tests.smtp.server.corner_cases.test_commands import HELLO, RCPT
from tests.smtp.server.corner_cases.transcript import ONE_BY_ONE, TranscriptTestCase

V1 = b"PROXY TCP4 203.0.113.9 198.51.100.2 40000 25\r\n"
V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes([203, 0, 113, 9, 198, 51, 100, 2, 0x9C, 0x40, 0, 25])
V2_LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"
UNKNOWN = b"PROXY UNKNOWN\r\n"
MESSAGE = b"EHLO client.example\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\r\n.\r\n"


class EarlyTalkerTests(TranscriptTestCase):
    def test_15_a_client_that_talks_before_the_greeting(self) -> None:
        """RFC 5321 4.3.1: 554, and nothing of what it said is done."""
        self.peer = ELSEWHERE
        for early in (b"EHLO a\r\n", b"\r\n", b"x", MESSAGE):
            self.connect(limits=SMTPLimits(greeting_wait=0))
            self.factory.limits = SMTPLimits(greeting_wait=5)
            transport = MemoryTransport(self.factory.buildProtocol(None), ELSEWHERE)
            transport.send(early)
            self.clock.advance(6)
            self.assertRegex(transport.read(), rb"\A554 5\.5\.1 [^\r\n]*\r\n\Z")
            self.assertFalse(transport.is_open)
            self.assertEqual(self.delivery.senders, [])


class ProxyTests(TranscriptTestCase):
    def behind(self, peer: str = LOOPBACK) -> MemoryTransport:
        """A connection to a server for which this machine is a proxy."""
        self.connect(limits=SMTPLimits(greeting_wait=0))
        proxied = ProxiedFactory(
            self.factory, Networks([LOOPBACK]), clock=self.clock, limits=self.factory.limits
        )
        protocol = proxied.buildProtocol(IPv4Address("TCP", peer, 40000))
        assert isinstance(protocol, Protocol)
        return MemoryTransport(protocol, peer)

    def test_a1_the_client_is_whom_the_proxy_names(self) -> None:
        """PROXY protocol 2.1 and 2.2, cut at every place; what is behind the header is kept."""
        for header, peer in (
            (V1, "203.0.113.9"),
            (V2, "203.0.113.9"),
            (V2_LOCAL, LOOPBACK),
            (UNKNOWN, ""),
        ):
            stream = header + MESSAGE
            for cut in range(len(header) + 5):
                transport = self.behind()
                self.assertEqual(transport.read(), b"", "the header comes before the greeting")
                transport.send(stream[:cut])
                transport.send(stream[cut:])
                [(envelope, _)] = self.delivery.delivered
                self.assertEqual(envelope.session.peer, peer)
                self.assertRegex(transport.read(), rb"\A220 (?s:.*)\r\n250 2\.0\.0 Taken as ")

    def test_a1_nobody_else_is_believed(self) -> None:
        """A header from a peer that is not listed is a command, and an unknown one."""
        transport = self.behind(ELSEWHERE)
        self.assertRegex(transport.read(), rb"\A220 ")
        transport.send(V1)
        self.assertRegex(transport.read(), rb"\A500 5\.5\.2 ")

    def test_a1_a_proxy_that_says_nothing_of_the_kind(self) -> None:
        """It is not served as if it were the client."""
        transport = self.behind()
        transport.send(MESSAGE)
        self.assertEqual((transport.read(), transport.is_open, self.delivery.senders), (b"", False, []))

    def test_a1_xclient_from_those_who_are_not_listed(self) -> None:
        """It is unknown to them, whatever it says."""
        self.play(HELLO + "C: XCLIENT ADDR=203.0.113.9\nS: 5...\nC: MAIL FROM:<a@b>\nS: 250...", xclient=None)

    def test_a1_xclient_from_those_who_are(self) -> None:
        """Postfix's XCLIENT_README: the session begins anew, as the client's."""
        self.play(
            HELLO + "C: XCLIENT ADDR=203.0.113.9 NAME=client.example\nS: 220...\nC: MAIL FROM:<a@b>\n"
            "S: 503...\n" + HELLO
            + "C: MAIL FROM:<a@b>\nS: 250...",
            feeds=ONE_BY_ONE, xclient=Networks([LOOPBACK]),
        )  # fmt: skip
        self.assertEqual(self.delivery.senders[0][0].peer, "203.0.113.9")


class AuthenticationResultsTests(TranscriptTestCase):
    def test_a3_only_our_own_name_is_taken_out(self) -> None:
        """RFC 8601 5: nobody else writes what we are believed to have found."""
        for field, kept in (
            ("Authentication-Results: mx.example; spf=pass", False),
            ("AUTHENTICATION-RESULTS: MX.Example 1; spf=pass", False),
            ("Authentication-Results: mx.elsewhere; spf=pass", True),
            ("X-Authentication-Results: mx.example; spf=pass", True),
        ):
            [message] = self.play(
                RCPT + f"C: DATA\nS: 354...\nC: {field}\nC: A: b\nC:\nC: {field}\nC: .\nS: 250..."
            )
            line = field.encode() + b"\r\n"
            self.assertEqual(message.content, (line if kept else b"") + b"A: b\r\n\r\n" + line)
