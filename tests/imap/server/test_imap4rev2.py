"""IMAP4rev2 (RFC 9051) by ENABLE, beside IMAP4rev1: its appendix E, as far as it is not in extensions."""

from __future__ import annotations

from mailproto.imap.extensions import STANDARD
from mailproto.imap.server._registry import Tables
from tests.imap.server.dialogue import DialogueTestCase, run


class Case(DialogueTestCase):
    def enable(self, name: str = "", select: str = "") -> None:
        self.sign_in(name)
        client = self.clients[name]
        client.send(b"e ENABLE IMAP4rev2\r\n")
        self.assertEqual(client.received(), b"* ENABLED IMAP4REV2\r\ne OK ENABLE completed\r\n")
        if select:
            client.send(b"s SELECT %b\r\n" % select.encode())
            client.received()


class SelectTests(Case):
    def test_select(self) -> None:
        """E 10, 11, 12: LIST, no UNSEEN and no RECENT."""
        self.fill(2)
        self.enable()
        self.talk(
            """
            C: a SELECT INBOX
            S: * FLAGS (\\Answered \\Deleted \\Draft \\Flagged \\Seen)
            S: * OK [PERMANENTFLAGS ...
            S: * 2 EXISTS
            S: * OK [UIDVALIDITY ...
            S: * OK [UIDNEXT 3] Predicted next UID
            S: * OK [MAILBOXID ...
            S: * LIST (\\HasNoChildren \\Subscribed) "/" INBOX
            S: a OK [READ-WRITE] SELECT completed
            C: b FETCH 1 (FLAGS)
            S: * 1 FETCH (FLAGS ())
            S: b OK FETCH completed
            """
        )

    def test_the_attributes_are_accurate(self) -> None:
        for name in ("Work", "Work/Plans", "Workers"):
            run(self.account.create(name))
        run(self.account.subscribe("Work"))
        run(self.account.create("Out", "\\Sent"))
        self.enable()
        for name, attributes in (
            ("Work", "\\HasChildren \\Subscribed"),
            ("Work/Plans", "\\HasNoChildren"),
            ("Out", "\\HasNoChildren \\Sent"),
        ):
            self.talk(
                f"""
                C: a EXAMINE {name}
                S*: * OK [CLOSED] ...
                S: * FLAGS ...
                S: * OK [PERMANENTFLAGS ...
                S: * 0 EXISTS
                S: * OK [UIDVALIDITY ...
                S: * OK [UIDNEXT ...
                S: * OK [MAILBOXID ...
                S: * LIST ({attributes}) "/" {name}
                S: a OK [READ-ONLY] EXAMINE completed
                """
            )

    def test_a_name_in_another_spelling(self) -> None:
        """6.3.9.7, and the example of 7.3.1."""
        run(self.account.create("B\u00fcro"))
        self.enable()
        self.talk(
            """
            C: a SELECT inbox
            S*: * ...
            S: * LIST (\\HasNoChildren \\Subscribed) "/" INBOX ("OLDNAME" (inbox))
            S: a OK [READ-WRITE] SELECT completed
            C: d APPEND "Bu\u0308ro" {1+}
            C: x
            S: * LIST (\\HasNoChildren) "/" "B\u00fcro" ("OLDNAME" ("Bu\u0308ro"))
            S: d OK [APPENDUID ...
            C: b SELECT "Bu\u0308ro"
            S: * OK [CLOSED] ...
            S*: * ...
            S: * LIST (\\HasNoChildren) "/" "B\u00fcro" ("OLDNAME" ("Bu\u0308ro"))
            S: b OK [READ-WRITE] SELECT completed
            """
        )

    def test_nothing_is_claimed_as_recent(self) -> None:
        """A client of IMAP4rev1 still finds new mail so."""
        self.fill(2)
        self.enable("2", "INBOX")
        self.sign_in()
        self.talk("C: a SELECT INBOX\nS*: * ...\nS: * 2 RECENT\nS*: * ...\nS: a OK ...")

    def test_enabled_while_a_mailbox_is_selected(self) -> None:
        self.fill(1)
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: a FETCH 1 (FLAGS)
            S: * 1 FETCH (FLAGS (\\Recent))
            S: a OK FETCH completed
            C: b ENABLE IMAP4rev2
            S: * ENABLED IMAP4REV2
            S: b OK ENABLE completed
            C: c FETCH 1 (FLAGS)
            S: * 1 FETCH (FLAGS ())
            S: c OK FETCH completed
            """
        )
        self.fill(1)
        self.talk("C: d NOOP\nS: * 2 EXISTS\nS: d OK NOOP completed")


class MessagesTests(Case):
    def setUp(self) -> None:
        super().setUp()
        self.fill(3)
        self.enable(select="INBOX")

    def test_search(self) -> None:
        """E 4: ESEARCH, even for nothing (corner case 18)."""
        self.talk(
            """
            C: a SEARCH 2:3
            S: * ESEARCH (TAG "a") ALL 2:3
            S: a OK SEARCH completed
            C: b UID SEARCH UNSEEN
            S: * ESEARCH (TAG "b") UID ALL 1:3
            S: b OK UID SEARCH completed
            C: c SEARCH SEEN
            S: * ESEARCH (TAG "c")
            S: c OK SEARCH completed
            C: d SEARCH RETURN (COUNT) ALL
            S: * ESEARCH (TAG "d") COUNT 3
            S: d OK SEARCH completed
            C: e SEARCH OR NEW RECENT
            S: * ESEARCH (TAG "e")
            S: e OK SEARCH completed
            C: f SEARCH OLD
            S: * ESEARCH (TAG "f") ALL 1:3
            S: f OK SEARCH completed
            """
        )

    def test_fetch_that_nobody_asked_for_has_uids(self) -> None:
        """E 21."""
        self.sign_in("2", select="INBOX")
        self.talk(
            """
            C: a STORE 2 +FLAGS (\\Seen)
            S: * 2 FETCH (UID 2 FLAGS (\\Seen))
            S: a OK STORE completed
            C2: b NOOP
            S2: * 2 FETCH (UID 2 FLAGS (\\Seen \\Recent))
            S2: b OK NOOP completed
            """
        )

    def test_status(self) -> None:
        """E 3; RECENT is 0 for nobody: rev1's clients may ask."""
        self.talk(
            f"""
            C: a STATUS INBOX (MESSAGES UNSEEN DELETED SIZE)
            S: * STATUS INBOX (MESSAGES 3 UNSEEN 3 DELETED 0 SIZE {run(self.inbox.status()).size})
            S: a OK STATUS completed
            """
        )

    def test_what_has_gone_is_still_understood(self) -> None:
        """E 17, 18, 19: CHECK, RFC822 and LSUB."""
        self.talk(
            """
            C: a CHECK
            S: a OK CHECK completed
            C: b FETCH 1 (RFC822.SIZE RFC822.HEADER)
            S: * 1 FETCH (...
            S*: ...
            S: b OK FETCH completed
            C: c LSUB "" *
            S*: * LSUB ...
            S: c OK LSUB completed
            """
        )


class NameTests(Case):
    """E 16: names are in UTF-8."""

    def test_names(self) -> None:
        self.enable()
        self.sign_in("1")
        self.talk(
            """
            C: a CREATE "Entw\u00fcrfe"
            S: a OK [MAILBOXID ...] CREATE completed
            C: b CREATE "R&D"
            S: b OK [MAILBOXID ...] CREATE completed
            C: c LIST "" ("E*" "R*")
            S: * LIST (\\HasNoChildren) "/" "Entw\u00fcrfe"
            S: * LIST (\\HasNoChildren) "/" R&D
            S: c OK LIST completed
            C: d STATUS "Entw\u00fcrfe" (MESSAGES)
            S: * STATUS "Entw\u00fcrfe" (MESSAGES 0)
            S: d OK STATUS completed
            C: e LIST "" "Entw\u00fc%"
            S: * LIST (\\HasNoChildren) "/" "Entw\u00fcrfe"
            S: e OK LIST completed
            C1: f LIST "" ("E*" "R*")
            S1: * LIST (\\HasNoChildren) "/" Entw&APw-rfe
            S1: * LIST (\\HasNoChildren) "/" R&-D
            S1: f OK LIST completed
            """
        )

    def test_a_name_that_is_no_utf_8(self) -> None:
        self.enable()
        self.talk('C: a CREATE "x\udcff"\nS: a BAD Expected UTF-8')

    def test_a_control_character(self) -> None:
        """Net-Unicode has none (5.1)."""
        self.enable()
        self.talk('C: a CREATE "x\u0085y"\nS: a NO [CANNOT] ...')

    def test_create_rename_and_delete_in_another_spelling(self) -> None:
        """6.3.9.7."""
        self.enable()
        self.talk(
            """
            C: a CREATE "A\u030a"
            S: * LIST (\\HasNoChildren) "/" "\u00c5" ("OLDNAME" ("A\u030a"))
            S: a OK [MAILBOXID ...] CREATE completed
            C: b RENAME "A\u030a" Work/Now
            S: * LIST (\\HasNoChildren) "/" Work/Now ("OLDNAME" ("A\u030a"))
            S: b OK RENAME completed
            C: c RENAME Work "O\u0308"
            S: * LIST (\\HasChildren) "/" "\u00d6" ("OLDNAME" (Work))
            S: c OK RENAME completed
            C: d DELETE "O\u0308/Now"
            S: * LIST (\\NonExistent) "/" "\u00d6/Now" ("OLDNAME" ("O\u0308/Now"))
            S: d OK DELETE completed
            """
        )

    def test_a_client_of_rev1_is_told_nothing_of_that(self) -> None:
        self.sign_in()
        self.talk(
            """
            C: a CREATE A&Awo-
            S: a OK [MAILBOXID ...] CREATE completed
            C: b RENAME &AMU- Work
            S: b OK RENAME completed
            """
        )

    def test_delete_of_a_name_with_children(self) -> None:
        """7.1, HASCHILDREN."""
        run(self.account.create("Notes/2024"))
        run(self.account.delete("Notes"))
        self.enable()
        self.talk(
            """
            C: a DELETE Notes
            S: a NO [HASCHILDREN] The name has children, and is no mailbox itself
            C: b DELETE Nothing
            S: b NO [NONEXISTENT] No such mailbox
            """
        )


class AnnouncedTests(Case):
    def test_only_with_all_that_belongs_to_it(self) -> None:
        """IMAP4rev2 has the FETCH side of BINARY, and SEARCHRES (E 2)."""
        self.assertIn(b"IMAP4rev2", Tables.build(STANDARD).announced.split())
        for missing in ("BINARY", "SEARCHRES", "MOVE"):
            tables = Tables.build(each for each in STANDARD if each.name != missing)
            self.assertNotIn(b"IMAP4rev2", tables.announced.split(), missing)
            self.assertNotIn("IMAP4REV2", tables.enables)

    def test_what_needs_an_extension_that_is_left_out(self) -> None:
        tables = Tables.build(each for each in STANDARD if each.name != "ENABLE")
        self.assertFalse({b"QRESYNC", b"IMAP4rev2"} & {*tables.announced.split()})
