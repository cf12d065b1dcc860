"""Lines and literals, without commands: what servers, clients and ManageSieve have in common."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.imap.wire import Announcement, LineReader, ReadError


def reader(longest: int = 40) -> LineReader:
    return LineReader(longest, swallowed=100, swallowed_line=80)


def read(data: bytes, cuts: list[int], how: str = "whole") -> list[object]:
    """What comes out of ``data`` cut at some offsets; literals are taken as ``how`` says."""
    lines = reader()
    said: list[object] = []
    for start, stop in pairwise([0, *sorted(cuts), len(data)]):
        lines.receive(data[start:stop])
        while True:
            in_pieces = lines.in_literal and how == "pieces"
            try:
                found = lines.next()
            except ReadError as error:
                said.append((error.text, error.line, error.fatal))
                continue
            if found is None:
                break
            if in_pieces and said and isinstance(said[-1], list):
                said[-1][0] += found
                if not found:
                    said[-1] = ("literal", said[-1][0])
            else:
                said.append(found)
            if lines.announced is not None:
                if how == "refuse":
                    said.append(lines.announced)
                    lines.refuse()
                elif how == "pieces":
                    lines.take_pieces()
                    said.append([b""])
                else:
                    lines.take_whole()
    return said


class LineReaderTests(SynchronousTestCase):
    def assert_read(self, data: bytes, expected: list[object], how: str = "whole") -> None:
        """However it is cut."""
        for cuts in ([], list(range(len(data)))):
            self.assertEqual(read(data, cuts, how), expected)

    def test_lines(self) -> None:
        self.assert_read(b"a\r\n\r\nb c\r\n", [b"a\r\n", b"\r\n", b"b c\r\n"])

    def test_literals_as_a_whole(self) -> None:
        self.assert_read(
            b"a {3}\r\nx\0\n {0+}\r\n ~{1+}\r\ny\r\nb\r\n",
            [b"a {3}\r\n", b"x\0\n", b" {0+}\r\n", b"", b" ~{1+}\r\n", b"y", b"\r\n", b"b\r\n"],
        )

    def test_literals_in_pieces(self) -> None:
        self.assert_read(
            b"a {3}\r\nx\r\n {0}\r\n end\r\n",
            [b"a {3}\r\n", ("literal", b"x\r\n"), b" {0}\r\n", ("literal", b""), b" end\r\n"],
            "pieces",
        )

    def test_what_is_announced(self) -> None:
        for line, announced in (
            (b"a {3}\r\n", Announcement(3, True, False)),
            (b"a {3+}\r\n", Announcement(3, False, False)),
            (b"a ~{03}\r\n", Announcement(3, True, True)),
            (b"a ~{3+}\r\n", Announcement(3, False, True)),
            (b"{0}\r\n", Announcement(0, True, False)),
            (b"a {3} \r\n", None),
            (b"a {}\r\n", None),
            (b"a {-3}\r\n", None),
            (b"a {3}}\r\n", None),
            (b"a {" + b"9" * 25 + b"}\r\n", None),
        ):
            lines = reader()
            lines.receive(line)
            self.assertEqual(lines.next(), line)
            self.assertEqual(lines.announced, announced, line)

    def test_refused_literals(self) -> None:
        """A synchronizing one does not come; another does, and its line goes on."""
        self.assert_read(b"a {3}\r\nb\r\n", [b"a {3}\r\n", Announcement(3, True, False), b"b\r\n"], "refuse")
        self.assert_read(
            b"a {3+}\r\nb\r\n {2+}\r\nxy rest\r\nb\r\n",
            [b"a {3+}\r\n", Announcement(3, False, False), b"b\r\n"],
            "refuse",
        )

    def test_refused_among_the_octets(self) -> None:
        for take in (LineReader.take_whole, LineReader.take_pieces):
            lines = reader()
            lines.receive(b"a {4}\r\n")
            lines.next()
            take(lines)
            self.assertIsNone(lines.next())  # permission was given
            lines.receive(b"ab")
            lines.next()
            lines.refuse()
            lines.receive(b"cd rest\r\nb\r\n")
            self.assertEqual(lines.next(), b"b\r\n")

    def test_refused_after_a_literal(self) -> None:
        lines = reader()
        lines.receive(b"a {4+}\r\nabcd rest\r\nb\r\n")
        lines.next()
        lines.take_whole()
        self.assertEqual(lines.next(), b"abcd")
        lines.refuse()
        self.assertEqual(lines.next(), b"b\r\n")

    def test_no_lines(self) -> None:
        crlf = "A command line must end with CRLF"
        other = "NUL or CR in a command line"
        self.assert_read(
            b"a\nb\r\nc\r\n\nd\r\n\0\r\n\r\r\n",
            [
                (crlf, b"a\n", False),
                (crlf, b"b\r\n", False),
                b"c\r\n",
                (crlf, b"\n", False),
                (crlf, b"d\r\n", False),
                (other, b"\0\r\n", False),
                (other, b"\r\r\n", False),
            ],
        )

    def test_long_lines(self) -> None:
        text = "Command line too long"
        self.assert_read(b"x" * 40 + b"\r\n", [b"x" * 40 + b"\r\n"])
        self.assert_read(b"x" * 41 + b"\r\nb\r\n", [(text, b"x" * 41 + b"\r", False), b"b\r\n"])
        lost = ("Too much of what was refused", b"", True)
        self.assertEqual(read(b"x" * 200, list(range(200))), [(text, b"x" * 42, False), lost])

    def test_an_idle_reader_holds_nothing(self) -> None:
        lines = reader()
        lines.receive(b"a\r\n" * 10)
        while lines.next() is not None:
            pass
        self.assertEqual((lines.pending, len(lines._buffer)), (0, 0))

    @given(
        st.lists(
            st.sampled_from(
                [
                    b"a ",
                    b"\r\n",
                    b"{2}\r\n",
                    b"{2+}\r\n",
                    b"~{3+}\r\n",
                    b"\n",
                    b"\0",
                    b"\r",
                    b"{70+}\r\n",
                    b"xy",
                    b"z" * 30,
                ]
            ),
            max_size=20,
        ).map(b"".join),
        st.lists(st.integers(0, 200), max_size=6),
        st.sampled_from(["whole", "pieces", "refuse"]),
    )
    @settings(max_examples=300, deadline=None)
    def test_the_same_however_cut(self, data: bytes, cuts: list[int], how: str) -> None:
        whole = read(data, [], how)
        for way in ([cut for cut in cuts if cut <= len(data)], list(range(len(data)))):
            found = read(data, way, how)
            if found and isinstance(found[-1], list) and whole and isinstance(whole[-1], list):
                found, whole_now = found[:-1], whole[:-1]
            else:
                whole_now = whole
            self.assertEqual(found, whole_now)
