"""Where a message's header section is: one rule, for whatever way the message came."""

from __future__ import annotations

from time import process_time

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.message import header_fields, header_section, is_mbox_line, may_be_header, scan, summarise
from mailproto.message._header_section import MAX_GAPS

MBOX = b"From root Mon Mar  2 10:00:00 2020\r\n"
FIELDS = b"Subject: hi\r\nTo: a@b\r\n"
BODY = b"\r\nbody\r\n"

_LINES = st.sampled_from(
    [
        b"From x\r\n", b">From y: z\r\n", b"From : a@b\r\n", b"a: b\r\n", b"Subject: x\r\n", b"X-y: z\r\n",
        b"Subject: x\r\n\r\n", b"\r\n", b" folded\r\n", b"\t\r\n", b"text\r\n", b"two words: x\r\n", b":\r\n",
        b"\xef\xbb\xbf", b"gr\xc3\xb6\xc3\x9fe: 1\r\n", b"text", b"Subject", b"k" * 990 + b"\r\n",
    ]
)  # fmt: skip


class HeaderSectionTests(SynchronousTestCase):
    def assert_kept(self, before: bytes) -> None:
        """``before`` stands before the fields, and they are the header all the same."""
        content = before + FIELDS + BODY
        section = header_section(content)
        self.assertEqual(section.end, len(content) - len(BODY), before)
        self.assertEqual(section.gaps, [(0, len(before))] if before else [], before)
        root = scan(content).root
        self.assertEqual((root.body, root.end), (section.end + 2, len(content)))
        self.assertIn(b'"hi"', summarise(content).envelope)
        self.assertIn(b"Subject", [field.name for field in header_fields(content)])

    def assert_text(self, content: bytes, end: int = 0) -> None:
        """From ``end`` on, all is text."""
        self.assertEqual(header_section(content).end, end, content)
        self.assertEqual(scan(content).root.body, end)

    def test_what_programs_leave_before_the_first_field(self) -> None:
        for before in (
            b"", MBOX, b">" + MBOX, b">>>" + MBOX, MBOX * 9, b"FROM x\r\n", b"from - \r\n", b"From \r\n",
            b"\xef\xbb\xbf", b"\xef\xbb\xbf" + MBOX, b" folded\r\n", b"\t\r\n", b"garbage\r\n",
            b"two words: x\r\n", MBOX + b"garbage\r\n", b":\r\n", b"a\r\nb\r\nc\r\n", b"\xff\xfe\r\n",
            b"HTTP/1.1 200 OK\r\n",
        ):  # fmt: skip
            self.assert_kept(before)
        self.assertEqual(header_section(MBOX + b"A: b\r\n\r\n").end, len(MBOX) + 6)

    def test_names_of_fields(self) -> None:
        for name in (b"received", b"RECEIVED", b"A \t", b"!#~", b"gr\xc3\xb6\xc3\x9fe", b"\xff", b"k" * 998):
            content = name + b": x\r\n" + FIELDS + BODY
            self.assertEqual(header_section(content), (len(content) - len(BODY), []))

    def test_text(self) -> None:
        for content in (
            b"hello", b"hello\r\n", b"hello\r\nworld: x\r\n\r\n", b"hello\r\nBcc: this is text\r\n",
            b": x\r\n",
            b"hello\r\nTo: b\r\nand so on\r\n\r\n", b"hello\r\n" * 4 + FIELDS + BODY, b" x\r\ny: z\r\n\r\n",
            MBOX + b"hello\r\n\r\n", b"From me to you\r\n\r\nA: b\r\n\r\n", MBOX * 10 + b"A: b\r\n\r\n",
            b"two words: x\r\n\r\n", b"k" * 999 + b": x\r\n\r\n",
            b"From " + b"x" * 2000 + b"\r\nA: b\r\n\r\n",
            b"\xef\xbb\xbfhello\r\n", b"\x01: x\r\n",
        ):  # fmt: skip
            self.assert_text(content)

    def test_an_empty_line_is_the_end(self) -> None:
        for content in (b"\r\n" + FIELDS + BODY, b"\r\n" + MBOX + FIELDS + BODY, b"hello\r\n\r\n" + FIELDS):
            self.assertEqual(header_section(content), (0, []))

    def test_text_after_fields(self) -> None:
        for text in (
            b"hello\r\n",
            b"hello\r\nc: d\r\n\r\n",
            MBOX + b"c: d\r\n",
            b"two words: x\r\n",
            b":\r\n",
        ):
            self.assert_text(FIELDS + text, len(FIELDS))

    def test_broken_folds(self) -> None:
        for gap in (b"x\r\n", b"x\r\ny\r\nz\r\n", MBOX, MBOX + b"x\r\n"):
            for after in (b"From: a@b\r\n", b"Received: x\r\n folded\r\nDate: x\r\n"):
                content = FIELDS + gap + after + b"a: b\r\n" + gap + after + BODY
                if after.startswith(b"From"):  # one such field is enough before an empty line only
                    content = FIELDS + gap + after + BODY
                section = header_section(content)
                self.assertEqual(section.end, len(content) - len(BODY))
                self.assertEqual(section.gaps[0], (len(FIELDS), len(FIELDS + gap)))
                self.assertEqual(scan(content).root.body, section.end + 2)

    def test_too_many_of_them_are_text(self) -> None:
        broken = b"x\r\nTo: a\r\nCc: b\r\n"
        section = header_section(FIELDS + broken * (MAX_GAPS + 1) + BODY)
        self.assertEqual((section.end, len(section.gaps)), (len(FIELDS + broken * MAX_GAPS), MAX_GAPS))
        self.assertEqual(header_section(broken * 9, begun=True, gaps_before=8).end, len(broken))

    def test_mbox_lines(self) -> None:
        for line in (MBOX, b">" + MBOX, b"From x\n", b"from \r\n"):
            self.assertTrue(is_mbox_line(line), line)
        for line in (b"From: x\r\n", b"From : x\r\n", b" " + MBOX, b"From\tx\r\n", b"x\r\n", MBOX + b"x\r\n"):
            self.assertFalse(is_mbox_line(line), line)

    @settings(max_examples=500, deadline=None)
    @given(st.lists(_LINES, max_size=16).map(b"".join), st.integers(0, 300))
    def test_what_is_decided_stays_so(self, content: bytes, cut: int) -> None:
        """Read in two pieces, as far as the first has it, the section is the same."""
        whole, first = header_section(content), header_section(content[:cut])
        rest = content[first.end :]
        if first.end == cut or may_be_header(content[first.end : cut]):
            if not first.end:
                return
            if first.end < cut:
                more = header_section(rest, begun=True, gaps_before=len(first.gaps))
                self.assertEqual(first.end + more.end, whole.end)
        else:
            self.assertEqual(first.end, whole.end)

    @settings(max_examples=300, deadline=None)
    @given(st.binary(max_size=200))
    def test_any_octets(self, content: bytes) -> None:
        section = header_section(content)
        self.assertLessEqual(section.end, len(content))
        self.assertIsInstance(may_be_header(content), bool)
        scan(content)

    def test_linear(self) -> None:
        for unit in (
            b"x\r\n", MBOX, b"k" * 998 + b"\r\n", b"k" * 998 + b" " * 998 + b"\r\n", b"x\r\nTo: a\r\n",
            b">" * 9,
            b"x\r\nX-" + b"a" * 100 + b" " * 100 + b"\r\n", b"To: b\r\n", b" \r\n",
            b"From " + b"x" * 980 + b"\r\n",
            b"x\r\nTo: " + b"a" * 900 + (b"\r\n " + b"a" * 900) * 9 + b"\r\n", b"\xef\xbb\xbf",
        ):  # fmt: skip
            for start in (b"", b"a: b\r\n"):
                content = start + unit * (100_000 // len(unit))
                began = process_time()
                header_section(content)
                may_be_header(content)
                self.assertLess(process_time() - began, 0.1, unit)
