"""Replies, as a client reads them (RFC 5321 4.2), and capabilities."""

from __future__ import annotations

import time
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.model import Outcome
from mailproto.smtp.wire import Reply, ReplyLimits, SMTPClientWire, SMTPReplyError, parse_capabilities
from mailproto.smtp.wire._capabilities import MAX_KEYWORDS, MAX_PARAMETERS

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
        self.assert_read(b"250_x\r\n", "no separator after the code")
        self.assert_read(b"2500 x\r\n", "no separator after the code")
        self.assert_read(b"250-x\r\n251 y\r\n", "the codes of one reply differ")
        self.assert_read(b"250 x\r\nhm\r\n250 z\r\n", Reply(250, (b"x",)), "no reply code")

    def test_what_it_is_instead_is_told(self) -> None:
        for octets, text in (
            (b"HTTP/1.1 400 Bad Request\r\n", "not an SMTP reply, 'HTTP/1.1 400 Bad Request': no reply code"),
            (b"\x15\x03\x01\0\x02\x02\n", r"not an SMTP reply, '\x15\x03\x01\x00\x02\x02': no reply code"),
            (b"250-x\r\n354 y\r\n", "not an SMTP reply, '354 y': the codes of one reply differ"),
            (b"\r\n", "not an SMTP reply: no reply code"),
            (b"y" * 200, f"not an SMTP reply, '{'y' * 97}...': line too long"),
        ):
            wire = SMTPClientWire(LIMITS)
            wire.receive(octets)
            self.assertEqual(str(self.assertRaises(SMTPReplyError, wire.next_event)), text)

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

    def test_only_so_much_is_kept(self) -> None:
        names = b" ".join(b"A%d" % number for number in range(10_000))
        lines = (b"mx", *(b"AUTH " + names[start : start + 12_000] for start in range(0, len(names), 12_000)))
        offered = parse_capabilities(Reply(250, lines))
        self.assertEqual(offered.mechanisms, tuple(f"A{number}" for number in range(MAX_PARAMETERS)))
        self.assertEqual(offered.keywords["AUTH"], offered.mechanisms)
        offered = parse_capabilities(
            Reply(250, (b"mx", *(b"X%d a b c" % number for number in range(10_000))))
        )
        self.assertEqual(list(offered.keywords), [f"X{number}" for number in range(MAX_KEYWORDS)])
        offered = parse_capabilities(Reply(250, (b"mx", b"X " + b"a " * 10_000)))
        self.assertEqual(offered.keywords["X"], ("a",) * MAX_PARAMETERS)

    def test_what_is_kept_is_of_the_grammar(self) -> None:
        """RFC 5321 4.1.1.1, RFC 4422 3.1."""
        lines = (
            b"mx",
            "X a \u202eb ü c".encode(),
            b"X again",
            b"Y a\0b \x1b[2J \x7f \x80 ~!",
            b"AUTH " + b"a" * 20 + b" " + b"b" * 21 + b" PLAIN plain Plain =PLAIN P.LAIN X_Y-2",
            b"AUTH=LOGIN PLAIN",
        )
        offered = parse_capabilities(Reply(250, lines))
        self.assertEqual(offered.mechanisms, ("A" * 20, "PLAIN", "X_Y-2", "LOGIN"))
        self.assertEqual(offered.keywords["X"], ("a", "c"))
        self.assertEqual(offered.keywords["Y"], ("~!",))

    def test_size_without_limit(self) -> None:
        for line in (b"SIZE", b"SIZE 0"):
            self.assertIsNone(parse_capabilities(Reply(250, (b"mx", line))).max_size)

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.binary(max_size=30), min_size=1))
    def test_anything(self, lines: list[bytes]) -> None:
        offered = parse_capabilities(Reply(250, tuple(lines)))
        for keyword, parameters in offered.keywords.items():
            for word in (keyword, *parameters):
                self.assertRegex(word, r"\A[!-~]+\Z")


class LinearTests(SynchronousTestCase):
    """Sixteen times as much may take at most forty times as long; quadratic would be 256."""

    def check(self, work: Callable[[int], object]) -> None:
        def cost(octets: int) -> float:
            best = float("inf")
            for _ in range(3):
                start = time.process_time()
                work(octets)
                best = min(best, time.process_time() - start)
            return best

        self.assertLess(cost(1 << 16), 40 * max(cost(1 << 12), 50e-6))

    def test_capabilities(self) -> None:
        for prefix, unit in (
            (b"AUTH", b" A%d"),
            (b"AUTH", b" A"),
            (b"X", b" A%d"),
            (b"LIMITS", b" RCPTMAX=%d"),
        ):

            def work(octets: int, prefix: bytes = prefix, unit: bytes = unit) -> None:
                words = b"".join(unit.replace(b"%d", b"%d" % number) for number in range(octets // 6))
                lines = [prefix + words[start : start + 6000] for start in range(0, len(words), 6000)]
                parse_capabilities(Reply(250, (b"mx", *lines)))

            self.check(work)
        for line in (b"AUTH=%d", b"AUTH A%d", b"X%d", b"X", b"SIZE 1"):
            self.check(
                lambda octets, line=line: parse_capabilities(
                    Reply(250, tuple(line.replace(b"%d", b"%d" % at) for at in range(octets // 8)))
                )
            )

    def test_replies(self) -> None:
        """However they are cut: octet by octet, and all of them at once."""
        limits = ReplyLimits(line=1 << 20, lines=1 << 20, octets=1 << 20)
        for unit, end in (
            (b"250 a\r\n", b""),
            (b"250-a\r\n", b"250 a\r\n"),
            (b"250-\n", b"250\n"),
            (b"250 " + b"x" * 500 + b"\n", b""),
            (b"\r", b"\n"),
            (b"x", b"\n"),
        ):
            for piece in (0, 1):
                self.check(
                    lambda octets, unit=unit, end=end, piece=piece: feed(
                        b"250-" * (unit < b"2") + unit * (octets // len(unit)) + end, piece, limits
                    )
                )

    def test_texts(self) -> None:
        for unit in (b"x", b"\x1b", b"\xe2\x80\xae", b"\xff", b" ", b"\t", b"5.1.1 "):
            for lines in (1, 100):

                def work(octets: int, unit: bytes = unit, lines: int = lines) -> None:
                    reply = Reply(550, (b"5.1.1 " + unit * (octets // len(unit) // lines),) * lines)
                    self.assertLessEqual(len(reply.outcome().text), 1000)
                    str(reply)

                self.check(work)
