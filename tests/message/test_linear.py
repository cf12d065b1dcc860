"""Hostile messages cost time in proportion to their size."""

import time
import tracemalloc
from collections.abc import Callable

from twisted.trial.unittest import TestCase

from mailproto.message import (
    Section,
    base_subject,
    binary_size,
    comment_end,
    decode_header,
    decode_text,
    fold,
    html_text,
    message_ids,
    parse_addresses,
    parse_date,
    scan,
    section,
    summarise,
    summarise_steps,
)
from mailproto.message._addresses import find_addresses
from mailproto.message._ids import ids_text

_LEVEL = b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n"
_SIZE = 1 << 12


def _read(content: bytes) -> None:
    summarise(content)
    section(content, scan(content), Section((), "HEADER.FIELDS.NOT", (b"x",)))


def _body(encoding: bytes) -> Callable[[bytes], object]:
    def decode(unit: bytes) -> object:
        content = b"MIME-Version: 1\r\nContent-Transfer-Encoding: " + encoding + b"\r\n\r\n" + unit
        return binary_size(content, scan(content), (1,))

    return decode


class LinearTests(TestCase):
    """Sixteen times as much may take at most forty times as long; quadratic would be 256."""

    def check(self, work: Callable[[bytes], object], unit: bytes, prefix: bytes = b"") -> None:
        def cost(repeats: int) -> float:
            octets = prefix + unit * repeats
            best = float("inf")
            for _ in range(3):
                start = time.process_time()
                work(octets)
                best = min(best, time.process_time() - start)
            return best

        repeats = max(_SIZE // len(unit), 1)
        small = max(cost(repeats), 20e-6)
        self.assertLess(cost(16 * repeats), 40 * small, (work, unit))

    def test_header_fields(self) -> None:
        for unit in (
            b"A: b\r\n",
            b"To: a\r\n",
            b" ",
            b"x",
            b":",
            b"\r\n ",
            b"Subject" + b" " * 500 + b"\r\n",
        ):
            self.check(_read, unit)
            self.check(_read, unit, b"Subject:")

    def test_addresses(self) -> None:
        for unit in (
            b"(",
            b'"',
            b"a@[",
            b"<",
            b"g:",
            b"a ",
            b"a,",
            b"a. ",
            b"\\",
            b'"a" ',
            b"(a)",
            b"[\\]",
            b"a@b . ",
            b"a@b;",
            b"<a@b> <",
        ):
            self.check(parse_addresses, unit)
            self.check(parse_addresses, unit, b"a@")
            self.check(find_addresses, unit, b"a@")

    def test_quoting(self) -> None:
        """Linear is not enough: 100 KB of what must be escaped took 50 ms and more."""
        for unit in (b'"', b"\\"):
            start = time.process_time()
            summarise(b"In-Reply-To: " + unit * 100_000 + b"\r\n\r\n")
            self.assertLess(time.process_time() - start, 0.025, unit)

    def test_parameters(self) -> None:
        for unit in (b";", b";a=b", b';a="', b"a=(", b"()", b"; a*0=b", b" ", b"=", b"\\"):
            for value in (b"text/plain;", b"text/plain ", b"text ", b'"'):
                self.check(_read, unit, b"Content-Type: " + value)

    def test_boundaries(self) -> None:
        for unit in (
            b"\r\n--",
            b"\r\n--x",
            b"\r\n--x\r\n",
            b"--",
            b"\r\n--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n",
        ):
            self.check(_read, unit, b"Content-Type: multipart/mixed; boundary=x\r\n\r\n")
        self.check(_read, b"Content-Type: message/rfc822\r\n\r\n")
        self.check(_read, b"".join(_LEVEL % (n, n) for n in range(99)))

    def test_texts(self) -> None:
        for unit in (
            b"=?",
            b"=?a?q?",
            b"=?a?q?x",
            b"=?a?q??",
            b"=?a?q?x=",
            b"=?utf-8?q?x?= ",
            b"=?a*",
            b"?=",
        ):
            self.check(decode_header, unit)
        self.check(decode_header, b"=?utf-8?q?%b?= " % (b"x" * 60) * 3000)
        for unit in (b"<", b"<!--", b"<a ", b"<script>", b"&", b"&#x", b"<p>"):
            self.check(lambda octets: html_text(octets.decode()), unit)

    def test_charsets(self) -> None:
        for charset, units in (
            ("big5", (b"\x81\xff", b"\xff", b"\x81 ", b"\xa2A", b"\xa3\xe1")),
            ("gb2312", (b"\x81\xff", b"\x810\xff", b"\x849\xfe9", b"\x80")),
            ("euc-jp", (b"\xad\xa1", b"\x8f\xa9\xff", b"\xa9\xff")),
            ("euc-kr", (b"\x81\xff", b"\xfe ")),
            (
                "iso-2022-jp",
                (b"\x1b", b"\x1b$B", b"\x1b$B-!", b"\x1b$B!", b"\x1b(", b"\xff", b"\x1b" + b"-" * 14),
            ),
            ("iso-2022-kr", (b"\x0e", b"\x0e\x0f", b"\x1b$)", b"\x0e0")),
            ("hz", (b"~{", b"~", b"~{!V", b"~{\n", b"\n")),
            ("utf-7", (b"+", b"+A", b"+A!", b"+2AA-", b"\xff")),
            ("utf-16", (b"\x00\xd8",)),
            ("", (b"\x81", b"\x1b$", b"\x1b$B")),
        ):
            for unit in units:
                self.check(lambda octets, charset=charset: decode_text(octets, charset), unit)  # type: ignore[misc]

    def test_keys(self) -> None:
        for unit in (b"<", b'<"', b'"a"', b'<"\\', b"<a"):
            self.check(message_ids, unit, b"<")
        for unit in (b"<", b'"', b"(", b'\\"<', b'"\\"', b"<(", b"<()>", b" ", b". ", b"(\\", b"<a .", b'("'):
            for before in (b"", b"<", b'"'):
                self.check(ids_text, unit, before)
                self.check(message_ids, unit, before)
        for unit in (b"[", b"[a]", b"re:", b"[fwd:", b"(fwd)", b"re "):
            self.check(base_subject, unit)
        for unit in (b"1", b"1 ", b"(", b"1:", b"jan "):
            self.check(parse_date, unit)

    def test_encodings(self) -> None:
        for unit in (b" ", b"=", b"=\r\n", b"\t\n", b"=3D"):
            self.check(_body(b"quoted-printable"), unit)
        for unit in (b"A", b"=", b"*", b"AAAA\r\n"):
            self.check(_body(b"base64"), unit)

    def test_folding(self) -> None:
        for unit in (b"a", b"a ", b"\r\n"):
            self.check(lambda octets: fold(b"X", octets), unit)


class StepTests(TestCase):
    """Work that others wait for has pauses, whatever the header is."""

    NAMES = ("From", "Sender", "Reply-To", "To", "Cc", "Bcc")

    def test_there_are_pauses_between_addresses(self) -> None:
        # In one step, six such fields with 64 KB together took 110 ms.
        for addresses in ("a," * 1800, "g:" + "a," * 1800 + ";", "a(b)," * 1800):
            content = "".join(f"{name}: {addresses}\r\n" for name in self.NAMES).encode() + b"\r\n"
            self.assertGreater(_pauses(content), 1800 // 64)

    def test_there_are_pauses_between_fields(self) -> None:
        for value in ('"" ' * 1000, "() " * 1000, "(" * 3000):
            content = "".join(f"{name}: {value}\r\n" for name in self.NAMES).encode() + b"\r\n"
            self.assertGreaterEqual(_pauses(content), 6)

    def test_once_nothing_more_is_shown_nothing_more_is_read(self) -> None:
        few = ("From: " + "a," * 2000 + "\r\n").encode()
        many = few + b"".join(few.replace(b"From", name.encode()) for name in self.NAMES[1:])
        self.assertLess(_pauses(many + b"\r\n"), _pauses(few + b"\r\n") + 20)

    def test_a_message_in_a_message(self) -> None:
        inner = b"To: " + b"a," * 1800 + b"\r\n\r\n"
        self.assertGreater(_pauses(b"Content-Type: message/rfc822\r\n\r\n" + inner), 1800 // 64)

    def test_a_comment_has_a_limited_number_of_comments(self) -> None:
        self.assertEqual(comment_end(b"(" + b"()" * 999 + b")x", 0), 2000)
        self.assertEqual(comment_end(b"(" + b"()" * 1001 + b")x", 0), -1)
        self.assertEqual(comment_end(b"(" * 9000 + b")" * 9000 + b")x", 0), 18_000)
        self.assertEqual(comment_end(b"(" * 9000 + b")" * 8999, 0), -1)


def _pauses(content: bytes) -> int:
    return sum(1 for _ in summarise_steps(content, scan(content)))


class MemoryTests(TestCase):
    """A text of megabytes costs megabytes, however many places of it have to be mended."""

    def test_encodings_of_seven_bits_and_big5(self) -> None:
        size = 4 << 20
        for charset, unit in (
            ("hz", b"\n"),
            ("hz", b"~{\n"),
            ("iso-2022-jp", b"\x1b"),
            ("iso-2022-kr", b"\x1b$"),
            ("big5", b"\xa2A"),
        ):
            octets = unit * (size // len(unit))
            tracemalloc.start()
            decode_text(octets, charset)
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            self.assertLess(most, 16 * size, (charset, unit))
