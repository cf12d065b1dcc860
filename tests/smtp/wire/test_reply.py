"""Replies, as a client reads them (RFC 5321 4.2), and capabilities."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.model import Outcome
from mailproto.smtp.wire import Reply, ReplyLimits, SMTPClientWire, SMTPReplyError, parse_capabilities

LIMITS = ReplyLimits(line=100, lines=5, octets=300)


def feed(octets: bytes, piece: int = 0, limits: ReplyLimits = LIMITS) -> list[Reply | str]:
    """All replies of ``octets``, and the error's text, if there is one, at the end."""
    wire = SMTPClientWire(limits)
    found: list[Reply | str] = []
    try:
        for start in range(0, len(octets), piece or len(octets) or 1):
            wire.receive(octets[start : start + (piece or len(octets))])
            while (reply := wire.next_event()) is not None:
                found.append(reply)
    except SMTPReplyError as error:
        found.append(str(error).rpartition(": ")[2])
        wire.receive(b"250 OK\r\n")
        assert wire.next_event() is None
        assert wire.pending == 0
    return found


class ReplyTests(SynchronousTestCase):
    def assert_read(self, octets: bytes, *expected: Reply | str) -> None:
        for piece in (0, 1, 2, 3):
            self.assertEqual(feed(octets, piece), list(expected))

    def test_good(self) -> None:
        self.assert_read(b"250 OK\r\n", Reply(250, (b"OK",)))
        self.assert_read(b"250-a\r\n250-\r\n250 c\r\n", Reply(250, (b"a", b"", b"c")))
        self.assert_read(b"250\r\n", Reply(250, (b"",)))
        self.assert_read(b"250 one\r\n354 two\r\n55", Reply(250, (b"one",)), Reply(354, (b"two",)))

    def test_careless(self) -> None:
        """Bare LF, and more CRs than one."""
        self.assert_read(b"250-a\n250 b\r\r\n", Reply(250, (b"a", b"b")))

    def test_bad(self) -> None:
        for octets in (b"\r\n", b"hello\r\n", b"25 x\r\n", b"150 x\r\n", b"600 x\r\n", b"2\xb250 x\r\n"):
            self.assert_read(octets, "no reply code")
        self.assert_read(b"250_x\r\n", "no separator behind the code")
        self.assert_read(b"2500 x\r\n", "no separator behind the code")
        self.assert_read(b"250-x\r\n251 y\r\n", "the codes of one reply differ")
        self.assert_read(b"250 x\r\nhm\r\n250 z\r\n", Reply(250, (b"x",)), "no reply code")

    def test_limits(self) -> None:
        line = b"250 " + b"x" * 96
        self.assert_read(line + b"\r\n", Reply(250, (b"x" * 96,)))
        self.assert_read(line + b"x\r\n", "line too long")
        self.assert_read(line + b"x" * 10_000, "line too long")
        self.assert_read(b"250-x\r\n" * 4 + b"250 x\r\n", Reply(250, (b"x",) * 5))
        self.assert_read(b"250-x\r\n" * 6, "too many lines")
        self.assert_read((b"250-" + b"x" * 96 + b"\r\n") * 3, "reply too long")

    def test_memory(self) -> None:
        """What is held of one reply is bounded, and counted."""
        wire = SMTPClientWire(LIMITS)
        wire.receive(b"250-abc\r\n250-de")
        self.assertIsNone(wire.next_event())
        self.assertGreaterEqual(wire.pending, len("abc250-de"))

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=200) | st.text("250- x\r\n", max_size=60).map(str.encode), st.integers(1, 7))
    def test_anything(self, octets: bytes, piece: int) -> None:
        """Nothing but the documented error, and the same however it is cut."""
        self.assertEqual(feed(octets, piece), feed(octets))


class TextTests(SynchronousTestCase):
    def test_enhanced_codes(self) -> None:
        for line, enhanced, text in (
            (b"5.1.1 No", "5.1.1", "No"),
            (b"5.1.1", "5.1.1", ""),
            (b"5.1.1x No", "", "5.1.1x No"),
            (b"2.1.1 No", "", "2.1.1 No"),
            (b"5.1 No", "", "5.1 No"),
            (b"5.1234.1 No", "", "5.1234.1 No"),
        ):
            reply = Reply(550, (line,))
            self.assertEqual((reply.enhanced, reply.text), (enhanced, text))
            self.assertEqual(reply.outcome(), Outcome(550, enhanced or "5.0.0", text))

    def test_many_lines_are_one(self) -> None:
        self.assertEqual(Reply(550, (b"5.1.1 a", b"5.1.1 b", b"c")).text, "a b c")

    def test_whatever_a_server_says_is_printable(self) -> None:
        text = Reply(550, (b"a\x1b[2J\0\xff\xc2\x85\xe2\x80\xa8b", "grüß dich".encode())).text
        self.assertEqual(text, r"a\x1b[2J\x00\xff\x85\u2028b grüß dich")


class CapabilityTests(SynchronousTestCase):
    def test_nonsense_is_skipped(self) -> None:
        lines = (
            b"mx",
            b"",
            b"-X",
            b"SIZE x",
            b"\xff\xfe",
            b"AUTH",
            b"=",
            b"LIMITS RCPTMAX=0 X",
            b"PIPELINING",
        )
        offered = parse_capabilities(Reply(250, lines))
        self.assertEqual(set(offered.keywords), {"SIZE", "AUTH", "LIMITS", "PIPELINING"})
        self.assertEqual(
            (offered.max_size, offered.mechanisms, offered.max_recipients, offered.max_transactions),
            (None, (), None, None),
        )

    def test_size_without_limit(self) -> None:
        for line in (b"SIZE", b"SIZE 0"):
            self.assertIsNone(parse_capabilities(Reply(250, (b"mx", line))).max_size)

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.binary(max_size=30), min_size=1))
    def test_anything(self, lines: list[bytes]) -> None:
        parse_capabilities(Reply(250, tuple(lines)))
