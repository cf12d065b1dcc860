"""What can be the host and the port of a server, and the client's own name: said at once."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.client import ServerAddress
from mailproto.smtp import SMTPClient, SMTPSender
from mailproto.smtp.lmtp import LMTPClient

LABEL = "x" * 63
GOOD = (
    "localhost",
    "mx.example",
    "mx.example.",
    "MX.Example",
    "bücher.example",
    "xn--bcher-kva.example",
    "my_host",
    "_mx.my_zone_",
    "3com.example",
    "a",
    f"{LABEL}.{LABEL}.{LABEL}.{'x' * 61}",
    f"{LABEL}.{LABEL}.{LABEL}.{'x' * 61}.",
    "127.0.0.1",
    "[127.0.0.1]",
    "::1",
    "[::1]",
    "[IPv6:::1]",
    "[ipv6:fe80::1%eth0]",
    "fe80::1%eth0",
    "fe80::1%1",
    "::ffff:127.0.0.1",
)
NUMBERS = (
    "1.2.3",
    "1.2.3.4.5",
    "256.1.1.1",
    "127.1",
    "2130706433",
    "0x7f.1",
    "1.2.3.4.",
    "127.\uff11",
    "127\u30021",
)
"""The system would make addresses of them (inet_aton)."""

BAD = (
    "",
    ".",
    "..",
    "a..b",
    ".a",
    "a..",
    "ü..b",
    "localhost\0",
    "\0",
    "local host",
    " localhost",
    "localhost ",
    "localhost\n",
    "a\tb",
    "a\x7fb",
    "a\u202eb",
    "a\u200bb..",
    "a\ud800b",
    "-a.example",
    "a-.example",
    "a.-b",
    "a@b",
    "a/b",
    "smtp://a",
    "a,b",
    "a:25",
    "mx.example:587",
    f"{LABEL}x",
    f"a.{LABEL}x.b",
    f"{'ü' * 60}.example",
    f"{LABEL}.{LABEL}.{LABEL}.{LABEL}",
    f"{LABEL}.{LABEL}.{LABEL}.{'x' * 62}",
    "x" * 100_000,
    "." * 100_000,
    "ü" * 100_000,
    *NUMBERS,
    "[1.2.3]",
    "[]",
    "[",
    "[localhost]",
    "[::1",
    "::1]",
    "[[::1]]",
    "[IPv6:127.0.0.1]",
    "[::g]",
    ":::",
    "1::2::3",
    "127.0.0.1%eth0",
    "fe80::1%",
    "fe80::1%a b",
    "[fe80::1%\0]",
)
NO_TEXT: tuple[Any, ...] = (None, 5, b"mx.example", ["mx.example"], True, 1.5)


class HostTests(SynchronousTestCase):
    def test_good(self) -> None:
        for host in GOOD:
            self.assertEqual(ServerAddress(host).host, host)

    def test_bad(self) -> None:
        """The text has the host, but not all of a long one, and nothing that a terminal would do."""
        for host in BAD:
            with self.subTest(host=host[:100]):
                error = self.assertRaises(ValueError, ServerAddress, host)
                self.assertIn(repr(host[:40])[:-1], str(error))
                self.assertTrue(str(error).isprintable())
                self.assertLess(len(str(error)), 3500)
                self.assertRaises(ValueError, SMTPSender, Clock(), host)

    def test_no_text(self) -> None:
        for host in NO_TEXT:
            error = self.assertRaises(TypeError, ServerAddress, host)
            self.assertIn(repr(host), str(error))

    @settings(max_examples=500, deadline=None)
    @given(st.text("a1-_.:[]%ü \0\u202e", max_size=12) | st.text(max_size=300))
    @example("a" * 63 + "." + "ü" * 63)
    def test_anything(self, host: str) -> None:
        try:
            ServerAddress(host)
        except ValueError as error:
            self.assertTrue(str(error).isprintable())

    def test_ports(self) -> None:
        for port in (1, 25, 65535, None):
            self.assertEqual(ServerAddress("mx.example", port).port, port)
        for port in (0, -1, 65536, 1 << 70):
            error = self.assertRaises(ValueError, ServerAddress, "mx.example", port)
            self.assertIn(str(port), str(error))
        for wrong in ("25", 25.0, True, b"25"):
            error = self.assertRaises(TypeError, ServerAddress, "mx.example", wrong)
            self.assertIn(repr(wrong), str(error))


class OwnNameTests(SynchronousTestCase):
    def test_good(self) -> None:
        for name in ("", *(each for each in GOOD if ":" not in each), "[IPv6:::1]", "[x-tag:any.thing]"):
            if "%" not in name:
                for client_class in (SMTPClient, LMTPClient):
                    self.assertEqual(client_class(Clock(), hostname=name).hostname, name)
                SMTPSender(MemoryReactorClock(), "mx.example", hostname=name)

    def test_bad(self) -> None:
        for name in (*BAD[1:], "::1", "[IPv6:fe80::1%eth0]", "a\r\nRSET", "[a b]", "[x-:y]"):
            if name in NUMBERS:
                continue  # that is as good as any word: no one is connected to
            with self.subTest(name=name[:100]):
                error = self.assertRaises(ValueError, SMTPClient, Clock(), hostname=name)
                self.assertIn(repr(name[:40])[:-1], str(error))
                self.assertTrue(str(error).isprintable())
                self.assertRaises(ValueError, SMTPSender, Clock(), "mx.example", hostname=name)

    def test_no_text(self) -> None:
        for name in NO_TEXT:
            self.assertRaises(TypeError, SMTPClient, Clock(), hostname=name)
            self.assertRaises(TypeError, SMTPSender, Clock(), "mx.example", hostname=name)
