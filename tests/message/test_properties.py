"""What holds for any octets: nothing raises, parts nest, sections join up to the whole."""

import os
import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from mailproto.content import Content
from mailproto.message import (
    BYTE_ORDER_MARK,
    Index,
    Part,
    Searchable,
    Section,
    base_subject,
    body,
    decode_header,
    fold,
    header_fields,
    html_text,
    message_ids,
    parse_addresses,
    parse_date,
    preview,
    scan,
    section,
    summarise,
    top,
    utf8_form,
)
from mailproto.message._fields import field_ranges

PIECES = [
    b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"--b", b"--b\r\n", b"--b--\r\n", b"--bb\r\n", b"--bb--", b"--",
    b" ", b"Content-Type: multipart/mixed; boundary=b\r\n",
    b"Content-Type: multipart/digest; boundary=bb\r\n\r\n", b"Content-Type: message/rfc822\r\n\r\n",
    b"Content-Type: text/html; charset=x\r\n", b"MIME-Version: 1.0\r\n",
    b"Content-Transfer-Encoding: base64\r\n", b"Content-Transfer-Encoding: quoted-printable\r\n",
    b"=3D=\r\n", b"Subject: Re: [x] =?utf-8?q?a?= ", b"From: a <b@c>, ", b'To: g: (x) "', b"@", b"<", b">",
    b"(", b")", b"[", b"]", b"\t", b"\\", b'"', b",", b";", b":", b"\0", b"\xff", b"\xc3\xa9", b"x",
    b"10:00", b"<!--", b"Date: Mon, 1 Jan 2026 ",
]  # fmt: skip
messages = st.lists(st.sampled_from(PIECES) | st.binary(max_size=5), max_size=40).map(b"".join)

# The grammar of values in a FETCH response (RFC 9051 9), without what these never hold.
_NSTRING = rb'(?:NIL|"(?:[\x01-\x09\x0b\x0c\x0e-!#-\[\]-\x7f]|\\["\\])*"|[0-9]+)'


def check_value(case: TestCase, value: bytes) -> None:
    """Fail unless ``value`` is one parenthesised list of nstrings, numbers and such lists."""
    token = re.compile(rb"\{([0-9]+)\}\r\n|(\()|(\))|( )|" + _NSTRING)
    depth = at = 0
    while at < len(value):
        match = token.match(value, at)
        if match is None:
            case.fail(f"{value[at : at + 40]!r} in {value!r}")
        at = match.end()
        if match[1]:
            literal = value[at : at + int(match[1])]
            case.assertEqual(len(literal), int(match[1]))
            case.assertNotIn(b"\0", literal)
            at += len(literal)
        depth += bool(match[2]) - bool(match[3])
        case.assertTrue(depth > 0 or at == len(value))
    case.assertEqual(depth, 0)


class AnyOctetsTests(TestCase):
    @settings(max_examples=150, deadline=None)
    @given(messages)
    def test_parts_nest_and_sections_join_up(self, content: bytes) -> None:
        index = scan(content)

        def check(part: Part, path: tuple[int, ...]) -> None:
            self.assertTrue(part.header <= part.body <= part.end)
            at = part.body
            for number, child in enumerate(part.children, 1):
                self.assertTrue(at <= child.header and child.end <= part.end)
                at = child.end
                check(child, (*path, number))

        check(index.root, ())
        self.assertEqual((index.root.header, index.root.end), (0, len(content)))
        for path in [(), (1,), (2,), (1, 1), (1, 2), (2, 1)]:
            whole = section(content, index, Section(path))
            header = section(content, index, Section(path, "HEADER"))
            text = section(content, index, Section(path, "TEXT"))
            if whole is not None and header is not None and text is not None:
                if not path:
                    self.assertEqual(bytes(header) + bytes(text), bytes(whole))
                some = section(content, index, Section(path, "HEADER.FIELDS", (b"Subject", b"x")))
                rest = section(content, index, Section(path, "HEADER.FIELDS.NOT", (b"Subject", b"x")))
                self.assertTrue(some is not None and rest is not None)
                self.assertIn(len(some or b"") + len(rest or b"") - len(header), (0, 1, 2))

    @settings(max_examples=150, deadline=None)
    @given(st.sampled_from((b"", BYTE_ORDER_MARK)), messages, st.integers(0, 1))
    def test_fields_in_memory_are_the_same_fields(self, mark: bytes, rest: bytes, start: int) -> None:
        content = mark + rest
        expected = [
            (field.name.lower(), field.start, field.stop)
            for field in header_fields(content, start, len(content))
        ]
        self.assertEqual(list(field_ranges(content, start)), expected)

    @settings(max_examples=150, deadline=None)
    @given(messages)
    def test_what_is_stored_is_imap(self, content: bytes) -> None:
        envelope, body_structure, stored = summarise(content)
        index = Index.load(stored)
        for value in (envelope, body_structure, body(content, index)):
            check_value(self, value)
            utf8_form(value)
        self.assertEqual(index.dump(), stored)

    @settings(max_examples=40, deadline=None)
    @given(messages)
    def test_a_file_answers_as_its_octets_do(self, content: bytes) -> None:
        name = self.mktemp()
        with open(name, "wb") as file:
            file.write(content)
        spooled = Content.of_file(name, len(content))
        try:
            self.assertEqual(summarise(spooled), summarise(content))
            self.assertEqual(list(header_fields(spooled)), list(header_fields(content)))
            index = scan(content)
            self.assertEqual(bytes(top(spooled, index, 3)), bytes(top(content, index, 3)))
        finally:
            spooled.close()
            os.unlink(name)

    @settings(max_examples=150, deadline=None)
    @given(messages)
    def test_texts_and_keys(self, content: bytes) -> None:
        index = scan(content)
        Searchable(content, index).in_text("X")
        self.assertTrue(len(preview(content, index)) <= 200)
        parse_addresses(content)
        parse_date(content)
        base_subject(content)
        message_ids(content)
        self.assertFalse(set(decode_header(content)) & set("\r\n") - set(content.decode("latin-1")))
        html_text(content.decode("latin-1"))
        self.assertTrue(re.fullmatch(rb"(?:[^\r\n]+\r\n )*[^\r\n]+\r\n", fold(b"X", content)))

    @settings(max_examples=100, deadline=None)
    @given(messages)
    def test_fields_do_not_overlap_and_hold_their_names(self, content: bytes) -> None:
        at = 0
        for name, value, start, stop in header_fields(content):
            self.assertTrue(at <= start < stop <= len(content))
            self.assertTrue(content[start:stop].startswith(name))
            self.assertIn(value, content[start:stop])
            at = stop
