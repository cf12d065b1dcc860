"""Charsets, label by label and code by code, beside the WHATWG Encoding Standard."""

import codecs
import encodings
import hashlib
import re

import webencodings
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from mailproto.message import (
    Searchable,
    casemap,
    decode_header,
    decode_text,
    parameter_text,
    scan,
    supported_charset,
)
from mailproto.message._labels import decoder_for

DAMAGE = "\N{REPLACEMENT CHARACTER}"

# SHA-256, its first half of a half, of the characters of each index of the standard, in the
# order of their codes: 256 octets of the encodings of one octet a character, of the others how
# many pairs are characters and these.
SINGLE = {
    "ibm866": "3c8cc5cb485f93d2",
    "iso-8859-2": "a5871b0f978b840b",
    "iso-8859-3": "e83895f2b7d7b82b",
    "iso-8859-4": "449076e20ebf45eb",
    "iso-8859-5": "9f31ddc0f7444afa",
    "iso-8859-6": "beba4e6cf97dce83",
    "iso-8859-7": "71069977a6798ab7",
    "iso-8859-8": "b43535e7aaeb7bcf",
    "iso-8859-8-i": "b43535e7aaeb7bcf",
    "iso-8859-10": "282514fbd01219c4",
    "iso-8859-13": "4426f6d2f1b025cd",
    "iso-8859-14": "f03afb7e01e66cac",
    "iso-8859-15": "9b58b26dbd8fbff2",
    "iso-8859-16": "2de1faef4dc524c9",
    "koi8-r": "fb0243455e64ef70",
    "koi8-u": "896c218aaf12ca1b",
    "macintosh": "54112bce885d7b1a",
    "windows-874": "6a2c7940c3d68216",
    "windows-1250": "03772ed2e875bd12",
    "windows-1251": "b16600cf4e6d1a2d",
    "windows-1252": "cc916e51644a12e8",
    "windows-1253": "e4570135cbc6e3d5",
    "windows-1254": "4a8e99647c3e28e6",
    "windows-1255": "870c5c5e687fabcd",
    "windows-1256": "6f6e8626197b1b6b",
    "windows-1257": "d19a4e888879e36a",
    "windows-1258": "e79b48db126bc71d",
    "x-mac-cyrillic": "784db55e1c90195e",
    "x-user-defined": "fb4341fe90799717",
}
PAIRS = {
    "gb18030": (23940, "85373408efe24c65"),
    "big5": (18594, "e7920b36af3300c6"),
    "euc-jp": (7399, "05cc975946f31864"),
    "shift_jis": (17668, "c474826fcf334efc"),
    "euc-kr": (17048, "f49bf642f090c1ce"),
}
JIS0208 = (7336, "a217d8755e0832bc")
JIS0212 = (6067, "6ad3bfa0c33c357e")


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def pairs(decode, leads: range, trails: range, before: bytes = b"", after: bytes = b"") -> list[str]:  # type: ignore[no-untyped-def]
    """What each pair of octets is, but for those that are damage."""
    texts = [decode(before + bytes((lead, trail)) + after) for lead in leads for trail in trails]
    return [text for text in texts if DAMAGE not in text]


class IndexTests(TestCase):
    """The whole of each index of the standard."""

    def decoder(self, name: str):  # type: ignore[no-untyped-def]
        decoder = decoder_for(name)
        assert decoder is not None, name
        return decoder.lenient

    def test_encodings_of_one_octet(self) -> None:
        for name, expected in SINGLE.items():
            decode = self.decoder(name)
            self.assertEqual(
                digest("".join([decode(bytes((octet,))) for octet in range(256)])), expected, name
            )

    def test_encodings_of_two_octets(self) -> None:
        for name, (count, expected) in PAIRS.items():
            found = pairs(self.decoder(name), range(0x81, 0xFF), range(0x40, 0x100))
            self.assertEqual((len(found), digest("".join(found))), (count, expected), name)

    def test_jis_x_0208_in_iso_2022_jp(self) -> None:
        for escape in (b"\x1b$B", b"\x1b$@"):
            found = pairs(
                self.decoder("iso-2022-jp"), range(0x21, 0x7F), range(0x21, 0x7F), escape, b"\x1b(B"
            )
            self.assertEqual((len(found), digest("".join(found))), JIS0208)

    def test_jis_x_0212_in_euc_jp(self) -> None:
        found = pairs(self.decoder("euc-jp"), range(0xA1, 0xFF), range(0xA1, 0xFF), b"\x8f")
        self.assertEqual((len(found), digest("".join(found))), JIS0212)

    def test_gb18030_has_all_of_unicode(self) -> None:
        text = "\N{EURO SIGN}\u0080\u0452\uffff\U00010000\U0010ffff\u9fb4\ufe10\u1e3f"
        self.assertEqual(decode_text(text.encode("gb18030"), "gb18030"), text)


class LabelTests(TestCase):
    def assert_same(self, label: str, name: str) -> None:
        found = decoder_for(label)
        self.assertIsNotNone(found, label)
        self.assertIs(found, decoder_for(name), (label, name))

    def test_each_label_of_the_standard(self) -> None:
        self.assertGreaterEqual(len(webencodings.LABELS), 228)  # type: ignore[attr-defined]
        for label, name in webencodings.LABELS.items():  # type: ignore[attr-defined]
            if name != "replacement":
                spelt = (label.replace("-", "_"), label.replace("_", "-"), f"x-{label}")
                for written in (label, label.upper(), f' "{label}"\t', *spelt):
                    if label not in ("ascii", "us-ascii", "ansi_x3.4-1968"):
                        self.assert_same(written, name)
            elif label != "replacement" and not label.startswith("iso-2022-cn"):
                self.assertTrue(supported_charset(label), label)

    def test_supersets(self) -> None:
        for label, octets, text in (
            ("iso-8859-1", b"\x80\x9f", "€Ÿ"),
            ("iso-8859-9", b"\x80\xfd", "€ı"),
            ("iso-8859-11", b"\x80\xa1", "€ก"),
            ("tis-620", b"\x85\xa1", "…ก"),
            ("gb2312", b"\x81\x40\xa2\xe3\x80", "丂€€"),
            ("gbk", "𠀀".encode("gb18030"), "𠀀"),
            ("ks_c_5601-1987", "똠".encode("cp949"), "똠"),
            ("euc-kr", "똠".encode("cp949"), "똠"),
            ("shift_jis", "①㈱髙".encode("cp932"), "①㈱髙"),
            ("euc-jp", b"\xad\xa1\xad\xea\xfc\xe2\x8f\xb0\xa1", "①㈱髙丂"),
            ("iso-2022-jp", b"\x1b$B-!-j|b\x1b(B \x1b(I1\x1b(J\\\x1b(B", "①㈱髙 ｱ¥"),
            ("big5", "宏碁".encode("cp950") + b"\xa3\xe1\x87\x7a\x88\x62", "宏碁€㡵Ê̄"),
            ("koi8-u", b"\xae\xbe", "ўЎ"),
            ("windows-1255", b"\xca", "\u05ba"),
            ("macintosh", b"\xdb", "€"),
            ("ibm866", b"\xf0", "Ё"),
            ("iso-8859-8-i", b"\xe0", "א"),
            ("x-user-defined", b"a\x80", "a\uf780"),
            ("utf-16", b"a\0", "a"),
            ("utf-16", b"\xfe\xff\0a", "a"),
            ("utf-16be", b"\0a", "a"),
            ("unicode", b"a\0", "a"),
        ):
            self.assertEqual(decode_text(octets, label), text, label)

    def test_charsets_of_before_the_web_which_the_standard_replaces(self) -> None:
        for label, octets, text in (
            ("iso-2022-kr", b"\x1b$)C\x0e0!\x0f a", "가 a"),
            ("csISO2022KR", b"\x0e0!\x0f a", "가 a"),  # as in an encoded word, without the designation
            ("hz-gb-2312", b"~{VPND~} ~~ a", "中文 ~ a"),
            ("HZ", b"~{VP\na", "中\na"),
            ("utf-7", b"+ZeVnLIqe- a", "日本語 a"),
            ("unicode-1-1-utf-7", b"1 +- 1 +ZeU-", "1 + 1 日"),
            ("x-unicode-2-0-utf-7", b"+2AA- a", DAMAGE + " a"),
            ("iso-2022-jp-2", b"\x1b$A0!\x1b$(C0!\x1b(B", "啊가"),
        ):
            self.assertEqual(decode_text(octets, label), text, label)

    def test_spellings(self) -> None:
        for label, name in (
            ("latin-1", "windows-1252"), ("iso8859_1", "windows-1252"), ("ISO_8859-1:1987", "windows-1252"),
            ("iso-8859-1-windows-3.1-latin-1", "windows-1252"), ("cp-1252", "windows-1252"),
            ("ansi_x3.110-1983", "windows-1252"), ("win1251", "windows-1251"), ("cp 1251", "windows-1251"),
            ("windows-28592", "iso-8859-2"), ("iso-8859-6-e", "iso-8859-6"), ("x-cp866", "ibm866"),
            ("cp-850", "cp850"), ("IBM850", "cp850"), ("IBM00858", "cp858"), ("x-mac-ce", "mac-latin2"),
            ("x-windows-949", "euc-kr"), ("uhc", "euc-kr"), ("euc_kr", "euc-kr"), ("x-euc-kr", "euc-kr"),
            ("cp950", "big5"), ("x-windows-950", "big5"), ("big5hkscs", "big5"), ("x-big5", "big5"),
            ("cp936", "gbk"), ("windows-936", "gbk"), ("euc-cn", "gbk"), ("GB18030-2000", "gb18030"),
            ("windows-932", "shift_jis"), ("Windows-31J", "shift_jis"), ("cp51932", "euc-jp"),
            ("eucJP-ms", "euc-jp"), ("cp50220", "iso-2022-jp"), ("x-cp50221", "iso-2022-jp"),
            ("iso2022jp", "iso-2022-jp"), ("iso-2022-jp-1", "iso-2022-jp"), ("ISO-2022-JP-MS", "iso-2022-jp"),
            ("UTF8", "utf-8"), ("utf_8", "utf-8"), ("utf 8", "utf-8"), ("utf-8;", "utf-8"),
            ("'utf-8'", "utf-8"), ("charset=utf-8", "utf-8"), ("=utf-8", "utf-8"), ("x-utf-8", "utf-8"),
            ("unicode-1-1-utf-8", "utf-8"), ("utf8mb4", "utf-8"), ("cp65001", "utf-8"), ("cp65000", "utf-7"),
            ("us", "us-ascii"), ("646", "us-ascii"), ("iso-ir-6", "us-ascii"), ("cp20127", "us-ascii"),
            ("ISO_646.irv:1991", "us-ascii"), ("unknown-8bit", "us-ascii"), ("", "us-ascii"),
            (' "" ', "us-ascii"),
        ):  # fmt: skip
            self.assert_same(label, name)

    def test_what_names_no_charset(self) -> None:
        for label in (
            "x-none", "base64", "zlib", "rot13", "idna", "unicode_escape", "mbcs", "replacement", "cp99999",
            "iso-8859-12", "\0", "\udc80", "é", "-", "x-", "a" * 65, "utf-8" + " " * 60, "iso-2022-cn",
        ):  # fmt: skip
            self.assertFalse(supported_charset(label), label)
            self.assertEqual(decode_text(b"a\xc3\xa9", label), "aé", label)
            self.assertEqual(decode_text(b"a\xe9", label), "aé", label)

    def test_names_that_are_unknown_are_not_remembered_for_ever(self) -> None:
        before = len(encodings._cache)  # type: ignore[attr-defined]
        for number in range(300):
            decode_text(b"x", f"x-{number}-{number}")
        self.assertEqual(len(encodings._cache), before)  # type: ignore[attr-defined]


class DamageTests(TestCase):
    """Damage costs one replacement character, and no neighbour."""

    def test_in_each_encoding(self) -> None:
        for label, good in (
            ("big5", "中文"), ("gbk", "中文"), ("gb18030", "中文"), ("euc-kr", "한글"),
            ("shift_jis", "日本"), ("euc-jp", "日本"), ("johab", "한글"),
        ):  # fmt: skip
            encoded = good.encode(label)
            for damage, kept in (
                (b"\xff", DAMAGE),
                (b"\xfc ", DAMAGE + " "),
                (b"\xfc\r\n", DAMAGE + "\r\n"),
                (b"\x81\xff" if label != "euc-jp" else b"\xa9\xff", DAMAGE),
            ):
                self.assertEqual(
                    decode_text(encoded + damage + encoded, label), good + kept + good, (label, damage)
                )
            self.assertEqual(decode_text(encoded + encoded[:1], label), good + DAMAGE, label)

    def test_a_character_that_is_none_in_the_middle_of_a_line(self) -> None:
        for label, octets, text in (
            ("big5", b"\xa4\xa4\xc8\xff\xa4\xa4\xa4\xe5", "中%s中文"),
            ("euc-kr", b"\xb0\xa1\xc9\xa1\xb0\xa1\xb0\xa1", "가%s가가"),
            ("euc-jp", b"\xc6\xfc\xa9\xa1\xcb\xdc\xc6\xfc", "日%s本日"),
            ("euc-jp", b"\xc6\xfc\x8f\xa1\xa1\xcb\xdc", "日%s本"),
            ("euc-jp", b"\xc6\xfc\x8f\xb0 a", "日%s a"),
            ("shift_jis", b"\x93\xfa\x85\x9f\x96\x7b", "日%s本"),
            ("shift_jis", b"\x93\xfa\xa0\x96\x7b", "日%s本"),
            ("gb18030", b"\xd6\xd0\xfe\x39\xfe\x39\xce\xc4", "中%s文"),
            ("gb18030", b"\xd6\xd0\x81\x30a", "中%s0a"),
            ("iso-2022-jp", b'\x1b$BF|"~K\\\x1b(Ba', "日◯本a"),
            ("iso-2022-jp", b"\x1b$BF|)!K\\\x1b(Ba", "日%s本a"),
            ("iso-2022-jp", b"\x1b$BF|K\x1b(Ba", "日%sa"),
            ("iso-2022-jp", b"\x1b$BF| K\\\n\x1b(Ba", "日 本\na"),
            ("iso-2022-jp", b"\x1b$BF|K\xff\x1b(Ba", "日%sa"),
            ("iso-2022-jp", b"\x1b[1ma\x1b$BF|\x1b(Ba", "%s[1ma日a"),
            ("iso-2022-jp", b"\x1b(I1`2\x1b(Ba", "ｱ%sｲa"),
            ("iso-2022-jp", b"a\x1b\x1b$BF|", "a%s日"),
            ("iso-2022-kr", b"\x1b$)C\x0e0!~~0!\x0fa", "가%s가a"),
            ("hz", b"~{VP)!ND~}a", "中%s文a"),
            ("hz", b"~x ~{VP~}", "%sx 中"),
            ("utf-7", b"1 + 1 +ZeU-", "1 %s 1 日"),
            ("utf-7", b"+ZeVnL!a", "日%s!a"),
        ):
            # A Latin letter that is no ASCII would be a sign of UTF-8.
            self.assertEqual(decode_text(octets, label), text.replace("%s", DAMAGE), (label, octets))

    def test_one_character_that_python_does_not_know(self) -> None:
        octets = bytes.fromhex("1B24422D211B28422061626320 1B2442467C4B5C1B2842")
        self.assertEqual(decode_text(octets, "ISO-2022-JP"), "① abc 日本")
        content = b"Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n" + octets
        found = Searchable(content, scan(content))
        for key in ("日本", "abc", "①"):
            self.assertTrue(found.in_body(casemap(key)), key)

    def test_japanese_and_korean_of_which_nothing_is_said(self) -> None:
        for octets, text in (
            (b"\x1b$BF|K\\\x1b(B", "日本"),
            (b"\x1b$)C\n\x0e0!\x0f", "\n가"),
            (b"\x1b[1m", "\x1b[1m"),
        ):
            for label in ("", "us-ascii", "x-none"):
                self.assertEqual(decode_text(octets, label), text)

    def test_a_byte_order_mark_says_more_than_the_label(self) -> None:
        for octets in (b"\xef\xbb\xbf\xc3\xa9", b"\xff\xfe\xe9\x00", b"\xfe\xff\x00\xe9"):
            self.assertEqual(decode_text(octets, "big5"), "é")
        self.assertEqual(decode_text(b"\xfe\xff\x65\xe5", "utf-16"), "日")
        self.assertEqual(decode_text(b"\xfe\xff\x65\xe5", "windows-1251"), "юяeе")
        for octets, text in ((b"\xef\xbb", "ï»"), (b"\xff", "ÿ"), (b"\xef\xbb\xbf", ""), (b"", "")):
            self.assertEqual(decode_text(octets), text)

    def test_utf_8_under_another_name(self) -> None:
        for label in ("big5", "iso-2022-jp", "us-ascii", "iso-2022-kr"):
            self.assertEqual(decode_text("żółć 日本 x".encode(), label), "żółć 日本 x", label)

    def test_very_much_damage(self) -> None:
        """It is left to Python, whose way is faster."""
        text = decode_text(b"\xff \xa4\xa4" * 300_000, "big5")
        self.assertEqual(text, f"{DAMAGE} 中" * 300_000)

    @settings(max_examples=300, deadline=None)
    @given(
        st.sampled_from(
            [*SINGLE, *PAIRS, "iso-2022-jp", "iso-2022-kr", "hz", "utf-7", "utf-16", "iso-2022-jp-2", "johab"]
        ),
        st.lists(
            st.binary(max_size=4)
            | st.sampled_from([b"\x1b$B", b"\x1b(B", b"\x1b$)C", b"~{", b"~}", b"+", b"\x0e", b"F|"]),
            max_size=12,
        ).map(b"".join),
    )
    def test_any_octets_are_text_without_halves_of_characters(self, label: str, octets: bytes) -> None:
        octets = b"x" + octets  # and no byte order mark
        text = decode_text(octets, label)
        self.assertIsNone(re.search("[\ud800-\udfff]", text))
        if label != "utf-16":
            # Whatever came before, a line in ASCII that begins in ASCII is read.
            back = {"hz": b"~}", "utf-7": b"-", "iso-2022-kr": b"\x0f"}.get(label, b"\x1b(B")
            self.assertIn("abc", decode_text(octets + b"  " + back + b"\n abc", label))


class EncodedWordTests(TestCase):
    def word(self, label: str, octets: bytes) -> bytes:
        return b"=?%b?B?%b?=" % (label.encode(), codecs.encode(octets, "base64").replace(b"\n", b""))

    def test_they_are_read_as_bodies_are(self) -> None:
        self.assertEqual(decode_header(self.word("big5", "宏碁".encode("cp950"))), "宏碁")
        self.assertEqual(decode_header(self.word("iso-2022-jp", b"\x1b$B-!F|\x1b(B")), "①日")
        self.assertEqual(decode_header(b"=?utf-8*en?Q?=C3=A9?="), "é")
        self.assertEqual(parameter_text(b"n*", b"big5'zh'%A7%BB%F9%D6"), "宏碁")

    def test_a_character_in_two_words_of_one_charset_under_two_names(self) -> None:
        octets = "宏碁".encode("cp950")
        words = self.word("big5", octets[:3]) + b"\r\n " + self.word("Big5-HKSCS", octets[3:])
        self.assertEqual(decode_header(words), "宏碁")

    def test_words_of_iso_2022_jp_each_end_in_ascii(self) -> None:
        word = self.word("iso-2022-jp", b"\x1b$BF|K\\\x1b(B")
        self.assertEqual(decode_header(word + b" " + word), "日本日本")

    def test_question_marks_in_the_text(self) -> None:
        for value, text in (
            (b"=?utf-8?Q?What??=", "What?"),
            (b"=?utf-8?Q?a?b?= c", "a?b c"),
            (b"=?utf-8?Q?a=?= =?utf-8?Q?b?=", "ab"),
            (b"=?utf-8?Q?a =?utf-8?Q?b?=", "=?utf-8?Q?a b"),
        ):
            self.assertEqual(decode_header(value), text)
