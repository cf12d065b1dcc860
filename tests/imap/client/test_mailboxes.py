"""LIST, STATUS, SELECT and what changes the list."""

from __future__ import annotations

from mailproto.client.errors import CommandRefused, NotOffered
from mailproto.imap.limits import IMAPClientLimits
from mailproto.imap.values import (
    Alert,
    Exists,
    Expunged,
    KnownMailbox,
    MailboxListed,
    Namespace,
    StatusChanged,
    UidSet,
    Vanished,
)
from tests.imap.client.dialogue import FEW, ClientTestCase


class ListTests(ClientTestCase):
    def test_with_all_that_a_server_can_tell(self) -> None:
        self.signed_in()
        done = self.client.list("%", status=["MESSAGES"])
        self.converse(
            """
            C: A1 LIST "" "%" RETURN (SUBSCRIBED CHILDREN SPECIAL-USE STATUS (MESSAGES))
            S: * LIST (\\Subscribed \\HasNoChildren) "/" INBOX
            S: * STATUS INBOX (MESSAGES 17)
            S: * LIST (\\sent) "/" "Gesendet &- gel&APY-scht" ("OLDNAME" ("Sent"))
            S: * LIST (\\NonExistent \\HasChildren) "/" "lost"
            S: A1 OK
            """
        )
        inbox, sent, lost = self.result(done)
        self.assertEqual((inbox.name, inbox.is_subscribed, inbox.counts.messages), ("INBOX", True, 17))
        self.assertEqual(
            (sent.name, sent.special_use, sent.old_name), ("Gesendet & gelöscht", {"\\Sent"}, "Sent")
        )
        self.assertFalse(lost.is_selectable)

    def test_with_an_old_server(self) -> None:
        self.signed_in(FEW)
        done = self.client.list("*", subscribed=True, status=["UIDNEXT"])
        self.converse(
            """
            C: A1 LSUB "" "*"
            S: * LSUB () "." INBOX
            S: * LSUB (\\Noselect) NIL flat
            S: * LSUB () "." gone
            S: A1 OK
            C: A2 STATUS INBOX (UIDNEXT)
            C: A3 STATUS gone (UIDNEXT)
            S: * STATUS inbox (UIDNEXT 9)
            S: A2 OK
            S: A3 NO No such mailbox
            """
        )
        inbox, flat, gone = self.result(done)
        self.assertEqual((inbox.counts.uid_next, inbox.is_subscribed, inbox.delimiter), (9, True, "."))
        self.assertEqual((flat.delimiter, flat.counts, gone.counts), ("", None, None))

    def test_states_of_some_mailboxes_are_asked_for_together(self) -> None:
        self.signed_in(FEW)
        asked = [self.client.status(name, "MESSAGES") for name in ("Ünique", "b", "b", "c")]
        self.converse(
            """
            C: A1 STATUS &ANw-nique (MESSAGES)
            C: A2 STATUS b (MESSAGES)
            S: * STATUS b (MESSAGES 2)
            S: * STATUS d (MESSAGES 7)
            S: * STATUS &ANw-nique (MESSAGES 1)
            S: A2 OK Done
            C: A3 STATUS b (MESSAGES)
            C: A4 STATUS c (MESSAGES)
            S: A1 OK Done
            S: * STATUS c (MESSAGES 4)
            S: A4 OK Done
            S: * STATUS "b/" (MESSAGES 3)
            S: A3 OK Done
            """
        )
        self.assertEqual([self.result(each).messages for each in asked], [1, 2, 3, 4])
        self.assertEqual([event.name for event in self.events if isinstance(event, StatusChanged)], ["d"])

    def test_names_as_servers_send_them(self) -> None:
        self.signed_in(FEW)
        done = self.client.list()
        self.converse(
            """
            C: A1 LIST "" "*"
            S: * LIST () "/" inbox
            S: * LIST () "/" {8}
            S: a "name"
            S: * LIST () "/" Sent Items
            S: * LIST () "/" "Entwürfe"
            S: * LIST () "/" "a&b"
            S: * LIST () "/" NIL
            S: * LIST () "/" "say "hi" twice"
            S: * LIST broken
            S: A1 OK
            """
        )
        self.assertEqual(
            [each.name for each in self.result(done)],
            ["INBOX", 'a "name"', "Sent Items", "Entwürfe", "a&b", "NIL", 'say "hi" twice'],
        )

    def test_names_that_are_sent(self) -> None:
        self.signed_in("IMAP4rev1 LITERAL+")
        for name, text in (
            ("Entwürfe", b"Entw&APw-rfe"),
            ("a b", b'"a b"'),
            ("NIL", b'"NIL"'),
            ("a&", b"a&-"),
        ):
            done = self.client.delete(name)
            sent = self.transport.read()
            self.assertEqual(sent.split(b" ", 2)[2], text + b"\r\n")
            self.transport.send(sent.split()[0] + b" OK\r\n")
            self.result(done)
        for name in ("a\r\nA2 DELETE x", "\0", 5, None):
            self.error(self.client.delete(name), TypeError, ValueError)  # type: ignore[arg-type]

    def test_utf_8_names_once_that_is_enabled(self) -> None:
        self.signed_in("IMAP4rev1 ENABLE UTF8=ACCEPT QRESYNC")
        enabled = self.client.enable("utf8=accept", "X-NOT-THERE")
        self.converse(
            """
            C: A1 ENABLE UTF8=ACCEPT
            S: * ENABLED UTF8=ACCEPT
            S: A1 OK
            """
        )
        self.assertEqual(self.result(enabled), {"UTF8=ACCEPT"})
        self.client.create("Entwürfe")
        self.assertEqual(self.transport.read(), 'A2 CREATE "Entwürfe"\r\n'.encode())
        listed = self.client.list()
        self.transport.send('A2 OK\r\n* LIST () "/" "a&APY- ü"\r\nA3 OK\r\n'.encode())
        self.assertEqual([each.name for each in self.result(listed)], ["a&APY- ü"])

    def test_changes(self) -> None:
        self.signed_in()
        done = self.client.rename("a", "b")
        self.client.subscribe("b").addErrback(lambda _: None)
        self.converse(
            """
            C: A1 RENAME a b
            C: A2 SUBSCRIBE b
            S: A1 NO [ALREADYEXISTS] There is one
            """
        )
        self.assertEqual(self.error(done, CommandRefused).reply.code, "ALREADYEXISTS")
        self.error(self.client.create("c", special_use="\\Sent"), NotOffered)

    def test_namespace(self) -> None:
        self.signed_in("IMAP4rev1 NAMESPACE")
        done = self.client.namespace()
        self.converse(
            """
            C: A1 NAMESPACE
            S: * NAMESPACE (("INBOX." ".")) NIL (("#shared/" "/" "X-P" ("a"))("#public." NIL))
            S: A1 OK
            """
        )
        spaces = self.result(done)
        self.assertEqual(spaces.personal, (Namespace("INBOX.", "."),))
        self.assertEqual(spaces.others, ())
        self.assertEqual(spaces.shared, (Namespace("#shared/", "/"), Namespace("#public.", "")))

    def test_names_of_ones_own_mailboxes(self) -> None:
        self.signed_in("IMAP4rev1 NAMESPACE")
        name = self.client.name_of("a", "b")
        self.converse(
            """
            C: A1 NAMESPACE
            S: * NAMESPACE (("INBOX." ".")) NIL NIL
            S: A1 OK
            """
        )
        self.assertEqual(self.result(name), "INBOX.a.b")
        for levels, expected in ((("c",), "INBOX.c"), (("inbox", "x"), "inbox.x"), (("INBOX",), "INBOX")):
            self.assertEqual(self.result(self.client.name_of(*levels)), expected)
        for wrong in ((), ("",), ("a.b",), ("a", 5)):
            self.error(self.client.name_of(*wrong), TypeError, ValueError)  # type: ignore[arg-type]
        self.assertEqual(self.transport.read(), b"")

    def test_names_where_the_server_has_no_namespaces(self) -> None:
        for delimiter, expected in (('"/"', "a/b"), ("NIL", None)):
            self.signed_in(FEW)
            name = self.client.name_of("a", "b")
            self.converse(
                f"""
                C: A1 LIST "" ""
                S: * LIST (\\Noselect) {delimiter} ""
                S: A1 OK
                """
            )
            if expected is None:
                self.error(name, ValueError)
                self.assertEqual(self.result(self.client.name_of("a/b")), "a/b")
            else:
                self.assertEqual(self.result(name), expected)

    def test_id(self) -> None:
        self.signed_in("IMAP4rev1 ID")
        done = self.client.id(name="mailproto")
        self.converse(
            """
            C: A1 ID ("name" "mailproto")
            S: * ID ("NAME" "Cyrus" "version" NIL)
            S: A1 OK
            """
        )
        self.assertEqual(self.result(done), {"name": "Cyrus", "version": ""})


class SelectTests(ClientTestCase):
    def test_what_is_told(self) -> None:
        self.signed_in()
        done = self.client.select("Sent", read_only=True)
        self.converse(
            """
            C: A1 EXAMINE Sent (CONDSTORE)
            S: * FLAGS (\\answered \\Seen kw)
            S: * OK [PERMANENTFLAGS (\\Seen \\*)] Some
            S: * 17 EXISTS
            S: * 2 RECENT
            S: * OK [UIDVALIDITY 3857529045] Ok
            S: * OK [UIDNEXT 4392] Ok
            S: * OK [HIGHESTMODSEQ 715194045007] Ok
            S: * OK [MAILBOXID (F22)] Ok
            S: A1 OK [READ-ONLY] Done
            """
        )
        box = self.result(done)
        self.assertEqual((box.exists, box.recent, box.uid_validity, box.uid_next), (17, 2, 3857529045, 4392))
        self.assertEqual((box.modseq, box.mailbox_id, box.is_read_only), (715194045007, "F22", True))
        self.assertEqual(box.flags, {"\\Answered", "\\Seen", "kw"})
        self.assertEqual(box.permanent_flags, {"\\Seen", "\\*"})
        self.assertEqual((self.client.selected, self.client.exists), ("Sent", 17))
        self.assertEqual(self.events, [])

    def test_qresync(self) -> None:
        self.signed_in()
        self.client.enable("QRESYNC")
        self.converse(
            """
            C: A1 ENABLE QRESYNC
            S: * ENABLED QRESYNC
            S: A1 OK
            """
        )
        done = self.client.select("INBOX", known=KnownMailbox(7, 90, [1, 2, 3, 9]))
        self.converse(
            """
            C: A2 SELECT INBOX (QRESYNC (7 90 1:3,9))
            S: * OK [CLOSED] Before
            S: * 3 EXISTS
            S: * OK [UIDVALIDITY 7]
            S: * OK [HIGHESTMODSEQ 99]
            S: * VANISHED (EARLIER) 2,5:7
            S: * 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (95))
            S: A2 OK [READ-WRITE]
            S: * VANISHED 3
            """
        )
        box = self.result(done)
        self.assertEqual(box.vanished, [2])  # the others were not known
        self.assertEqual([(each.uid, each.flags, each.modseq) for each in box.changed], [(1, {"\\Seen"}, 95)])
        self.assertEqual([list(each.uids) for each in self.events if isinstance(each, Vanished)], [[3]])
        self.assertEqual(self.client.exists, 2)

    def parameter(self, known: KnownMailbox) -> str:
        """What SELECT says of a known mailbox."""
        self.signed_in("IMAP4rev1 ENABLE QRESYNC")
        self.client.enable("QRESYNC")
        self.transport.send(b"* ENABLED QRESYNC\r\nA1 OK\r\n")
        self.transport.read()
        self.selecting = self.client.select("INBOX", known=known)
        sent = self.transport.read().decode("ascii")
        self.assertLessEqual(len(sent), 8192)
        self.assertTrue(sent.endswith(")\r\n"))
        return sent.partition("QRESYNC ")[2][:-3]

    def test_where_some_messages_were(self) -> None:
        """Message sequence match data (RFC 7162 3.2.5.2), only if the program has all messages."""
        uids = [3, 5, 8, 9, *range(20, 117)]
        self.assertEqual(self.parameter(KnownMailbox(7, 90, uids)), "(7 90 3,5,8:9,20:116)")
        self.assertEqual(
            self.parameter(KnownMailbox(7, 90, uids, has_all=True)),
            "(7 90 3,5,8:9,20:116 (1,38,70,86,94,98,100:101 3,53,85,101,109,113,115:116))",
        )
        self.assertEqual(self.parameter(KnownMailbox(7, 90, 5, has_all=True)), "(7 90 5 (1 5))")
        self.assertEqual(self.parameter(KnownMailbox(7, 90, (), has_all=True)), "(7 90)")
        for uids_without_end in (None, "1:*", "$"):
            with self.assertRaises(ValueError):
                KnownMailbox(7, 90, uids_without_end, has_all=True)

    def test_more_known_uids_than_a_line_takes(self) -> None:
        """Small gaps are filled, and what is told of them is left out of the result."""
        known = [uid for block in range(0, 4_000_000, 100_000) for uid in range(block + 1, block + 2000, 2)]
        text = self.parameter(KnownMailbox(7, 90, iter(known)))
        told = UidSet.read(text.removeprefix("(7 90 ").removesuffix(")").encode()) or UidSet()
        self.assertEqual(UidSet(known) - told, [])
        self.assertNotIn(5000, told)
        self.assertNotIn(3_950_000, told)
        self.transport.send(b"* 3 EXISTS\r\n* VANISHED (EARLIER) 1:9,4000001\r\nA2 OK\r\n")
        self.assertEqual(self.result(self.selecting).vanished, [1, 3, 5, 7, 9])

    def test_a_refusal_leaves_none_selected(self) -> None:
        self.selected()
        done = self.client.select("gone")
        self.converse(
            """
            C: A2 SELECT gone (CONDSTORE)
            S: A2 NO [NONEXISTENT] No
            """
        )
        self.error(done, CommandRefused)
        self.assertIsNone(self.client.selected)

    def test_unselect(self) -> None:
        self.selected(FEW)
        done = self.client.unselect()
        self.converse(
            """
            C: A2 EXAMINE INBOX
            S: A2 OK
            C: A3 CLOSE
            S: A3 OK
            """
        )
        self.result(done)
        self.assertIsNone(self.client.selected)

    def test_what_happens_meanwhile(self) -> None:
        self.selected(exists=2)
        self.converse(
            """
            S: * 3 EXISTS
            S: * 3 EXISTS
            S: * 1 RECENT
            S: * 2 EXPUNGE
            S: * LIST () "/" new
            S: * STATUS other (MESSAGES 4)
            S: * OK [ALERT] Disk is full
            S: * 5 UNKNOWN (of the future)
            S: * OK [FUTURE-CODE x [y] z] text
            """
        )
        self.assertEqual(self.events[:2], [Exists(3), Expunged(None, 2)])
        self.assertIsInstance(self.events[2], MailboxListed)
        self.assertIsInstance(self.events[3], StatusChanged)
        self.assertEqual(len(self.events), 5)
        self.assertEqual(self.client.exists, 2)

    def test_an_alert_with_an_answer(self) -> None:
        self.selected()
        self.client.noop()
        self.transport.send(b"A2 OK [ALERT] Going down at noon\r\n")
        self.assertEqual(self.events, [Alert("Going down at noon")])

    def test_examine_is_read_only_whatever_the_server_says(self) -> None:
        self.signed_in(FEW)
        done = self.client.select("a", read_only=True)
        self.transport.send(b"A1 OK\r\n")
        self.assertTrue(self.result(done).is_read_only)

    def test_a_server_that_loses_count(self) -> None:
        """What it does not say is not known; what it says twice is believed once."""
        self.selected(exists=3)
        self.transport.send(
            b"* 1 FETCH (UID 5 FLAGS ())\r\n* 9 EXPUNGE\r\n* 0 EXPUNGE\r\n* EXPUNGE\r\n* 1 EXISTS\r\n"
            b"* 1 EXPUNGE\r\n* 1 EXPUNGE\r\n* 4294967295 EXISTS\r\n"
            b"* 2 FETCH (UID 4294967296 FLAGS ())\r\n* 0 FETCH (FLAGS ())\r\n"
        )
        self.assertEqual(self.client.exists, 4294967295)
        self.assertEqual(
            [event.uid for event in self.events if isinstance(event, Expunged)], [None, None, None]
        )

    def test_numbers_above_the_limit_have_no_uid(self) -> None:
        self.selected(exists=3, limits=IMAPClientLimits(messages=2))
        self.transport.send(
            b"* 3 FETCH (UID 9 FLAGS ())\r\n* 2 FETCH (UID 8 FLAGS ())\r\n* 3 EXPUNGE\r\n* 2 EXPUNGE\r\n"
        )
        self.assertEqual(self.events[2:], [Expunged(None, 3), Expunged(8, 2)])

    def test_a_listener_that_fails(self) -> None:
        def fail(event: object) -> None:
            raise RuntimeError("mine")

        self.selected()
        self.client._session.unasked.listeners.insert(0, fail)
        self.transport.send(b"* 9 EXISTS\r\n")
        self.assertEqual(self.events, [Exists(9)])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
