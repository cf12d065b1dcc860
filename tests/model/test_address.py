"""`Address.parse`: what is written between angle brackets, and why something is none."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.model import NULL_PATH, Address
from mailproto.smtp.wire import read_address

GOOD = (
    ("a@b", "a", "b"),
    ("Bob.Smith+tag@Mail.Example.ORG", "Bob.Smith+tag", "Mail.Example.ORG"),
    ("a@x.example.", "a", "x.example"),
    ('"a b"@x', "a b", "x"),
    ('"a@b"@x', "a@b", "x"),
    (r'"a\"\\ b"@x', r'a"\ b', "x"),
    ('""@x', "", "x"),
    ("josé@bücher.example", "josé", "bücher.example"),
    ("علی\u200cرضا@example.ir", "علی\u200cرضا", "example.ir"),
    ("ශ්\u200dරී@ශ්\u200dරී.lk", "ශ්\u200dරී", "ශ්\u200dරී.lk"),
    ("a@[192.0.2.1]", "a", "[192.0.2.1]"),
    ("a@[IPv6:2001:db8::1]", "a", "[IPv6:2001:db8::1]"),
    ("a_b@under_score.example", "a_b", "under_score.example"),
    (f"{'x' * 64}@b", "x" * 64, "b"),
)
BAD = (
    ("a", "no @"),
    ("bob", "no @"),
    ("@x", "nothing before"),
    ("a@", "nothing after"),
    ("a@.", "nothing after"),
    ("<a@b>", "needs quotes"),
    ("Bob <a@b>", "needs quotes"),
    ("a b@x", "needs quotes"),
    ("a@b@x", "needs quotes"),
    ("a..b@x", "needs quotes"),
    ("a.@x", "needs quotes"),
    ("a\r\nb@x", "needs quotes"),
    ('"a\r\nb"@x', "needs quotes"),
    ('"a"b"@x', "needs quotes"),
    ("a\x85@x", "needs quotes"),
    ("a\ud800@x", "needs quotes"),
    ("a\u202eb@x", "U+202E (RIGHT-TO-LEFT OVERRIDE), which cannot be seen"),
    ('"a \u2028b"@x', "U+2028"),
    ("a@b\u200bc", "U+200B"),
    ("a\u200db@x", "U+200D"),
    ("a@x y", "domain is not valid"),
    ("a@x..y", "domain is not valid"),
    ("a@-x", "domain is not valid"),
    ("a@x>", "domain is not valid"),
    ("a@x\n", "domain is not valid"),
    ("a@\udcff", "domain is not valid"),
    (f"a@{'x' * 64}.example", "domain is not valid"),
    ("a@[192.0.2]", "literal"),
    ("a@[192.0.2.1", "literal"),
    ("a@[2001:db8::1]", "literal"),
    ("a@[IPv6:fe80::1%eth0]", "literal"),
    (f"{'x' * 65}@b", "64 octets"),
    (f"a@{'x.' * 127}xx", "255 octets"),
    (f"{'é' * 32}@{'x.' * 99}xx", "254 octets"),
)


class AddressTests(SynchronousTestCase):
    def test_what_is_an_address(self) -> None:
        for text, local, domain in GOOD:
            with self.subTest(text=text):
                self.assertEqual(Address.parse(text), Address(local, domain))
                self.assertEqual(Address.parse(text), read_address(text))

    def test_none(self) -> None:
        self.assertEqual(Address.parse(""), NULL_PATH)
        self.assertEqual(Address.parse("Postmaster"), Address("Postmaster", ""))

    def test_what_is_not(self) -> None:
        for text, why in BAD:
            with self.subTest(text=text):
                error = self.assertRaises(ValueError, Address.parse, text)
                self.assertIn(why, str(error))
                self.assertTrue(str(error).isprintable(), error)

    def test_not_even_text(self) -> None:
        for wrong in (None, b"a@b", 5, Address("a", "b")):
            error = self.assertRaises(TypeError, Address.parse, wrong)
            self.assertEqual(str(error), f"an address must be a str such as 'a@example.org', not {wrong!r}")

    @given(st.text(alphabet='ab.@"\\ [<é\n1:-', max_size=12) | st.text(max_size=6))
    def test_it_is_read_back_as_it_is_written(self, text: str) -> None:
        try:
            address = Address.parse(text)
        except ValueError:
            return
        self.assertEqual(Address.parse(str(address)), address)
        self.assertEqual(read_address(str(address)), address)
