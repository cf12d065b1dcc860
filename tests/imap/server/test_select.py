"""SELECT, EXAMINE, CLOSE, UNSELECT, EXPUNGE; what two sessions tell each other of one mailbox."""

from __future__ import annotations

from mailproto.model import FlagChange, FlagOperation
from tests.imap.server.dialogue import DialogueTestCase, run


class SelectTests(DialogueTestCase):
    def test_select(self) -> None:
        self.fill(1, flags=["\\Seen", "$Forwarded"])
        self.fill(2)
        self.sign_in()
        self.talk(
            f"""
            C: a SELECT inbox
            S: * FLAGS (\\Answered \\Deleted \\Draft \\Flagged \\Seen $Forwarded)
            S: * OK [PERMANENTFLAGS (\\* \\Answered \\Deleted \\Draft \\Flagged \\Seen)] Flags that are kept
            S: * 3 EXISTS
            S: * 3 RECENT
            S: * OK [UNSEEN 2] First unseen
            S: * OK [UIDVALIDITY {self.inbox.uid_validity}] UIDs are valid
            S: * OK [UIDNEXT 4] Predicted next UID
            S: * OK [MAILBOXID ...
            S: a OK [READ-WRITE] SELECT completed
            """
        )

    def test_an_empty_mailbox(self) -> None:
        self.sign_in()
        self.talk(
            """
            C: a EXAMINE INBOX
            S: * FLAGS (\\Answered \\Deleted \\Draft \\Flagged \\Seen)
            S: * OK [PERMANENTFLAGS ()] Flags that are kept
            S: * 0 EXISTS
            S: * 0 RECENT
            S: * OK [UIDVALIDITY ...
            S: * OK [UIDNEXT 1] Predicted next UID
            S: * OK [MAILBOXID ...
            S: a OK [READ-ONLY] EXAMINE completed
            """
        )

    def test_a_mailbox_that_cannot_be_written_is_selected_read_only(self) -> None:
        self.inbox.writable = False
        self.sign_in()
        self.talk(
            """
            C: a SELECT INBOX
            S*: ...
            S: a OK [READ-ONLY] SELECT completed
            C: b EXPUNGE
            S: b NO [NOPERM] Mailbox is read-only
            """
        )

    def test_recent_is_for_one_session_and_examine_leaves_it(self) -> None:
        """Corner case 33."""
        self.fill(2)
        self.sign_in("1")
        self.sign_in("2")
        self.talk(
            """
            C1: a STATUS INBOX (RECENT)
            S1: * STATUS INBOX (RECENT 2)
            S1: a OK STATUS completed
            C1: b EXAMINE INBOX
            S1*: ...
            S1: * 2 RECENT
            S1*: ...
            S1: b OK [READ-ONLY] EXAMINE completed
            C1: c FETCH 2 FLAGS
            S1: * 2 FETCH (FLAGS (\\Recent))
            S1: c OK FETCH completed
            C2: a SELECT INBOX
            S2*: ...
            S2: * 2 RECENT
            S2*: ...
            S2: a OK [READ-WRITE] SELECT completed
            C1: d SELECT INBOX
            S1*: ...
            S1: * 0 RECENT
            S1*: ...
            S1: d OK [READ-WRITE] SELECT completed
            C2: b SEARCH RECENT
            S2: * SEARCH 1 2
            S2: b OK SEARCH completed
            C1: e SEARCH OLD
            S1: * SEARCH 1 2
            S1: e OK SEARCH completed
            """
        )
        self.fill(1)
        self.talk(
            """
            C1: f NOOP
            S1: * 3 EXISTS
            S1: * 1 RECENT
            S1: f OK NOOP completed
            C2: c NOOP
            S2: * 3 EXISTS
            S2: * 2 RECENT
            S2: c OK NOOP completed
            C1: g FETCH 2:3 FLAGS
            S1: * 2 FETCH (FLAGS ())
            S1: * 3 FETCH (FLAGS (\\Recent))
            S1: g OK FETCH completed
            C1: h SEARCH NEW
            S1: * SEARCH 3
            S1: h OK SEARCH completed
            """
        )

    def test_a_failed_select_leaves_nothing_selected(self) -> None:
        """Corner case 34."""
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: a SELECT Nowhere
            S: * OK [CLOSED] Previous mailbox closed
            S: a NO [NONEXISTENT] No such mailbox
            C: b FETCH 1 FLAGS
            S: b BAD [CLIENTBUG] Not valid in this state
            """
        )

    def test_unknown_parameters_are_refused(self) -> None:
        self.sign_in()
        self.talk(
            """
            C: a SELECT INBOX (XODD)
            S: a BAD Unknown parameter
            """
        )

    def test_close_expunges_without_a_word(self) -> None:
        """Corner case 35."""
        self.fill(2, flags=["\\Deleted"])
        self.fill(1)
        self.sign_in()
        self.talk(
            """
            C: a EXAMINE INBOX
            S*: ...
            S: a OK [READ-ONLY] EXAMINE completed
            C: b CLOSE
            S: b OK CLOSE completed
            C: c STATUS INBOX (MESSAGES)
            S: * STATUS INBOX (MESSAGES 3)
            S: c OK STATUS completed
            C: d SELECT INBOX
            S*: ...
            S: d OK [READ-WRITE] SELECT completed
            C: e CLOSE
            S: e OK CLOSE completed
            C: f STATUS INBOX (MESSAGES)
            S: * STATUS INBOX (MESSAGES 1)
            S: f OK STATUS completed
            C: g CHECK
            S: g BAD [CLIENTBUG] Not valid in this state
            """
        )

    def test_unselect_expunges_nothing(self) -> None:
        self.fill(1, flags=["\\Deleted"])
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: a UNSELECT
            S: a OK UNSELECT completed
            C: b STATUS INBOX (MESSAGES DELETED)
            S: * STATUS INBOX (MESSAGES 1 DELETED 1)
            S: b OK STATUS completed
            """
        )

    def test_a_closed_view_no_longer_listens(self) -> None:
        client = self.sign_in(select="INBOX")
        view = client.session.selected
        client.send(b"a UNSELECT\r\n")
        client.received()
        self.fill(1)
        self.assertFalse(view.is_stale)


class ExpungeTests(DialogueTestCase):
    def test_numbers_shift_at_once(self) -> None:
        """Corner case 3."""
        self.fill(11)
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: a STORE 3,4,7,11 +FLAGS.SILENT (\\Deleted)
            S: a OK STORE completed
            C: b EXPUNGE
            S: * 3 EXPUNGE
            S: * 3 EXPUNGE
            S: * 5 EXPUNGE
            S: * 8 EXPUNGE
            S: b OK EXPUNGE completed
            C: c FETCH 1:* UID
            S: * 1 FETCH (UID 1)
            S: * 2 FETCH (UID 2)
            S: * 3 FETCH (UID 5)
            S: * 4 FETCH (UID 6)
            S: * 5 FETCH (UID 8)
            S: * 6 FETCH (UID 9)
            S: * 7 FETCH (UID 10)
            S: c OK FETCH completed
            """
        )

    def test_uid_expunge_takes_only_those_named(self) -> None:
        self.fill(3, flags=["\\Deleted"])
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: a UID EXPUNGE 2,77
            S: * 2 EXPUNGE
            S: a OK UID EXPUNGE completed
            C: b EXPUNGE
            S: * 1 EXPUNGE
            S: * 1 EXPUNGE
            S: b OK EXPUNGE completed
            """
        )

    def test_expunge_is_refused_after_examine(self) -> None:
        self.fill(1, flags=["\\Deleted"])
        self.sign_in()
        self.talk(
            """
            C: a EXAMINE INBOX
            S*: ...
            S: a OK [READ-ONLY] EXAMINE completed
            C: b EXPUNGE
            S: b NO [NOPERM] Mailbox is read-only
            C: c UID EXPUNGE 1
            S: c NO [NOPERM] Mailbox is read-only
            """
        )


class TwoSessionsTests(DialogueTestCase):
    def test_expunges_are_held_back_from_fetch_store_and_search(self) -> None:
        """Corner cases 1, 2 and 5."""
        self.fill(4)
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: a NOOP
            S: a OK NOOP completed
            """
        )
        self.inbox.remove([2])
        self.talk(
            """
            C: b FETCH 1:3 (UID FLAGS)
            S: * 1 FETCH (UID 1 FLAGS (\\Recent))
            S: * 2 FETCH (UID 2 FLAGS (\\Recent))
            S: * 3 FETCH (UID 3 FLAGS (\\Recent))
            S: b OK FETCH completed
            C: c FETCH 2 RFC822.SIZE
            S: c NO [EXPUNGEISSUED] Some of the messages no longer exist
            C: d STORE 2:3 +FLAGS (\\Seen)
            S: * 3 FETCH (FLAGS (\\Seen \\Recent))
            S: d NO [EXPUNGEISSUED] Some of the messages no longer exist
            C: e SEARCH ALL
            S: * SEARCH 1 3 4
            S: e OK SEARCH completed
            C: f COPY 2 Sent
            S: f NO [EXPUNGEISSUED] Some of the messages no longer exist
            C: g UID FETCH 1:3 UID
            S: * 2 EXPUNGE
            S: * 1 FETCH (UID 1)
            S: * 2 FETCH (UID 3)
            S: g OK UID FETCH completed
            """
        )

    def test_a_message_that_vanishes_while_it_is_fetched(self) -> None:
        """Corner case 5: it is gone when the mailbox is read, though no hint had come."""
        self.fill(3)
        client = self.sign_in(select="INBOX")
        client.session.selected.close()
        self.inbox.remove([2])
        self.talk(
            """
            C: a FETCH 1:3 RFC822.SIZE
            S: * 1 FETCH (RFC822.SIZE ...)
            S: * 3 FETCH (RFC822.SIZE ...)
            S: a NO [EXPUNGEISSUED] Some of the messages no longer exist
            C: b NOOP
            S: * 2 EXPUNGE
            S: b OK NOOP completed
            """
        )

    def test_nothing_is_said_while_no_command_is_in_progress(self) -> None:
        """Corner case 1."""
        self.fill(2)
        client = self.sign_in(select="INBOX")
        self.inbox.remove([1])
        self.fill(1)
        self.assertEqual(client.received(), b"")

    def test_noop_tells_of_all_that_happened(self) -> None:
        self.fill(3)
        self.sign_in(select="INBOX")
        run(self.inbox.store([3], FlagChange(FlagOperation.ADD, frozenset({"\\Flagged"}))))
        self.inbox.remove([1])
        self.fill(1)
        self.talk(
            """
            C: a NOOP
            S: * 4 EXISTS
            S: * 4 RECENT
            S: * 3 FETCH (UID 3 FLAGS (\\Flagged \\Recent))
            S: * 1 EXPUNGE
            S: a OK NOOP completed
            """
        )

    def test_exists_does_not_shrink_without_expunge(self) -> None:
        """Corner case 4."""
        self.fill(2)
        self.sign_in(select="INBOX")
        self.inbox.remove([1])
        self.fill(1)
        self.talk(
            """
            C: a FETCH 3 UID
            S: * 3 EXISTS
            S: * 3 RECENT
            S: * 3 FETCH (UID 3)
            S: a OK FETCH completed
            C: b CHECK
            S: * 1 EXPUNGE
            S: b OK CHECK completed
            C: c FETCH 1:* UID
            S: * 1 FETCH (UID 2)
            S: * 2 FETCH (UID 3)
            S: c OK FETCH completed
            """
        )

    def test_a_message_that_came_and_went_unseen_is_not_told_of(self) -> None:
        self.fill(1)
        self.sign_in(select="INBOX")
        self.fill(1)
        self.inbox.remove([2])
        self.talk(
            """
            C: a NOOP
            S: a OK NOOP completed
            """
        )

    def test_a_new_keyword_is_announced(self) -> None:
        self.fill(1)
        self.sign_in("1", select="INBOX")
        self.sign_in("2", select="INBOX")
        self.talk(
            """
            C1: a STORE 1 FLAGS ($Label1)
            S1: * FLAGS (\\Answered \\Deleted \\Draft \\Flagged \\Seen $Label1)
            S1: * 1 FETCH (FLAGS ($Label1 \\Recent))
            S1: a OK STORE completed
            C2: a NOOP
            S2: * FLAGS (\\Answered \\Deleted \\Draft \\Flagged \\Seen $Label1)
            S2: * 1 FETCH (UID 1 FLAGS ($Label1))
            S2: a OK NOOP completed
            C1: b STORE 1 FLAGS ($Label1 \\Seen)
            S1: * 1 FETCH (FLAGS (\\Seen $Label1 \\Recent))
            S1: b OK STORE completed
            """
        )

    def test_a_mailbox_deleted_by_another_session_ends_this_one(self) -> None:
        run(self.account.create("Work"))
        self.sign_in("1", select="Work")
        self.sign_in("2")
        self.talk(
            """
            C2: a DELETE Work
            S2: a OK DELETE completed
            C1: a NOOP
            S1: * BYE Selected mailbox was deleted
            S1 closes
            """
        )
        self.assertFalse(self.clients["1"].transport.is_open)

    def test_the_selected_mailbox_can_be_deleted(self) -> None:
        run(self.account.create("Work"))
        self.sign_in(select="Work")
        self.talk(
            """
            C: a DELETE Work
            S: * OK [CLOSED] Selected mailbox was deleted
            S: a OK DELETE completed
            C: b CHECK
            S: b BAD [CLIENTBUG] Not valid in this state
            """
        )

    def test_a_hint_without_a_change_costs_nothing(self) -> None:
        self.fill(1)
        client = self.sign_in(select="INBOX")
        asked = []
        original = self.inbox.changes_since

        async def changes_since(modseq: int) -> object:
            asked.append(modseq)
            return await original(modseq)

        client.session.selected.mailbox.changes_since = changes_since
        self.talk(
            """
            C: a NOOP
            S: a OK NOOP completed
            C: b FETCH 1 UID
            S: * 1 FETCH (UID 1)
            S: b OK FETCH completed
            C: c STORE 1 +FLAGS (\\Seen)
            S: * 1 FETCH (FLAGS (\\Seen \\Recent))
            S: c OK STORE completed
            C: d STORE 1 +FLAGS (\\Flagged)
            S: * 1 FETCH (FLAGS (\\Flagged \\Seen \\Recent))
            S: d OK STORE completed
            """
        )
        self.assertEqual(asked, [])
