"""Where parts begin and end."""

from pathlib import Path

from twisted.trial.unittest import TestCase

from mailproto.content import Content
from mailproto.message import NESTING_LIMIT, PARTS_LIMIT, Index, Part, scan
from mailproto.message._fields import SECTION_LIMIT


def bodies(content: bytes) -> list[bytes]:
    """The body of each part that has no parts in it."""
    return [content[part.body : part.end] for part in scan(content).parts() if not part.children]


MIXED = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"


class HeaderTests(TestCase):
    def header(self, content: bytes) -> bytes:
        return content[: scan(content).root.body]

    def test_an_empty_line_ends_the_header(self) -> None:
        self.assertEqual(self.header(b"A: b\r\n\r\nbody"), b"A: b\r\n\r\n")

    def test_a_message_may_begin_with_its_body(self) -> None:
        self.assertEqual(self.header(b"\r\nbody"), b"\r\n")
        self.assertEqual(self.header(b"\nbody"), b"\n")

    def test_bare_line_feeds_will_do(self) -> None:
        self.assertEqual(self.header(b"A: b\n\nbody\r\n\r\n"), b"A: b\n\n")

    def test_a_header_without_end_is_the_message(self) -> None:
        self.assertEqual(self.header(b"A: b\r\nC: d"), b"A: b\r\nC: d")

    def test_text_ends_the_header_of_a_message(self) -> None:
        for content in (b"A: b\r\nbody", b"A: b\r\nbody\r\nC: d\r\n\r\n", b"A: b\nbody\n\n"):
            self.assertEqual(self.header(content), content[: content.index(b"body")])
        self.assertEqual(self.header(b"hello\r\nworld\r\n\r\nC: d"), b"")

    def test_it_does_so_however_large_the_message_is(self) -> None:
        for text in (b"body\r\n", b"\r\n"):
            header = b"A: b\r\n" * 1000
            content = header + text + b"x: y\r\n" * 100_000
            path = self.mktemp()
            Path(path).write_bytes(content)
            body = len(header) + (2 if text == b"\r\n" else 0)
            self.assertEqual(scan(content).root.body, body)
            self.assertEqual(scan(Content.of_file(path, len(content))).root.body, body)

    def test_a_header_that_is_too_large_to_look_at_ends_with_an_empty_line(self) -> None:
        for size in range(SECTION_LIMIT - 10, SECTION_LIMIT + 10):
            header = b"A: b\r\n" * (size // 6) + b"C: " + b"d" * (size % 6) + b"\r\n"
            self.assertEqual(self.header(header + b"\r\nbody\r\n\r\n"), header + b"\r\n")

    def test_lines_that_programs_leave_do_not_end_the_header(self) -> None:
        self.assertEqual(self.header(b"From x\r\nA: b\r\n\r\nbody"), b"From x\r\nA: b\r\n\r\n")
        self.assertEqual(self.header(b"A: b\r\nx\r\nTo: b\r\n\r\nbody"), b"A: b\r\nx\r\nTo: b\r\n\r\n")

    def test_nothing_is_a_message(self) -> None:
        self.assertEqual(bodies(b""), [b""])


class MultipartTests(TestCase):
    def test_the_line_end_before_a_boundary_is_the_boundarys(self) -> None:
        self.assertEqual(
            bodies(MIXED + b"--b\r\n\r\none\r\n\r\n--b\r\n\r\ntwo\r\n--b--\r\n"), [b"one\r\n", b"two"]
        )

    def test_preamble_and_epilogue_are_no_parts(self) -> None:
        self.assertEqual(bodies(MIXED + b"pre\r\n--b\r\n\r\none\r\n--b--\r\nepi\r\n--b\r\n\r\nx"), [b"one"])

    def test_a_missing_end(self) -> None:
        self.assertEqual(bodies(MIXED + b"--b\r\n\r\none\r\n"), [b"one\r\n"])

    def test_a_boundary_is_the_beginning_of_a_line(self) -> None:
        self.assertEqual(
            bodies(MIXED + b"--bcd \t\r\n\r\none\r\n --b\r\nx--b\r\n--b--z\r\n"), [b"one\r\n --b\r\nx--b"]
        )

    def test_a_part_without_empty_line_is_header_alone(self) -> None:
        root = scan(MIXED + b"--b\r\nContent-ID: x\r\n--b\r\n\r\ntwo\r\n--b--\r\n").root
        self.assertEqual([part.body == part.end for part in root.children], [True, False])

    def test_an_outer_boundary_ends_what_is_inside(self) -> None:
        inner = b"Content-Type: multipart/mixed; boundary=inner\r\n\r\n--inner\r\n\r\none\r\n"
        self.assertEqual(
            bodies(MIXED + b"--b\r\n" + inner + b"--b\r\n\r\ntwo\r\n--b--\r\n"), [b"one", b"two"]
        )

    def test_the_longest_boundary_that_fits_wins(self) -> None:
        inner = b"Content-Type: multipart/mixed; boundary=bb\r\n\r\n--bb\r\n\r\none\r\n--bb--\r\n"
        content = MIXED + b"--b\r\n" + inner + b"--b\r\n\r\ntwo\r\n--b--\r\n"
        self.assertEqual([len(part.children) for part in scan(content).root.children], [1, 0])

    def test_one_boundary_for_two_levels_belongs_to_the_inner(self) -> None:
        content = MIXED + b"--b\r\n" + MIXED + b"--b\r\n\r\none\r\n--b--\r\n--b--\r\n"
        self.assertEqual(bodies(content), [b"one"])

    def test_a_boundary_that_ends_in_hyphens(self) -> None:
        content = (
            b'Content-Type: multipart/mixed; boundary="b--"\r\n\r\n--b--\r\n\r\none\r\n--b----\r\nepilogue'
        )
        self.assertEqual(bodies(content), [b"one"])

    def test_a_multipart_without_boundary_has_no_parts(self) -> None:
        self.assertEqual(bodies(b"Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\none"), [b"--b\r\n\r\none"])


class MessageTests(TestCase):
    def test_a_message_within(self) -> None:
        content = b"Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\nbody"
        (child,) = scan(content).root.children
        self.assertEqual(content[child.header : child.body], b"Subject: x\r\n\r\n")
        self.assertEqual(content[child.body : child.end], b"body")

    def test_an_internationalised_message_within(self) -> None:
        self.assertEqual(
            len(scan(b"Content-Type: message/global\r\n\r\nSubject: x\r\n\r\n").root.children), 1
        )

    def test_parts_of_a_digest_are_messages(self) -> None:
        header = b"Content-Type: multipart/digest; boundary=b\r\n\r\n"
        digest = header + b"--b\r\n\r\nSubject: x\r\n\r\nbody\r\n--b--\r\n"
        self.assertEqual(bodies(digest), [b"body"])

    def test_lines_are_counted_once_however_deep(self) -> None:
        content = b"Content-Type: message/rfc822\r\n\r\n" * 2 + b"\r\n1\r\n2\r\n"
        self.assertEqual([part.lines for part in scan(content).parts()], [5, 3, 2])


class LimitTests(TestCase):
    def depth(self, content: bytes) -> int:
        return max(part.depth for part in scan(content).parts())

    def test_nested_multiparts(self) -> None:
        level = b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n"
        self.assertEqual(
            self.depth(b"".join(level % (n, n) for n in range(2 * NESTING_LIMIT))), NESTING_LIMIT
        )

    def test_nested_messages(self) -> None:
        self.assertEqual(
            self.depth(b"Content-Type: message/rfc822\r\n\r\n" * 2 * NESTING_LIMIT), NESTING_LIMIT
        )

    def test_parts(self) -> None:
        content = MIXED + b"--b\r\n\r\n\r\n" * (PARTS_LIMIT + 10)
        parts = scan(content).parts()
        self.assertEqual(len(parts), PARTS_LIMIT)
        self.assertEqual(parts[-1].end, len(content))


class IndexTests(TestCase):
    CONTENT = (
        MIXED
        + b"--b\r\nContent-Type: message/rfc822\r\n\r\n"
        + MIXED
        + b"--b\r\n\r\nx\r\n--b--\r\n--b\r\n\r\ny"
    )

    def offsets(self, part: Part) -> object:
        return (
            part.header,
            part.body,
            part.end,
            part.lines,
            part.kind,
            [self.offsets(c) for c in part.children],
        )

    def test_what_was_dumped_is_loaded(self) -> None:
        index = scan(self.CONTENT)
        self.assertEqual(self.offsets(Index.load(index.dump()).root), self.offsets(index.root))

    def test_nothing_else_is_loaded(self) -> None:
        stored = scan(self.CONTENT).dump()
        for broken in (b"", b"x", stored[:-1], stored[:-20], stored + stored[1:], stored[:1]):
            self.assertRaises(ValueError, Index.load, broken)

    def test_a_file_has_the_same_parts(self) -> None:
        name = self.mktemp()
        with open(name, "wb") as file:
            file.write(self.CONTENT)
        content = Content.of_file(name, len(self.CONTENT))
        self.addCleanup(content.close)
        self.assertEqual(scan(content).dump(), scan(self.CONTENT).dump())

    def test_a_boundary_across_windows_of_a_file_is_found(self) -> None:
        body = b"x" * ((1 << 18) - 3)
        whole = MIXED + b"--b\r\n\r\n" + body + b"\r\n--b\r\n\r\n" + body + b"\r\n--b--\r\n"
        name = self.mktemp()
        with open(name, "wb") as file:
            file.write(whole)
        content = Content.of_file(name, len(whole))
        self.addCleanup(content.close)
        self.assertEqual(scan(content).dump(), scan(whole).dump())
        self.assertEqual(len(scan(content).root.children), 2)
