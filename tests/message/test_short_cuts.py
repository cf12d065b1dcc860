"""What is read in a quicker way, because most mail is plain, is what the careful way reads."""

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.content import Content
from mailproto.message import base_subject, is_reply, parse_addresses, scan
from mailproto.message._envelope import envelope_steps
from mailproto.message._fields import ends_of_header
from mailproto.message._header_section import plain_header_end
from mailproto.message._ids import first_and_nearest_ids, message_ids
from mailproto.message._quote import nstring_text, string
from mailproto.message._steps import finish

ADDRESSES = [
    b"a@b", b"<a@b.c>", b"n <a@b>", b'"n m" <a.b@c>', b'"n  m" <a@b>', b'" n" <a@b>', b'"n " <a@b>',
    b'"n\tm" <a@b>', b'"" <a@b>', b"n m. <a@b>", b"n  m <a@b>", b"g: a@b;", b"a@b (c)", b"a@[192.0.2.1]",
    b"\xc3\xa9 <a@b>", b'"\xc3\xa9" <a@b>', b"n\x01 <a@b>", b'"n\x7f" <a@b>', b'"n\\"" <a@b>', b'"a"@b',
    b"a..b@c", b"a@b..c", b"<@r:a@b>", b"<a@b", b"x", b"", b" ",
]  # fmt: skip
BETWEEN = [b",", b", ", b",\n\t", b" , ", b";", b",,"]
LINES = [
    b"From: a\r\n", b"Subject: x\n", b"\tfolded\r\n", b" \r\n", b"\r\n", b"\n", b"\r", b"no field\r\n",
    b"From x\r\n", b">From x\r\n", b"\xef\xbb\xbf", b"a b: c\r\n", b": c\r\n", b"\xff: c\r\n", b"To:", b"x",
]  # fmt: skip
IDS = [
    b"<a@b>", b"<c@d>", b"<a b@c>", b'<"a"@b>', b"<>", b"<", b">", b"(<e@f>)", b"<g (h)@i>", b"<a>", b" ",
    b"\n\t", b"x", b"<\xc3\xa9@b>", b"<a<b>",
]  # fmt: skip


def joined(pieces: list[bytes], most: int = 12) -> st.SearchStrategy[bytes]:
    return st.lists(st.sampled_from(pieces) | st.binary(max_size=2), max_size=most).map(b"".join)


class ShortCutTests(SynchronousTestCase):
    @given(st.lists(st.sampled_from(ADDRESSES), max_size=5), st.sampled_from(BETWEEN))
    @example([b"a@b"], b",")
    @example([b"a@b", b""], b",")
    def test_addresses_are_shown_as_they_are_parsed(self, addresses: list[bytes], between: bytes) -> None:
        value = between.join(addresses)
        shown = b"".join(
            b"(%b %b %b %b)"
            % (
                nstring_text(name),
                b"NIL" if route is None else string(route),
                b"NIL" if local is None else string(local),
                b"NIL" if host is None else string(host),
            )
            for name, route, local, host in parse_addresses(value)
        )
        envelope = finish(envelope_steps({b"to": [value]}, len(value)))
        self.assertEqual(
            envelope, b"(NIL NIL NIL NIL NIL %b NIL NIL NIL NIL)" % (b"(%b)" % shown if shown else b"NIL")
        )

    @given(joined(LINES))
    @example(b"From: a\r\n\r\nx")
    @example(b"From: a\r\n\nx")
    @example(b"From: a\n\r")
    def test_the_end_of_a_plain_header(self, content: bytes) -> None:
        careful = ends_of_header(Content(content), 0, len(content))
        self.assertIn(plain_header_end(content, len(content)), (-1, careful))
        self.assertEqual(ends_of_header(content, 0, len(content)), careful)

    def test_what_a_plain_header_is(self) -> None:
        for content, end in (
            (b"From: a\r\n b\r\nTo: c\r\n\r\ntext\r\n", 22),
            (b"From: a\n\ntext", 9),
            (b"From: a\r\nno field\r\n\r\n", -1),
            (b"no field\r\nFrom: a\r\n\r\n", -1),
            (b"From: a\r\n", -1),
        ):
            with self.subTest(content):
                self.assertEqual(plain_header_end(content, len(content)), end)
        self.assertEqual(plain_header_end(b"From: a\r\n\r\n", 10), -1)

    @given(joined(IDS, 40))
    def test_ids_of_long_threads(self, value: bytes) -> None:
        found = message_ids(value)
        few = first_and_nearest_ids(value, 10)
        self.assertLessEqual(set(few), set(found))
        if len(found) <= 10 and value.count(b"<") <= 10:
            self.assertEqual(few, list(dict.fromkeys(found)))

    def test_subjects_of_replies(self) -> None:
        for subject, base, reply in (
            (b"Re: of the week", "of the week", True),
            (b"rE: of the week", "of the week", True),
            (b"Re:  of the week", "of the week", True),
            (b"Re: re: of the week", "of the week", True),
            (b"Re: ", "", True),
            (b"Re of the week", "Re of the week", False),
            (b"Re: =?utf-8?q?a?=", "a", True),
        ):
            with self.subTest(subject):
                self.assertEqual((base_subject(subject), is_reply(subject)), (base, reply))

    @given(joined([b"\n", b"\r\n", b"a", b"\r"], 30))
    def test_lines_are_counted_in_small_and_large_messages(self, text: bytes) -> None:
        header = b"Subject: x\r\n\r\n"
        large = b"b" * (1 << 16)
        self.assertEqual(scan(header + text).root.lines, text.count(b"\n"))
        self.assertEqual(scan(header + text + large).root.lines, text.count(b"\n"))
