"""Sections, as FETCH asks for them."""

from twisted.trial.unittest import TestCase

from mailproto.message import (
    FIELDS_LIMIT,
    HEADER_LIMIT,
    Section,
    Sections,
    Slices,
    UnknownEncoding,
    binary,
    binary_size,
    finish,
    header_fields,
    scan,
    section,
    top,
)
from tests.message.parts import Counting

PLAIN = b"Subject: a\r\nFrom: x\r\n\ty\r\nnot a field\r\nSUBJECT: b\r\n\r\nline 1\r\nline 2\r\n"
NESTED = (
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-ID: 1\r\n\r\nfirst\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\n\r\n"
    b"Subject: inner\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
    b"--c\r\n\r\ninner part\r\n--c--\r\n\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: plain\r\n\r\nplain body\r\n"
    b"--b--\r\n"
)


def fetch(content: bytes, part: tuple[int, ...] = (), text: str = "", *fields: bytes) -> bytes | None:
    found = section(content, scan(content), Section(part, text, fields))
    return None if found is None else bytes(found)


class LimitTests(TestCase):
    """A header of megabytes has fields up to `HEADER_LIMIT` and `FIELDS_LIMIT`; the rest is passed on."""

    HEADERS = (
        (b"X:a\r\n" * (2 * FIELDS_LIMIT), 5 * FIELDS_LIMIT),
        (b"X: %b\r\n" % (b"y" * 1017) * 512, HEADER_LIMIT),
    )

    def test_the_rest_of_a_header_has_no_fields(self) -> None:
        for filler, limit in self.HEADERS:
            header = filler[:limit] + b"B: b\r\n" + filler + b"\r\n"
            for content, part in (
                (b"A: a\r\n" + header, ()),
                (b"Content-Type: message/rfc822\r\n\r\nA: a\r\n" + header, (1,)),
            ):
                index = scan(content)
                wanted = section(content, index, Section(part, "HEADER.FIELDS", (b"A", b"B")))
                others = section(content, index, Section(part, "HEADER.FIELDS.NOT", (b"A", b"B")))
                whole = section(content, index, Section(part, "HEADER"))
                self.assertEqual(bytes(wanted or b""), b"A: a\r\n\r\n")
                self.assertEqual(bytes(others or b""), header)
                self.assertEqual(bytes(whole or b""), b"A: a\r\n" + header)

    def test_little_of_a_header_is_read(self) -> None:
        for line in (b"X:a\r\n", b"no field\r\n", b" \r\n", b"X:" + b"y" * 1000 + b"\r\n", b"y"):
            header = b"Content-Type: message/rfc822\r\n\r\nA: a\r\n" + line * ((8 << 20) // len(line))
            content = Counting(header)
            index = scan(header)
            section(content, index, Section((1,), "HEADER.FIELDS", (b"A",)))
            self.assertLess(content.octets_read, 2 * HEADER_LIMIT, line)

    def test_a_header_is_read_once_for_many_sections(self) -> None:
        content = Counting(b"A: a\r\nB: b\r\n" * 10_000 + b"\r\nbody")
        sections = Sections(content, scan(bytes(content)))
        content.octets_read = 0
        for _ in range(100):
            for text in ("HEADER.FIELDS", "HEADER.FIELDS.NOT"):
                found = finish(sections.find_steps(Section((), text, (b"C",))))
                self.assertLess(len(found.ranges if found else ()), 2)  # each range is a read from a file
        self.assertLess(content.octets_read, 2 * HEADER_LIMIT)

    def test_another_header_is_not_taken_for_it(self) -> None:
        sections = Sections(NESTED, scan(NESTED))
        for part, expected in (((2,), b"inner"), ((3,), b"plain"), ((2,), b"inner")):
            found = finish(sections.find_steps(Section(part, "HEADER.FIELDS", (b"Subject",))))
            self.assertEqual(bytes(found or b""), b"Subject: %b\r\n\r\n" % expected)

    def test_lines_that_are_no_fields_are_passed_over_together(self) -> None:
        header = b"A: a\r\n" + b"text\r\n" * 9 + b" more: text\r\n\t\r\nB: b\r\nx\r\n\r\nC: c\r\n"
        found = [
            (field.name, header[field.start : field.stop]) for field in header_fields(header, 0, len(header))
        ]
        self.assertEqual(found, [(b"A", b"A: a\r\n"), (b"B", b"B: b\r\n")])


class PlainMessageTests(TestCase):
    def test_the_whole(self) -> None:
        self.assertEqual(fetch(PLAIN), PLAIN)

    def test_header_and_text_make_the_whole(self) -> None:
        self.assertEqual((fetch(PLAIN, (), "HEADER") or b"") + (fetch(PLAIN, (), "TEXT") or b""), PLAIN)

    def test_part_1_is_the_body(self) -> None:
        self.assertEqual(fetch(PLAIN, (1,)), b"line 1\r\nline 2\r\n")
        self.assertEqual(fetch(PLAIN, (1,), "MIME"), fetch(PLAIN, (), "HEADER"))

    def test_other_parts_are_not_there(self) -> None:
        for part in ((2,), (1, 1), (0,)):
            self.assertIsNone(fetch(PLAIN, part))
        self.assertIsNone(fetch(PLAIN, (1,), "HEADER"))
        self.assertIsNone(fetch(PLAIN, (1,), "TEXT"))

    def test_fields_keep_order_case_repeats_and_folding(self) -> None:
        self.assertEqual(
            fetch(PLAIN, (), "HEADER.FIELDS", b"subject", b"FROM"),
            b"Subject: a\r\nFrom: x\r\n\ty\r\nSUBJECT: b\r\n\r\n",
        )

    def test_other_fields_and_what_is_no_field(self) -> None:
        self.assertEqual(
            fetch(PLAIN, (), "HEADER.FIELDS.NOT", b"subject"), b"From: x\r\n\ty\r\nnot a field\r\n\r\n"
        )

    def test_no_field_leaves_the_empty_line(self) -> None:
        self.assertEqual(fetch(PLAIN, (), "HEADER.FIELDS", b"X"), b"\r\n")

    def test_a_header_without_empty_line_has_none_to_give(self) -> None:
        self.assertEqual(fetch(b"A: b\r\nC: d\r\n", (), "HEADER.FIELDS", b"a"), b"A: b\r\n")


class NestedTests(TestCase):
    def test_a_part(self) -> None:
        self.assertEqual(fetch(NESTED, (1,)), b"first")
        self.assertEqual(fetch(NESTED, (1,), "MIME"), b"Content-ID: 1\r\n\r\n")

    def test_a_message_within(self) -> None:
        self.assertEqual(fetch(NESTED, (3,)), b"Subject: plain\r\n\r\nplain body")
        self.assertEqual(fetch(NESTED, (3,), "HEADER"), b"Subject: plain\r\n\r\n")
        self.assertEqual(fetch(NESTED, (3,), "TEXT"), b"plain body")
        self.assertEqual(fetch(NESTED, (3,), "MIME"), b"Content-Type: message/rfc822\r\n\r\n")
        self.assertEqual(fetch(NESTED, (3, 1)), b"plain body")
        self.assertEqual(fetch(NESTED, (3, 1), "MIME"), b"Subject: plain\r\n\r\n")

    def test_a_part_of_a_message_within(self) -> None:
        self.assertEqual(fetch(NESTED, (2, 1)), b"inner part")
        self.assertEqual(fetch(NESTED, (2,), "HEADER.FIELDS", b"Subject"), b"Subject: inner\r\n\r\n")
        self.assertIsNone(fetch(NESTED, (2, 2)))

    def test_the_empty_line_before_a_boundary_is_the_boundarys(self) -> None:
        content = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-ID: x\r\n\r\n--b--\r\n"
        self.assertEqual(fetch(content, (1,), "MIME"), b"Content-ID: x\r\n")
        self.assertEqual(fetch(content, (1,)), b"")


class SlicesTests(TestCase):
    def test_any_piece_of_several_ranges(self) -> None:
        slices = Slices(b"0123456789", ((1, 3), (5, 9)), b"ab", b"12")
        whole = b"12125678ab"
        self.assertEqual(len(slices), len(whole))
        for start in range(len(whole) + 2):
            for stop in range(len(whole) + 2):
                self.assertEqual(b"".join(slices.chunks(start, stop)), whole[start:stop])
        self.assertEqual(b"".join(slices.chunks(2)), whole[2:])

    def test_what_lies_past_the_end_is_nothing(self) -> None:
        self.assertEqual(list(Slices(b"abc", ((0, 3),)).chunks(5, 10)), [])


class TopTests(TestCase):
    def top(self, content: bytes, lines: int) -> bytes:
        return bytes(top(content, scan(content), lines))

    def test_the_header_and_some_lines(self) -> None:
        header = PLAIN[: PLAIN.index(b"line")]
        self.assertEqual(self.top(PLAIN, 0), header)
        self.assertEqual(self.top(PLAIN, 1), header + b"line 1\r\n")
        self.assertEqual(self.top(PLAIN, 2), PLAIN)
        self.assertEqual(self.top(PLAIN, 1 << 40), PLAIN)

    def test_an_unfinished_last_line_is_given(self) -> None:
        self.assertEqual(self.top(b"A: b\r\n\r\nx", 1), b"A: b\r\n\r\nx")

    def test_lines_beyond_the_first_window(self) -> None:
        content = b"\r\n" + b"0123456789abcd\r\n" * 40_000
        self.assertEqual(self.top(content, 30_000), content[: 2 + 16 * 30_000])

    def test_the_empty_line_is_added_where_it_is_missing(self) -> None:
        self.assertEqual(self.top(b"A: b", 1), b"A: b\r\n\r\n")
        self.assertEqual(self.top(b"A: b\r\n", 1), b"A: b\r\n\r\n")
        self.assertEqual(self.top(b"", 1), b"\r\n")
        self.assertEqual(self.top(b"A: b\r\ntext\r\n\r\nmore\r\n", 1), b"A: b\r\n\r\ntext\r\n")
        self.assertEqual(self.top(b"A: b\r\ntext", 0), b"A: b\r\n\r\n")
        self.assertEqual(self.top(b"A: b\ntext\nmore", 5), b"A: b\n\ntext\nmore")
        self.assertEqual(self.top(b"text\r\nmore\r\n", 1), b"\r\ntext\r\n")
        self.assertEqual([self.top(b"text", lines) for lines in (0, 1)], [b"\r\n", b"\r\ntext"])


class BinaryTests(TestCase):
    def binary(self, encoding: bytes, body: bytes) -> bytes:
        content = b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: " + encoding + b"\r\n\r\n" + body
        index = scan(content)
        whole = b"".join(binary(content, index, (1,)) or ())
        self.assertEqual(binary_size(content, index, (1,)), len(whole))
        return whole

    def test_base64(self) -> None:
        self.assertEqual(self.binary(b"base64", b"AAEC\r\n/w==\r\nignored"), b"\0\1\2\xff")

    def test_damaged_base64(self) -> None:
        self.assertEqual(self.binary(b"Base64", b"Y W*J\r\nj Z"), b"abc")

    def test_base64_longer_than_a_window(self) -> None:
        self.assertEqual(self.binary(b"base64", b"QUJD\r\n" * 100_000), b"ABC" * 100_000)

    def test_quoted_printable(self) -> None:
        self.assertEqual(self.binary(b"quoted-printable", b"a=3D=e9 =\r\nb  \r\n=zz ="), b"a=\xe9 b\r\n=zz ")

    def test_quoted_printable_longer_than_a_window(self) -> None:
        self.assertEqual(self.binary(b"quoted-printable", b"=C3=A9" * 100_000), "é".encode() * 100_000)

    def test_no_encoding(self) -> None:
        self.assertEqual(self.binary(b"8bit", b"\xff\r\n=3D"), b"\xff\r\n=3D")

    def test_an_unknown_encoding(self) -> None:
        error = self.assertRaises(UnknownEncoding, self.binary, b"X-uuencode", b"x")
        self.assertEqual(error.encoding, b"x-uuencode")

    def test_an_encoding_that_is_no_token(self) -> None:
        self.assertRaises(UnknownEncoding, self.binary, b"base64, 8bit", b"eA==")
        self.assertRaises(UnknownEncoding, self.binary, b"base 64", b"eA==")
        self.assertEqual(self.binary(b"base64;", b"eA=="), b"x")
        self.assertEqual(self.binary(b"", b"eA=="), b"eA==")

    def test_no_such_part(self) -> None:
        self.assertIsNone(binary(PLAIN, scan(PLAIN), (2,)))
        self.assertIsNone(binary_size(PLAIN, scan(PLAIN), (2,)))

    def test_the_whole_message_comes_as_it_is(self) -> None:
        self.assertEqual(b"".join(binary(NESTED, scan(NESTED), ()) or ()), NESTED)
        self.assertEqual(binary_size(NESTED, scan(NESTED), ()), len(NESTED))


class HeaderFieldsTests(TestCase):
    def test_names_values_and_offsets(self) -> None:
        found = list(header_fields(PLAIN))
        self.assertEqual(
            [(f.name, f.value) for f in found],
            [(b"Subject", b"a"), (b"From", b"x\r\n\ty"), (b"SUBJECT", b"b")],
        )
        self.assertEqual([PLAIN[f.start : f.stop][:4] for f in found], [b"Subj", b"From", b"SUBJ"])

    def test_a_header_of_many_windows(self) -> None:
        content = b"".join(b"X%d: " % n + b"y" * n + b"\r\n z\r\n" for n in range(2000)) + b"\r\nBody: x\r\n"
        found = list(header_fields(content))
        self.assertEqual([f.name for f in found], [b"X%d" % n for n in range(2000)])
        self.assertEqual({f.value[-4:] for f in found}, {b"\r\n z"})

    def test_a_field_longer_than_a_window(self) -> None:
        content = b"A: " + b"x" * (1 << 20) + b"\r\nB: y\r\n\r\n"
        self.assertEqual(
            [(f.name, len(f.value)) for f in header_fields(content)], [(b"A", 1 << 20), (b"B", 1)]
        )
