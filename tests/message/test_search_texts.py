"""What a search index keeps of a message is what SEARCH finds when it reads the message."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.message import INDEXED_LIMIT, Searchable, header_values, is_indexed_key, scan, search_key
from mailproto.message._search_texts import search_texts

_ODD = "ab A\r\n\t \x00\x01\xa0\u00adéßǆ明天\u3000İ\U0001f600"

texts = st.text(st.sampled_from(_ODD), max_size=30)
lines = st.lists(texts.map(lambda text: text.replace("\n", "\n ").replace("\r", "\r ")), max_size=4)
names = st.sampled_from(["Subject", "From", "To", "Cc", "X-Other", "Message-ID"])
bodies = st.builds(
    lambda kind, text, repeat: f"Content-Type: {kind}\r\n\r\n{text * repeat}",
    st.sampled_from(
        [
            "text/plain; charset=utf-8",
            "text/html; charset=utf-8",
            "message/rfc822",
            "application/pdf",
            'multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nab A\r\n--b',
        ]
    ),
    texts,
    st.sampled_from([1, 1, 1, 2000]),
)


class SearchTextsTests(SynchronousTestCase):
    @given(st.lists(st.tuples(names, texts), max_size=4), bodies, texts)
    @settings(max_examples=150, deadline=None)
    def test_a_key_is_in_the_texts_if_a_search_finds_it(
        self, fields: list[tuple[str, str]], body: str, sought: str
    ) -> None:
        header = "".join(f"{name}: {value.replace(chr(10), chr(10) + ' ')}\r\n" for name, value in fields)
        content = (header + body).encode()
        index = scan(content)
        texts_ = search_texts(content, index)
        values = header_values(content, index)
        assert texts_ is not None
        keys = {search_key(sought), *(search_key(sought[at : at + 2]) for at in range(len(sought)))}
        for key in keys:
            searchable = Searchable(content, index)
            if is_indexed_key(key):
                self.assertEqual(key in texts_.body, searchable.in_body(key), repr(key))
                self.assertEqual(
                    key in texts_.header or key in texts_.body, searchable.in_text(key), repr(key)
                )
            for name in (b"x-other", b"subject", b"reply-to"):
                if searchable.in_header(name, key):  # then it may be found by its texts
                    self.assertIn(name.decode().upper(), texts_.header)
                    self.assertTrue(not is_indexed_key(key) or key in texts_.header, repr(key))
            if "\0" in key:
                continue
            for name, value in ((b"subject", values.subject), (b"message-id", values.message_id)):
                self.assertEqual(
                    value is not None and key in value, searchable.in_header(name, key), repr(key)
                )
            for name, value in ((b"from", values.from_), (b"to", values.to), (b"cc", values.cc)):
                self.assertEqual(
                    value is not None and key in value, searchable.in_addresses(name, key), repr(key)
                )

    def test_too_much_text_is_left_to_the_search(self) -> None:
        for size, is_kept in ((INDEXED_LIMIT // 2, True), (INDEXED_LIMIT + 1, False)):
            content = b"\r\n" + b"0123456789abcdef" * (size // 16 + 1)
            self.assertEqual(search_texts(content, scan(content)) is not None, is_kept)

    def test_keys_of_blanks_or_nul_cannot_be_looked_up(self) -> None:
        for text, is_indexed in (("", False), (" ", False), ("a\0b", False), (" a", True), ("a\r\n b", True)):
            self.assertEqual(is_indexed_key(search_key(text)), is_indexed, repr(text))


class HeaderValuesTests(SynchronousTestCase):
    def test_values_of_a_reply(self) -> None:
        content = (
            b"From: =?utf-8?q?J=C3=BCrgen?= <J@x.org>, Ann <ann@x.org>\r\nTo: team: bob@x.org;\r\n"
            b"Subject: Re: [list] fwd: caf\xc3\xa9 (fwd)\r\nDate: Mon, 2 Mar 2026 23:30:00 -0500\r\n"
            b'Message-ID: <"own"@x>\r\nReferences: <a@x> <b@x>\r\nIn-Reply-To: <c@x>\r\n\r\n'
        )
        values = header_values(content, scan(content))
        self.assertEqual(values.base_subject, "CAFE\u0301")
        self.assertTrue(values.is_reply)
        self.assertEqual(values.display_from, "JU\u0308RGEN")
        self.assertEqual(values.sort_from, "J")
        self.assertEqual(values.sent, 1_772_512_200)
        self.assertEqual(values.day, 739_677)
        self.assertEqual(len(values.references), 16)
        other = b"Message-ID: <own@x>\r\n\r\n"
        self.assertEqual(header_values(other, scan(other)).id, values.id)

    def test_values_of_nothing(self) -> None:
        values = header_values(b"", scan(b""))
        self.assertEqual(
            values,
            (None, None, None, None, None, None, None, None, "", False, "", "", "", "", "", 0, b""),
        )

    def test_many_references_are_limited(self) -> None:
        content = b"References: " + b" ".join(b"<%d@x>" % at for at in range(10_000)) + b"\r\n\r\n"
        self.assertEqual(len(header_values(content, scan(content)).references), 8 * 1000)
