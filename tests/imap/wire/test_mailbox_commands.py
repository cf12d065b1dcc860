"""Commands about mailboxes: SELECT, CREATE, LIST, STATUS and their kin."""

from mailproto.imap.wire import (
    Create,
    IMAPServerWire,
    IMAPWireLimits,
    List,
    Lsub,
    MailboxName,
    Options,
    Rename,
    Select,
    Status,
)
from tests.imap.wire.feed import SYNTAX, WireTestCase, drain


class NameTests(WireTestCase):
    def test_inbox_in_any_case_and_what_is_below_it(self) -> None:
        self.assert_table(
            {
                b"DELETE inbox": MailboxName("INBOX"),
                b'DELETE "InBox"': MailboxName("INBOX"),
                b"DELETE {5+}\r\nINBOX": MailboxName("INBOX"),
                b"DELETE inbox/Sub": MailboxName("INBOX/Sub"),
                b"DELETE inboxes": MailboxName("inboxes"),
                b"DELETE a/inbox": MailboxName("a/inbox"),
            }
        )

    def test_modified_utf_7_is_decoded(self) -> None:
        self.assert_table(
            {
                b"SUBSCRIBE Entw&APw-rfe": MailboxName("Entwürfe"),
                b'UNSUBSCRIBE "a &- b"': MailboxName("a & b"),
            }
        )

    def test_other_forms_of_a_name_are_no(self) -> None:
        for name in (b'"Entw\xc3\xbcrfe"', b"{2+}\r\n\xc3\xa9", b"a&", b"&ACY-", b"&AGE-", b'"a\tb"'):
            wrong = self.refusal(b"SELECT " + name)
            self.assertEqual((wrong.tag, wrong.code, wrong.bad), ("a1", "CANNOT", False), name)

    def test_utf_8_once_it_is_enabled(self) -> None:
        wire = IMAPServerWire(syntax=SYNTAX)
        wire.utf8 = True
        wire.receive('a SELECT "Entwürfe & mehr"\r\nb SELECT "&APw-"\r\n'.encode() + b'c SELECT "\xff"\r\n')
        first, second, third = drain(wire)
        self.assertEqual(first.arguments, Select("Entwürfe & mehr"))
        self.assertEqual(second.arguments, Select("&APw-"))
        self.assertEqual((third.tag, third.text, third.bad), ("c", "Expected UTF-8", True))

    def test_names_that_are_not_strings_are_bad(self) -> None:
        self.assert_bad([b"SELECT", b"SELECT a b", b"SELECT *", b"DELETE a%", b"RENAME a", b"SELECT ()"])


class OneMailboxTests(WireTestCase):
    def test_values(self) -> None:
        self.assert_table(
            {
                b"SELECT a": Select("a"),
                b"EXAMINE a": Select("a"),
                b"SELECT a (xplain)": Select("a", Options({"XPLAIN": None})),
                b"EXAMINE a (xnumber 17 xplain)": Select("a", Options({"XNUMBER": 17, "XPLAIN": None})),
                b"CREATE a/": Create("a/"),
                b"CREATE a (USE (\\sent))": Create("a", Options({"USE": "\\Sent"})),
                b"CREATE a (use (\\Other))": Create("a", Options({"USE": "\\Other"})),
                b"CREATE a (USE ())": Create("a", Options({"USE": None})),
                b"RENAME a {1+}\r\nb": Rename("a", "b"),
            }
        )

    def test_one_special_use_only(self) -> None:
        wrong = self.refusal(b"CREATE a (USE (\\Sent \\Drafts))")
        self.assertEqual((wrong.code, wrong.bad), ("USEATTR", False))

    def test_parameters_that_are_not_known_are_bad(self) -> None:
        self.assert_bad(
            [
                b"SELECT a (XNUMBER)",
                b"SELECT a (XOTHER)",
                b"SELECT a (XPLAIN",
                b"SELECT a ()",
                b"CREATE a (USE \\Sent)",
                b"CREATE a (USE (Sent))",
            ]
        )


class ListTests(WireTestCase):
    def test_basic(self) -> None:
        self.assert_table(
            {
                b'LIST "" ""': List("", ("",)),
                b'LIST "" *': List("", ("*",)),
                b"LIST inbox/ %": List("INBOX/", ("%",)),
                b'LIST "" "a&APw-%b*"': List("", ("aü%b*",)),
                b'LIST "" {3+}\r\na/%': List("", ("a/%",)),
                b'LIST "" +.[*': List("", ("+.[*",)),
                b'LSUB "" *': Lsub("", ("*",)),
            }
        )

    def test_patterns_that_no_name_can_match_are_left_out(self) -> None:
        self.assert_table(
            {
                b"""LIST "" "&'+,-%\"""": List("", ()),
                b'LIST "" (a "b\xc3\xbc*" "&c" d)': List("", ("a", "d"), extended=True),
                b'LIST "&" %': List("", ()),
                b'LSUB "" &*': Lsub("", ()),
            }
        )

    def test_extended(self) -> None:
        self.assert_table(
            {
                b'LIST () "" ""': List("", ("",), extended=True),
                b'LIST (subscribed RECURSIVEMATCH) "" *': List(
                    "", ("*",), frozenset({"SUBSCRIBED", "RECURSIVEMATCH"}), extended=True
                ),
                b'LIST "" (inbox "a b" %)': List("", ("INBOX", "a b", "%"), extended=True),
                b'LIST "" % RETURN (SPECIAL-USE children)': List(
                    "", ("%",), returns=Options({"SPECIAL-USE": None, "CHILDREN": None}), extended=True
                ),
                b'LIST (SPECIAL-USE) "" % RETURN (STATUS (MESSAGES UNSEEN) SUBSCRIBED)': List(
                    "",
                    ("%",),
                    frozenset({"SPECIAL-USE"}),
                    Options({"STATUS": ("MESSAGES", "UNSEEN"), "SUBSCRIBED": None}),
                    extended=True,
                ),
                b'LIST "" % RETURN ()': List("", ("%",), extended=True),
            }
        )

    def test_bad(self) -> None:
        self.assert_bad(
            [
                b"LIST",
                b'LIST ""',
                b'LIST (RECURSIVEMATCH) "" *',
                b'LIST (RECURSIVEMATCH REMOTE) "" *',
                b'LIST (WHATEVER) "" *',
                b'LIST "" ()',
                b'LIST "" * RETURN (WHATEVER)',
                b'LIST "" * RETURN (STATUS)',
                b'LIST "" * RETURN (CHILDREN',
                b'LIST "" (a',
                b'LSUB "" (a b)',
            ]
        )


class LimitTests(WireTestCase):
    limits = IMAPWireLimits(mailbox=10, patterns=20)

    def test_octets_of_a_name(self) -> None:
        name = b"&APw-54321"
        self.assertEqual(self.parse(b"SELECT " + name).arguments, Select("\xfc54321"))
        for line in (b"SELECT %b1", b"SELECT {11+}\r\n%b1", b"RENAME a %b1", b'LIST "" %b*', b'LSUB "%b1" *'):
            wrong = self.refusal(line % name)
            self.assertEqual((wrong.code, wrong.bad), ("CANNOT", False), line)

    def test_octets_of_all_patterns(self) -> None:
        self.parse(b'LIST 12345 (12345 12345 "1234%")')
        self.parse(b"LSUB 1234567890 123456789*")
        for line in (b'LIST 12345 (12345 12345 "12345%")', b'LIST "" (&&&&& 12345 {10+}\r\n123456789* %)'):
            wrong = self.refusal(line)
            self.assertEqual((wrong.code, wrong.bad), ("LIMIT", False), line)


class StatusTests(WireTestCase):
    def test_items(self) -> None:
        every = b"MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN SIZE DELETED"
        self.assert_table(
            {
                b"STATUS inbox (messages)": Status("INBOX", ("MESSAGES",)),
                b"STATUS a (" + every + b")": Status("a", tuple(every.decode().split())),
                b"STATUS a (UNSEEN MESSAGES unseen)": Status("a", ("UNSEEN", "MESSAGES")),
            }
        )

    def test_bad(self) -> None:
        self.assert_bad([b"STATUS a", b"STATUS a ()", b"STATUS a MESSAGES", b"STATUS a (WHATEVER)"])
