"""Account names: what is one name in many spellings, and what is none."""

from __future__ import annotations

import time
import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.accounts import MAX_COMPARED, account_key, account_keys, check_account_name
from mailproto.auth._saslprep import saslprep
from mailproto.domains import canonical_domain, is_valid_international
from mailproto.errors import InvalidAccountName

ONE = (
    ("alice@example.org", "ALICE@EXAMPLE.ORG", "alice@example.org.", "Alice@Example.org."),
    ("josé@example.org", "jose\u0301@example.org", "JOSÉ@example.org", "JOSE\u0301@example.org"),
    ("straße@example.org", "STRASSE@example.org", "STRA\u1e9eE@example.org"),
    ("νίκος@example.org", "ΝΊΚΟΣ@example.org", "νίκοσ@example.org", "ΝΙ\u0301ΚΟΣ@example.org"),
    ("alice@example.org", "ａｌｉｃｅ@example.org", "ＡLICE@ｅxample．org", "alice＠example.org"),
    ("ﬁsh@example.org", "fish@example.org", "ＦＩsh@example.org"),
    ("kg@example.org", "\u212ag@example.org", "㎏@example.org"),
    ("ᾳ@example.org", "α\u0345@example.org", "ΑΙ@example.org", "αι@example.org"),
    ("\u03ac\u0345\u0301@example.org", "α\u0301\u0301ι@example.org", "\u1fb4\u0301@example.org"),
    ("\u1e69@example.org", "s\u0323\u0307@example.org", "s\u0307\u0323@example.org"),
    ("각@example.org", "\u1100\u1161\u11a8@example.org"),
    ("ガ@example.org", "ｶﾞ@example.org", "カ\u3099@example.org"),
    (
        "zoë@bücher.example",
        "zoe\u0308@xn--bcher-kva.example",
        "ZOË@BU\u0308CHER.EXAMPLE.",
        "zoë@XN--BCHER-KVA.Example",
        "zoë@bücher。example",
    ),
    ("a@b_c.bücher.example", "a@B_C.xn--bcher-kva.example"),
    ("a@ΒΌΛΟΣ.example", "a@βόλοσ.example", "a@xn--nxasmq6b.example"),
    ("a@straße.example", "a@xn--strae-oqa.example"),
    ("alice", "ALICE", "ａlice"),
    ("alice.", "ALICE."),
    ("a@[IPv6:::1]", "A@[ipv6:::1]"),
)
"""Of each, all are one."""

OTHERS = (
    # The dotless i is a letter of its own, in every language; so is the capital with the dot.
    ("i@example.org", "ı@example.org", "İ@example.org"),
    ("alice@example.org", "al\u200bice@example.org", "alice@example.com", "alice.@example.org", "alice"),
    ("a@straße.example", "a@strasse.example"),  # two domains (RFC 5892)
    ("a@βόλος.example", "a@βόλοσ.example"),
    ("p\u0430ypal@example.org", "paypal@example.org"),  # a Cyrillic letter
    ("jose@example.org", "josé@example.org"),
)
"""Of each, no two are one."""

VISIBLE = (
    "alice@example.org",
    "o'brien+tag@example.org",
    "用户@例え.jp",
    "שלום@example.org",
    "❤@example.org",
    "नमस्ते@example.org",
    "a@نامه\u200cای.com",
    "alice",
    "a@xn--bcher-kva.example",
)

INVISIBLE = (
    *"\0\t\n\r\x1f\x7f\x85\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b\u180e\u2000\u2007",
    *"\u2009\u200a\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202a\u202c\u202e\u202f\u205f\u2060\u2061",
    *"\u2064\u2066\u2069\u206a\u206f\u2800\u3000\u3164\ue000\ufe00\ufe0f\ufeff\uffa0\ufff9\ufffe\ud800",
    *"\U0001bca0\U0001d159\U0001d173\U000e0001\U000e0020\U000e0061\U000e0100\U000f0000\U0010ffff\u0378 ",
)


class KeyTests(SynchronousTestCase):
    def test_one(self) -> None:
        for names in ONE:
            for name in names:
                with self.subTest(name=ascii(name)):
                    self.assertEqual(account_key(name), account_key(names[0]))

    def test_others(self) -> None:
        for names in OTHERS:
            self.assertEqual(len(set(map(account_key, names))), len(names), names)

    def test_what_cannot_be_seen_is_no_spelling(self) -> None:
        """Of a domain neither, where IDNA leaves it out (UTS 46 4)."""
        for character in INVISIBLE:
            for name in (f"alice@ex{character}ample.org", f"al{character}ice@example.org"):
                with self.subTest(name=ascii(name)):
                    self.assertNotEqual(account_key(name), "alice@example.org")
                    self.assertNotEqual(account_keys(*name.split("@"))[-1], "alice@example.org")

    def test_addresses(self) -> None:
        self.assertEqual(
            account_keys("Alice+X", "Example.org."), ["alice+x@example.org", "alice@example.org"]
        )
        self.assertEqual(account_keys("ａ＋x", "b.c"), ["a+x@b.c", "a@b.c"])
        for local in ("+x", "alice", "alice+"):
            expected = [f"{local}@b.c"] + (["alice@b.c"] if local == "alice+" else [])
            self.assertEqual(account_keys(local, "b.c"), expected)
        self.assertEqual(account_keys("a@b", "c"), ["a@b@c"])

    @settings(max_examples=500, deadline=None)
    @given(
        st.text(max_size=12),
        st.sampled_from(["", "@example.org", "@bücher.example", "@ü..@", "@❤.x", "@É\u200b.\u00adE"]),
    )
    def test_any_text(self, local: str, domain: str) -> None:
        """The key of a key is the key, and neither composition nor what SASLprep does changes it."""
        name = local + domain
        key = account_key(name)
        spellings = [key] + [unicodedata.normalize(form, name) for form in ("NFC", "NFD", "NFKC", "NFKD")]
        for spelling in spellings:
            self.assertEqual(account_key(spelling), key, ascii(spelling))
        # Folding makes "ss" of an "ß"; in a domain they differ (RFC 5894 7.2), and so do final sigmas.
        if not set("ßẞς").intersection(unicodedata.normalize("NFKC", name).rpartition("@")[2]):
            self.assertEqual(account_key(unicodedata.normalize("NFD", name).casefold()), key)

    @settings(max_examples=500, deadline=None)
    @given(st.text(max_size=12))
    def test_as_scram_sends_it(self, local: str) -> None:
        try:
            name = check_account_name(f"{local}@example.org")
            prepared = saslprep(name)
        except (InvalidAccountName, ValueError):
            return
        self.assertEqual(account_key(prepared), account_key(name))

    def test_a_domain_that_is_too_long_for_one_takes_no_time(self) -> None:
        self.assertTrue(is_valid_international("日." * 50 + "example"))
        began = time.process_time()
        self.assertFalse(is_valid_international("İ." * 30_000 + "example"))
        self.assertLess(time.process_time() - began, 0.05)  # 0.25 s, if each label were looked at

    def test_takes_no_time(self) -> None:
        """What a client may send as a name is some 10,000 octets."""
        marks = "\u0301\u0316"
        for text in (
            marks * 5000,
            marks * (MAX_COMPARED // 2 - 1),
            "é." * 500,
            "❤é_." * 200,
            "a_é." * 5000,
            "\ufdfa" * 1000,
            "\u0628\u0660." * 300,
            "@" * 10_000 + "é",
        ):
            for name in (text, f"x@{text}", f"{text[:500]}@{text[:500]}"):
                canonical_domain.cache_clear()
                began = time.process_time()
                account_key(name)
                account_keys(name, "example.org")
                self.assertLess(time.process_time() - began, 0.1, ascii(name[:10]))


class CheckTests(SynchronousTestCase):
    def test_what_can_be_seen(self) -> None:
        for name in VISIBLE:
            self.assertEqual(check_account_name(unicodedata.normalize("NFD", name)), name)

    def test_what_cannot_be_seen(self) -> None:
        for character in INVISIBLE:
            for name in (
                f"al{character}ice@example.org",
                f"{character}alice@example.org",
                f"a@ex{character}a.org",
            ):
                with self.subTest(name=ascii(name)):
                    error = self.assertRaises(InvalidAccountName, check_account_name, name)
                    assert isinstance(error, InvalidAccountName)
                    self.assertIn(f"U+{ord(character):04X}", error.text)
                    self.assertTrue(error.text.isascii() and error.text.isprintable(), error.text)

    def test_what_is_another_character_in_another_spelling(self) -> None:
        for name in (
            "",
            "a\u00a8@example.org",
            "a＠b@example.org",
            "alice＠example.org",
            "x" * 2000,
            "a\u00b4@x.y",
        ):
            self.assertRaises(InvalidAccountName, check_account_name, name)
