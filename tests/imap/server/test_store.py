"""STORE and UID STORE."""

from __future__ import annotations

from typing import Any

from mailproto.imap.server import _flag_sets
from mailproto.model import FlagChange, FlagOperation
from tests.imap.server.dialogue import DialogueTestCase, run


class StoreTests(DialogueTestCase):
    def test_flags_are_set_added_and_removed(self) -> None:
        self.fill(2, flags=["\\Draft"])
        self.sign_in("2", select="INBOX")
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: a STORE 1:2 +FLAGS (\\Seen)
            S: * 1 FETCH (FLAGS (\\Draft \\Seen))
            S: * 2 FETCH (FLAGS (\\Draft \\Seen))
            S: a OK STORE completed
            C: b STORE 2 -FLAGS \\Draft
            S: * 2 FETCH (FLAGS (\\Seen))
            S: b OK STORE completed
            C: c STORE 1 FLAGS ()
            S: * 1 FETCH (FLAGS ())
            S: c OK STORE completed
            """
        )

    def test_uid_store_answers_with_uids(self) -> None:
        """Corner case 7; unknown UIDs are no error (9)."""
        self.fill(3)
        self.inbox.remove([1])
        self.sign_in("2", select="INBOX")
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: a UID STORE 3,99 +FLAGS (\\Seen)
            S: * 2 FETCH (UID 3 FLAGS (\\Seen))
            S: a OK UID STORE completed
            C: b UID STORE 77 +FLAGS (\\Seen)
            S: b OK UID STORE completed
            C: c STORE 3 +FLAGS (\\Seen)
            S: c BAD No such message
            """
        )

    def test_silent_tells_only_of_what_the_client_cannot_know(self) -> None:
        self.fill(2)
        self.sign_in("2", select="INBOX")
        self.sign_in(select="INBOX")
        run(self.inbox.store([2], FlagChange(FlagOperation.ADD, frozenset({"\\Flagged"}))))
        self.talk(
            """
            C: a STORE 1:2 +FLAGS.SILENT (\\Seen)
            S: * 2 FETCH (FLAGS (\\Flagged \\Seen))
            S: a OK STORE completed
            C: b NOOP
            S: b OK NOOP completed
            """
        )

    def test_read_only(self) -> None:
        self.fill(1)
        self.sign_in()
        self.talk(
            """
            C: a EXAMINE INBOX
            S*: ...
            S: a OK [READ-ONLY] EXAMINE completed
            C: b STORE 1 +FLAGS (\\Seen)
            S: b NO [NOPERM] Mailbox is read-only
            """
        )

    def test_silent_of_messages_that_another_session_has_removed(self) -> None:
        """RFC 2180 4.2.1: OK, and the client is told when it may be."""
        self.fill(3)
        self.sign_in("2", select="INBOX")
        self.sign_in(select="INBOX")
        self.inbox.remove([2])
        self.talk(
            """
            C: a STORE 1:3 +FLAGS.SILENT (\\Seen)
            S: a OK STORE completed
            C: b STORE 1:3 +FLAGS (\\Flagged)
            S: * 1 FETCH (FLAGS (\\Flagged \\Seen))
            S: * 3 FETCH (FLAGS (\\Flagged \\Seen))
            S: b NO [EXPUNGEISSUED] Some of the messages no longer exist
            C: c NOOP
            S: * 2 EXPUNGE
            S: c OK NOOP completed
            """
        )

    def test_a_keyword_that_was_stored_silently_is_in_flags(self) -> None:
        self.fill(1)
        self.sign_in("2", select="INBOX")
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: a STORE 1 +FLAGS.SILENT (Later)
            S: * FLAGS (\\Answered \\Deleted \\Draft \\Flagged \\Seen Later)
            S: a OK STORE completed
            C: b FETCH 1 FLAGS
            S: * 1 FETCH (FLAGS (Later))
            S: b OK FETCH completed
            """
        )

    def test_a_keyword_that_comes_while_messages_are_read_is_in_flags(self) -> None:
        self.fill(1)
        self.sign_in("2", select="INBOX")
        self.sign_in(select="INBOX")
        store = self.inbox.store

        async def after_another(uids: Any, change: Any, unchanged_since: Any = None) -> Any:
            await store([1], FlagChange(FlagOperation.ADD, frozenset({"Later"})))
            return await store(uids, change, unchanged_since)

        self.patch(self.inbox, "store", after_another)
        self.talk(
            """
            C: a FETCH 1 BODY[]<9999.1>
            S: * FLAGS (\\Answered \\Deleted \\Draft \\Flagged \\Seen Later)
            S: * 1 FETCH (BODY[]<9999> {0}
            S:  FLAGS (\\Seen Later))
            S: a OK FETCH completed
            """
        )

    def test_too_many_keywords(self) -> None:
        self.fill(1)
        self.sign_in(select="INBOX")
        names = " ".join(f"{number}".ljust(255, "a") for number in range(8))
        self.talk(
            f"""
            C: a STORE 1 FLAGS ({names})
            S: a NO [LIMIT] Too many keywords on one message
            C: b STORE 1 FLAGS ({"a" * 256})
            S: b NO [LIMIT] Keyword too long
            """
        )

    def test_flags_has_a_limit(self) -> None:
        """Of another backend, which has none."""
        self.fill(1)
        self.patch(_flag_sets, "KEYWORDS", 2)
        [message] = self.inbox._state.messages.values()
        message.flags = frozenset({"a", "b", "c", "\\Seen"})
        self.sign_in("2", select="INBOX")
        self.sign_in()
        self.talk(
            """
            C: a SELECT INBOX
            S: * FLAGS (\\Answered \\Deleted \\Draft \\Flagged \\Seen a b)
            S*: ...
            S: a OK [READ-WRITE] SELECT completed
            C: b FETCH 1 FLAGS
            S: * 1 FETCH (FLAGS (\\Seen a b c))
            S: b OK FETCH completed
            """
        )
