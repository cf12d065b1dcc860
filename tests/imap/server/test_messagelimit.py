"""MESSAGELIMIT and SAVELIMIT (RFC 9738): about how many messages a command may be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mailproto.imap.limits import IMAPLimits
from tests.imap.server.dialogue import DialogueTestCase, message, run

MOST = 3


class Case(DialogueTestCase):
    limits = IMAPLimits(failure_delay=0, command_messages=MOST)

    def setUp(self) -> None:
        super().setUp()
        self.factory.limits = self.limits
        self.fill(5)
        run(self.inbox.claim_recent())
        self.inbox.remove([1])  # UIDs 2 to 5
        self.sign_in(select="INBOX")


class MessageLimitTests(Case):
    def test_capability(self) -> None:
        self.connect("new")
        self.clients["new"].send(b"a CAPABILITY\r\nb LOGIN alice secret\r\n")
        before, _, after = self.clients["new"].received().partition(b"a OK")
        self.assertNotIn(b"LIMIT=3", before)
        self.assertIn(b" MESSAGELIMIT=3", after)
        self.assertNotIn(b"SAVELIMIT", after)

    def test_fetch(self) -> None:
        """3.1: the last ones, and the UID of the first of them."""
        self.talk(
            """
            C: 03 FETCH 1:4 (UID FLAGS)
            S: * 2 FETCH (UID 3 FLAGS ())
            S: * 3 FETCH (UID 4 FLAGS ())
            S: * 4 FETCH (UID 5 FLAGS ())
            S: 03 OK [MESSAGELIMIT 3 3] FETCH completed for the last messages
            C: a UID FETCH 3:* (FLAGS)
            S*: * ...
            S: a OK UID FETCH completed
            C: b UID FETCH 2,3,4,5 (FLAGS)
            S*: * ...
            S: b OK [MESSAGELIMIT 3 3] UID FETCH completed for the last messages
            """
        )

    def test_fetch_with_partial(self) -> None:
        self.talk(
            """
            C: 10 UID FETCH 1:* (FLAGS) (PARTIAL -1:-4)
            S: 10 NO [MESSAGELIMIT 3] Too many messages
            C: 11 UID FETCH 1:* (FLAGS) (PARTIAL -1:-2)
            S*: * ...
            S: 11 OK UID FETCH completed
            """
        )

    def test_fetch_of_what_is_gone(self) -> None:
        """3.1: EXPUNGEISSUED is in the tagged response, MESSAGELIMIT in an untagged one."""
        self.inbox.remove([4])
        self.talk(
            """
            C: 11 FETCH 1:4 (UID RFC822.SIZE)
            S: * 2 FETCH (UID 3 RFC822.SIZE ...
            S: * 4 FETCH (UID 5 RFC822.SIZE ...
            S: * NO [MESSAGELIMIT 3 3] Only the last messages
            S: 11 NO [EXPUNGEISSUED] Some of the messages no longer exist
            """
        )

    def test_search(self) -> None:
        """3.1: what counts are the messages that are searched."""
        self.talk(
            """
            C: 04 UID SEARCH UNDELETED
            S: * SEARCH 3 4 5
            S: 04 OK [MESSAGELIMIT 3 3] UID SEARCH completed for the last messages
            C: a UID SEARCH UID 1:3 UNDELETED
            S: * SEARCH 2 3
            S: a OK UID SEARCH completed
            C: b SEARCH 1:4 SEEN
            S: * SEARCH
            S: b OK [MESSAGELIMIT 3 3] SEARCH completed for the last messages
            C: c UID SEARCH RETURN (COUNT) ALL
            S: * ESEARCH (TAG "c") UID COUNT 3
            S: c OK [MESSAGELIMIT 3 3] UID SEARCH completed for the last messages
            """
        )

    def test_search_of_several_mailboxes(self) -> None:
        """In each of them, as if it were selected; the response says of which messages were left out."""
        run(self.account.create("\u00e4"))
        other: Any = run(self.account.open("\u00e4"))
        for _ in range(4):
            other.add(message(), (), 0)
        where = f"UIDVALIDITY {self.inbox.uid_validity}"
        self.talk(
            f"""
            C: a ESEARCH UNDELETED
            S: * ESEARCH (TAG "a" MAILBOX INBOX {where}) UID ALL 3:5
            S: a OK [MESSAGELIMIT 3 3] ESEARCH completed for the last messages
            C: b ESEARCH IN (mailboxes (Sent INBOX &AOQ-)) RETURN (MIN) UNDELETED
            S: * ESEARCH (TAG "b" MAILBOX INBOX {where}) UID MIN 3
            S: * NO [MESSAGELIMIT 3 3] Only the last messages of INBOX
            S: * ESEARCH (TAG "b" MAILBOX &AOQ- UIDVALIDITY {other.uid_validity}) UID MIN 2
            S: * NO [MESSAGELIMIT 3 2] Only the last messages of &AOQ-
            S: b OK ESEARCH completed
            C: c ESEARCH IN (mailboxes (Sent INBOX)) SEEN
            S: * NO [MESSAGELIMIT 3 3] Only the last messages of INBOX
            S: c OK ESEARCH completed
            C: d ESEARCH IN (mailboxes (Sent INBOX)) UID 1:4 UNDELETED
            S: * ESEARCH (TAG "d" MAILBOX INBOX {where}) UID ALL 2:4
            S: d OK ESEARCH completed
            """
        )

    def test_saved_results(self) -> None:
        """3.4: what is saved has the same limit."""
        self.talk(
            """
            C: D0004 UID SEARCH RETURN (SAVE) UNDELETED
            S: D0004 OK [MESSAGELIMIT 3 3] UID SEARCH completed for the last messages
            C: a UID FETCH $ (UID)
            S: * 2 FETCH (UID 3)
            S: * 3 FETCH (UID 4)
            S: * 4 FETCH (UID 5)
            S: a OK UID FETCH completed
            """
        )

    def test_after_and_before(self) -> None:
        """3.2."""
        self.talk(
            """
            C: 12 UID SEARCH UIDAFTER 3 UNDELETED
            S: * SEARCH 4 5
            S: 12 OK UID SEARCH completed
            C: a UID SEARCH UIDBEFORE 4
            S: * SEARCH 2 3
            S: a OK UID SEARCH completed
            C: b UID SEARCH UIDAFTER 9
            S: * SEARCH
            S: b OK UID SEARCH completed
            C: c UID SEARCH NOT UIDBEFORE 1 NOT UIDAFTER 4294967295 UID 5
            S: * SEARCH 5
            S: c OK UID SEARCH completed
            C: d UID SEARCH UIDAFTER 0
            S: d BAD ...
            C: e UID SEARCH UIDBEFORE 4294967296
            S: e BAD ...
            C: f UID SEARCH UIDAFTER *
            S: f BAD ...
            """
        )

    def test_copy(self) -> None:
        """3.1: all of them or none."""
        self.talk(
            """
            C: 05 UID COPY 1:* Trash
            S: 05 NO [MESSAGELIMIT 3 3] Too many messages
            C: a STATUS Trash (MESSAGES)
            S: * STATUS Trash (MESSAGES 0)
            S: a OK STATUS completed
            C: b COPY 2:4 Trash
            S: b OK [COPYUID ...
            """
        )

    def test_move(self) -> None:
        self.talk(
            """
            C: 06 UID MOVE 1:* Trash
            S: * OK [COPYUID ...
            S: * 2 EXPUNGE
            S: * 2 EXPUNGE
            S: * 2 EXPUNGE
            S: 06 OK [MESSAGELIMIT 3 3] UID MOVE completed for the last messages
            C: 07 UID MOVE 1:* Trash
            S: * OK [COPYUID ...
            S: * 1 EXPUNGE
            S: 07 OK UID MOVE completed
            """
        )

    def test_store(self) -> None:
        self.talk(
            """
            C: 07 UID STORE 1:* +FLAGS (\\Seen)
            S: * 2 FETCH (UID 3 FLAGS (\\Seen))
            S: * 3 FETCH (UID 4 FLAGS (\\Seen))
            S: * 4 FETCH (UID 5 FLAGS (\\Seen))
            S: 07 OK [MESSAGELIMIT 3 3] UID STORE completed for the last messages
            """
        )

    def test_conditional_store(self) -> None:
        """[MODIFIED] is in the tagged response."""
        self.talk(
            """
            C: a STORE 1:4 (UNCHANGEDSINCE 1) +FLAGS (\\Seen)
            S: * OK [HIGHESTMODSEQ ...
            S: * NO [MESSAGELIMIT 3 3] Only the last messages
            S: a OK [MODIFIED 2:4] Conditional STORE failed
            """
        )

    def test_uid_expunge(self) -> None:
        """3.1: what counts are messages with \\Deleted."""
        self.factory.limits = replace(self.limits, command_messages=None)
        self.talk("C: d STORE 1:2,4 FLAGS.SILENT (\\Deleted)\nS: d OK ...")
        for client in self.clients.values():
            client.session.limits = replace(self.limits, command_messages=2)
        self.talk(
            """
            C: 08 UID EXPUNGE 1:*
            S: * 2 EXPUNGE
            S: * 3 EXPUNGE
            S: 08 OK [MESSAGELIMIT 2 3] UID EXPUNGE completed for the last messages
            C: 09 UID EXPUNGE 1:*
            S: * 1 EXPUNGE
            S: 09 OK UID EXPUNGE completed
            """
        )

    def test_expunge_and_close_have_no_limit(self) -> None:
        self.talk("C: a UID STORE 2 +FLAGS.SILENT (\\Deleted)\nS: a OK ...")
        self.talk(
            """
            C: b UID STORE 3:5 +FLAGS.SILENT (\\Deleted)
            S: b OK ...
            C: 09 EXPUNGE
            S: * 1 EXPUNGE
            S: * 1 EXPUNGE
            S: * 1 EXPUNGE
            S: * 1 EXPUNGE
            S: 09 OK EXPUNGE completed
            """
        )

    def test_thread_and_sort(self) -> None:
        """3.3: SORT has an index."""
        self.talk(
            """
            C: a THREAD REFERENCES UTF-8 ALL
            S: a NO [MESSAGELIMIT 3] Too many messages for threads
            C: b UID SORT (REVERSE ARRIVAL) UTF-8 ALL
            S: * SORT 2 3 4 5
            S: b OK UID SORT completed
            """
        )

    def test_append_of_many(self) -> None:
        self.talk(
            """
            C: a APPEND INBOX {1+}
            C: x {1+}
            C: x {1+}
            C: x {1+}
            C: x
            S: a NO [MESSAGELIMIT 3] Too many messages
            C: b APPEND INBOX {1+}
            C: x {1+}
            C: x {1+}
            C: x
            S: * 7 EXISTS
            S: * 3 RECENT
            S: b OK [APPENDUID ...
            """
        )


class SaveLimitTests(Case):
    limits = IMAPLimits(failure_delay=0, saved_messages=MOST)

    def test_only_what_saves_has_a_limit(self) -> None:
        self.talk(
            """
            C: a CAPABILITY
            S: * CAPABILITY ...
            S: a OK ...
            C: b UID SEARCH ALL
            S: * SEARCH 2 3 4 5
            S: b OK UID SEARCH completed
            C: c COPY 1:4 Trash
            S: c NO [MESSAGELIMIT 3 3] Too many messages
            C: d MOVE 1:4 Trash
            S: * OK [COPYUID ...
            S*: * ...
            S: d OK MOVE completed
            """
        )
        self.assertIn(b" SAVELIMIT=3", self.factory.tables.capabilities(self.clients[""].session))


class NoLimitTests(Case):
    limits = IMAPLimits(failure_delay=0)

    def test_there_is_no_limit_by_default(self) -> None:
        self.assertNotIn(b"ESSAGELIMIT", self.factory.tables.capabilities(self.clients[""].session))
        self.assertNotIn(b"SAVELIMIT", self.factory.tables.capabilities(self.clients[""].session))
        self.talk("C: b UID SEARCH ALL\nS: * SEARCH 2 3 4 5\nS: b OK UID SEARCH completed")
