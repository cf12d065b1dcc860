"""Modified UTF-7: one spelling a name."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.imap.wire import _mutf7 as mutf7

PAIRS = {
    "": b"",
    "INBOX": b"INBOX",
    "a&b": b"a&-b",
    "&": b"&-",
    "&&": b"&-&-",
    "é": b"&AOk-",
    "&é": b"&-&AOk-",
    "é&": b"&AOk-&-",
    "~peter/mail/台北/日本語": b"~peter/mail/&U,BTFw-/&ZeVnLIqe-",
    "\U0001f600": b"&2D3eAA-",
    "\x7f": b"&AH8-",
    "é-": b"&AOk--",
}


class ModifiedUTF7Tests(SynchronousTestCase):
    def test_pairs(self) -> None:
        for name, data in PAIRS.items():
            self.assertEqual((mutf7.encode(name), mutf7.decode(data)), (data, name))

    def test_other_spellings_are_refused(self) -> None:
        for data, why in {
            b"\xc3\xa9": "raw octets",
            b"a\tb": "raw control character",
            b"a\x7f": "raw DEL",
            b"a&": "unclosed",
            b"&AOk": "unclosed",
            b"&AOk/": "unclosed",
            b"&AGE-": "a needs no encoding",
            b"&ACY-": "& is &-",
            b"&AOkAYQ-": "a needs no encoding",
            b"&AOk-&AOk-": "one shift would do",
            b"&AOl-": "bits left over",
            b"&AOk=-": "padding",
            b"&A-": "no whole character",
            b"&AO-": "no whole character",
            b"&U/BTFw-": "/ is a comma",
            b"&2D0-": "half of a pair",
            b"&3gA-": "half of a pair",
            b"&AO k-": "not base64",
        }.items():
            with self.assertRaises(ValueError, msg=why):
                mutf7.decode(data)

    def test_lone_surrogates_have_no_encoding(self) -> None:
        self.assertRaises(ValueError, mutf7.encode, "\ud800")

    @given(st.text(st.characters(exclude_categories=["Cs"])))
    @settings(max_examples=200, deadline=None)
    def test_every_name_comes_back(self, name: str) -> None:
        data = mutf7.encode(name)
        self.assertTrue(data.isascii())
        self.assertEqual(mutf7.decode(data), name)

    @given(st.one_of(st.binary(max_size=30), st.text("&-,/+aAOk9=", max_size=20).map(str.encode)))
    @settings(max_examples=300, deadline=None)
    def test_whatever_decodes_is_the_one_spelling(self, data: bytes) -> None:
        try:
            name = mutf7.decode(data)
        except ValueError:
            return
        self.assertEqual(mutf7.encode(name), data)

    def test_much_of_it_takes_linear_time(self) -> None:
        for data in (b"&" * 500_000, b"&AOk-" * 100_000, b"&" + b"A" * 500_000):
            self.assertRaises(ValueError, mutf7.decode, data)
        self.assertEqual(len(mutf7.decode(b"&-" * 250_000)), 250_000)
