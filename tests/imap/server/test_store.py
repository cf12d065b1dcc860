"""STORE and UID STORE."""

from __future__ import annotations

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
