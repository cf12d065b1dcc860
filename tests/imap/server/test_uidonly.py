"""UIDONLY (RFC 9586): no numbers in commands, and none in responses."""

from __future__ import annotations

from mailproto.model import FlagChange, FlagOperation
from tests.imap.server.dialogue import DialogueTestCase, run


class UidOnlyTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.fill(5)
        run(self.inbox.claim_recent())
        self.inbox.remove([1, 2])
        self.sign_in(select="INBOX")
        self.talk("C: e ENABLE UIDONLY\nS: * ENABLED UIDONLY\nS: e OK ENABLE completed")

    def test_numbers_are_refused(self) -> None:
        for command in (
            "FETCH 1 (FLAGS)",
            "STORE 1 +FLAGS (\\Seen)",
            "SEARCH ALL",
            "COPY 1 Sent",
            "MOVE 1 Sent",
            "SORT (ARRIVAL) UTF-8 ALL",
            "THREAD REFERENCES UTF-8 ALL",
            "UID SEARCH 1:2",
            "UID SEARCH OR SEEN NOT (FLAGGED 1)",
            "UID SORT (ARRIVAL) UTF-8 1",
            "UID THREAD REFERENCES UTF-8 1",
        ):
            self.talk(f"C: a {command}\nS: a BAD [UIDREQUIRED] Messages have no numbers, only UIDs")

    def test_fetch(self) -> None:
        self.talk(
            """
            C: a UID FETCH 3:4 (FLAGS)
            S: * 3 UIDFETCH (FLAGS ())
            S: * 4 UIDFETCH (FLAGS ())
            S: a OK UID FETCH completed
            C: b UID FETCH 5 (UID BODY.PEEK[TEXT])
            S: * 5 UIDFETCH (UID 5 BODY[TEXT] {11}
            S: Hello Bob
            S: )
            S: b OK UID FETCH completed
            C: c UID FETCH 5 (BODY[TEXT])
            S: * 5 UIDFETCH (BODY[TEXT] {11}
            S: Hello Bob
            S:  FLAGS (\\Seen))
            S: c OK UID FETCH completed
            """
        )

    def test_store_and_expunge(self) -> None:
        self.talk(
            """
            C: a UID STORE 3:4 +FLAGS (\\Deleted)
            S: * 3 UIDFETCH (FLAGS (\\Deleted))
            S: * 4 UIDFETCH (FLAGS (\\Deleted))
            S: a OK UID STORE completed
            C: b UID EXPUNGE 4
            S: * VANISHED 4
            S: b OK UID EXPUNGE completed
            C: c EXPUNGE
            S: * VANISHED 3
            S: c OK EXPUNGE completed
            C: d UID MOVE 5 Sent
            S: * OK [COPYUID ...] Moved
            S: * VANISHED 5
            S: d OK UID MOVE completed
            """
        )

    def test_what_others_do(self) -> None:
        run(self.inbox.store([4], FlagChange(FlagOperation.ADD, frozenset({"\\Seen"}))))
        self.inbox.remove([3])
        self.fill(1)
        run(self.inbox.claim_recent())
        self.talk(
            """
            C: a NOOP
            S: * 4 EXISTS
            S: * 0 RECENT
            S: * 4 UIDFETCH (FLAGS (\\Seen))
            S: * VANISHED 3
            S: a OK NOOP completed
            """
        )

    def test_search(self) -> None:
        self.talk(
            """
            C: a UID SEARCH RETURN (SAVE COUNT) UID 4:*
            S: * ESEARCH (TAG "a") UID COUNT 2
            S: a OK UID SEARCH completed
            C: b UID SEARCH NOT $
            S: * SEARCH 3
            S: b OK UID SEARCH completed
            C: c UID FETCH $ (FLAGS)
            S: * 4 UIDFETCH (FLAGS ())
            S: * 5 UIDFETCH (FLAGS ())
            S: c OK UID FETCH completed
            """
        )

    def test_with_modseqs(self) -> None:
        now = run(self.inbox.status()).modseq
        self.talk(
            f"""
            C: a ENABLE QRESYNC
            S: * OK [HIGHESTMODSEQ {now}] Highest
            S: * ENABLED QRESYNC
            S: a OK ENABLE completed
            C: b UID STORE 4 (UNCHANGEDSINCE {now}) +FLAGS.SILENT (\\Seen)
            S: * 4 UIDFETCH (MODSEQ ({now + 1}))
            S: b OK UID STORE completed
            C: c UID STORE 4 (UNCHANGEDSINCE {now}) -FLAGS (\\Seen)
            S: c OK [MODIFIED 4] Conditional STORE failed
            C: d UID FETCH 1:* (FLAGS) (CHANGEDSINCE {now - 1} VANISHED)
            S: * VANISHED (EARLIER) 1:2
            S: * 4 UIDFETCH (FLAGS (\\Seen) MODSEQ ({now + 1}))
            S: d OK UID FETCH completed
            C: f UID FETCH 3 (BODY[1])
            S: * 3 UIDFETCH (BODY[1] {{11}}
            S: Hello Bob
            S:  FLAGS (\\Seen) MODSEQ ({now + 2}))
            S: f OK UID FETCH completed
            C: g SELECT INBOX (QRESYNC ({self.inbox.uid_validity} {now} 1:5 (1 3)))
            S: g BAD [UIDREQUIRED] ...
            C: h SELECT INBOX (QRESYNC ({self.inbox.uid_validity} {now} 1:5))
            S: * OK [CLOSED] Previous mailbox closed
            S*: * OK ...
            S*: * FLAGS ...
            S*: * OK ...
            S*: * 3 EXISTS
            S*: * 0 RECENT
            S*: * OK ...
            S: * 3 UIDFETCH (FLAGS (\\Seen) MODSEQ ({now + 2}))
            S: * 4 UIDFETCH (FLAGS (\\Seen) MODSEQ ({now + 1}))
            S: h OK [READ-WRITE] SELECT completed
            """
        )
