"""SEARCH: the tree of keys, charsets, options."""

import datetime

from mailproto.imap.wire import (
    Address,
    All,
    And,
    Body,
    DateKey,
    Flagged,
    Header,
    IMAPWireLimits,
    New,
    Not,
    Numbers,
    Old,
    Options,
    Or,
    Recent,
    Search,
    SequenceSet,
    Size,
    Text,
    Uids,
)
from tests.imap.wire.feed import WireTestCase

DAY = datetime.date(1994, 2, 1)


class KeyTests(WireTestCase):
    def test_each_key(self) -> None:
        for text, key in {
            b"ALL": All(),
            b"recent": Recent(),
            b"NEW": New(),
            b"OLD": Old(),
            b"ANSWERED": Flagged("\\Answered", True),
            b"UNANSWERED": Flagged("\\Answered", False),
            b"DELETED": Flagged("\\Deleted", True),
            b"UNDELETED": Flagged("\\Deleted", False),
            b"DRAFT": Flagged("\\Draft", True),
            b"UNDRAFT": Flagged("\\Draft", False),
            b"FLAGGED": Flagged("\\Flagged", True),
            b"UNFLAGGED": Flagged("\\Flagged", False),
            b"SEEN": Flagged("\\Seen", True),
            b"UNSEEN": Flagged("\\Seen", False),
            b"KEYWORD $Junk": Flagged("$Junk", True),
            b"UNKEYWORD $Junk": Flagged("$Junk", False),
            b"FROM a": Address("from", "a"),
            b"TO a": Address("to", "a"),
            b"CC a": Address("cc", "a"),
            b"BCC a": Address("bcc", "a"),
            b'SUBJECT "a b"': Header("subject", "a b"),
            b'HEADER X-Foo ""': Header("x-foo", ""),
            b"HEADER {2+}\r\nTo {1+}\r\n(": Header("to", "("),
            b"BODY a": Body("a"),
            b"TEXT a": Text("a"),
            b"BEFORE 1-Feb-1994": DateKey("INTERNAL", "BEFORE", DAY),
            b'ON "01-feb-1994"': DateKey("INTERNAL", "ON", DAY),
            b"SINCE 1-FEB-1994": DateKey("INTERNAL", "SINCE", DAY),
            b"SENTBEFORE 1-Feb-1994": DateKey("SENT", "BEFORE", DAY),
            b"SENTON 1-Feb-1994": DateKey("SENT", "ON", DAY),
            b"SENTSINCE 1-Feb-1994": DateKey("SENT", "SINCE", DAY),
            b"LARGER 9223372036854775807": Size("LARGER", 2**63 - 1),
            b"SMALLER 0": Size("SMALLER", 0),
            b"UID 3:*": Uids(SequenceSet(((3, None),))),
            b"1,5:3": Numbers(SequenceSet(((1, 1), (3, 5)))),
            b"*": Numbers(SequenceSet(((None, None),))),
            b"NOT ALL": Not(All()),
            b"OR ALL NEW": Or(All(), New()),
            b"(ALL)": All(),
            b"(ALL NEW)": And((All(), New())),
            b"ALL (OR NOT NEW (OLD 1)) UID 2": And(
                (
                    All(),
                    Or(Not(New()), And((Old(), Numbers(SequenceSet(((1, 1),)))))),
                    Uids(SequenceSet(((2, 2),))),
                )
            ),
        }.items():
            self.assertEqual(self.parse(b"SEARCH " + text).arguments, Search(None, key), text)  # type: ignore[arg-type]
            self.assertEqual(self.parse(b"UID SEARCH OR NOT (" + text + b") ALL").uid, True)

    def test_bad(self) -> None:
        self.assert_bad(
            [
                b"SEARCH",
                b"SEARCH ()",
                b"SEARCH (ALL",
                b"SEARCH ALL)",
                b"SEARCH  ALL",
                b"SEARCH ALL  NEW",
                b"SEARCH WHATEVER",
                b"SEARCH NOT",
                b"SEARCH OR ALL",
                b"SEARCH FROM",
                b"SEARCH HEADER X",
                b"SEARCH KEYWORD \\Seen",
                b"SEARCH BEFORE 31-Feb-1994",
                b"SEARCH BEFORE 1-Foo-1994",
                b"SEARCH BEFORE 1-Feb-0000",
                b"SEARCH BEFORE 1-Feb-94",
                b'SEARCH BEFORE "1-Feb-1994',
                b"SEARCH LARGER -1",
                b"SEARCH LARGER 9223372036854775808",
                b"SEARCH LARGER 99999999999999999999999",
                b"SEARCH UID x",
                b"SEARCH 0",
                b"SEARCH 1:",
                b"SEARCH RETURN (WHATEVER) ALL",
            ]
        )


class CharsetTests(WireTestCase):
    def test_values_are_decoded(self) -> None:
        for text, charset, value in (
            (b"CHARSET UTF-8 SUBJECT {2+}\r\n\xc3\xa9", "UTF-8", "é"),
            (b'charset utf-8 SUBJECT "\xc3\xa9"', "UTF-8", "é"),
            (b'CHARSET "US-ASCII" SUBJECT e', "US-ASCII", "e"),
            (b'SUBJECT "\xc3\xa9"', None, "é"),
        ):
            expected = Search(charset, Header("subject", value))
            self.assertEqual(self.parse(b"SEARCH " + text).arguments, expected)

    def test_another_charset_is_read_as_it_is(self) -> None:
        """The handler refuses it; errors in the keys come first."""
        found = self.parse(b'SEARCH CHARSET koi8-r SUBJECT "\xc1"').arguments
        self.assertEqual(found, Search("KOI8-R", Header("subject", "\xc1")))
        self.assert_bad([b"SEARCH CHARSET KOI8-R SUBJECT"])

    def test_octets_that_are_not_in_the_charset_are_bad(self) -> None:
        self.assert_bad(
            [
                b'SEARCH CHARSET US-ASCII SUBJECT "\xc3\xa9"',
                b'SEARCH CHARSET UTF-8 SUBJECT "\xc3"',
                b'SEARCH SUBJECT "\xff"',
            ]
        )


class ReturnTests(WireTestCase):
    def test_options(self) -> None:
        self.assert_table(
            {
                b"SEARCH RETURN () ALL": Search(None, All(), Options({"ALL": None})),
                b"SEARCH return (min COUNT) ALL": Search(None, All(), Options({"MIN": None, "COUNT": None})),
                b"SEARCH RETURN (MAX ALL MAX) CHARSET UTF-8 ALL": Search(
                    "UTF-8", All(), Options({"MAX": None, "ALL": None})
                ),
            }
        )


class NestingTests(WireTestCase):
    limits = IMAPWireLimits(nesting=3)

    def test_up_to_the_limit_and_no_deeper(self) -> None:
        for begin, end in ((b"(", b")"), (b"NOT ", b""), (b"OR ALL ", b""), (b"OR ", b" ALL")):
            self.parse(b"SEARCH " + begin * 3 + b"ALL" + end * 3)
            wrong = self.refusal(b"SEARCH " + begin * 4 + b"ALL" + end * 4)
            self.assertEqual((wrong.tag, wrong.code, wrong.bad), ("a1", "LIMIT", False))

    def test_the_default_holds_against_a_whole_line(self) -> None:
        self.limits = None
        self.assertEqual(self.refusal(b"SEARCH " + b"(" * 2000).code, "LIMIT")


class LimitTests(WireTestCase):
    limits = IMAPWireLimits(search_keys=4, search_text=5)

    def test_keys(self) -> None:
        for allowed in (b"1 2 3 4", b"(1 2) 3", b"OR 1 NOT 2", b"OR 1 2 UNSEEN"):
            self.parse(b"SEARCH " + allowed)
            for more in (b"SEARCH " + allowed + b" 5", b"UID SEARCH (" + allowed + b" 5) ALL"):
                wrong = self.refusal(more)
                self.assertEqual((wrong.tag, wrong.code, wrong.bad), ("a1", "LIMIT", False), more)

    def test_texts(self) -> None:
        for key in (b"TEXT", b"HEADER X", b"FROM"):
            for text in (b"abcde", b'"abcde"', b"{5+}\r\nabcde"):
                self.parse(b"SEARCH %b %b" % (key, text))
            for text in (b"abcdef", b'"abcdef"', b"{6+}\r\nabcdef", b'"\xc3\xa9\xc3\xa9\xc3\xa9"'):
                wrong = self.refusal(b"SEARCH %b %b" % (key, text))
                self.assertEqual((wrong.tag, wrong.code, wrong.bad), ("a1", "LIMIT", False), text)

    def test_the_defaults_hold_against_a_whole_command(self) -> None:
        self.limits = None
        self.parse(b"SEARCH" + b" UNSEEN" * 1000)
        self.assertEqual(self.refusal(b"SEARCH" + b" UNSEEN" * 9000).code, "LIMIT")
        self.assertEqual(self.refusal(b"SEARCH TEXT {1000000+}\r\n" + b"x" * 1_000_000).code, "LIMIT")
