"""What the client itself adds to the selected mailbox: EXISTS comes before the OK, however late hints are."""

from __future__ import annotations

from mailproto.errors import Unavailable
from mailproto.model import Changes
from tests.imap.server.dialogue import DialogueTestCase, run


class OwnChangeTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.fill(2)
        run(self.inbox.claim_recent())
        self.patch_method(self.inbox, "watch", lambda inbox, listener: lambda: None)
        self.sign_in(select="INBOX")

    def test_append(self) -> None:
        self.talk(
            """
            C: a APPEND INBOX {1+}
            C: x
            S: * 3 EXISTS
            S: * 1 RECENT
            S: a OK [APPENDUID ...] APPEND completed
            C: b STORE 3 +FLAGS (\\Seen)
            S: * 3 FETCH (FLAGS (\\Seen \\Recent))
            S: b OK STORE completed
            """
        )

    def test_copy(self) -> None:
        self.talk(
            """
            C: a COPY 1:2 INBOX
            S: * 4 EXISTS
            S: * 2 RECENT
            S: a OK [COPYUID ...] COPY completed
            C: b COPY 4 INBOX
            S: * 5 EXISTS
            S: * 3 RECENT
            S: b OK [COPYUID ...] COPY completed
            """
        )

    def test_move(self) -> None:
        self.talk(
            """
            C: a MOVE 1 INBOX
            S: * OK [COPYUID ...] Moved
            S: * 1 EXPUNGE
            S: * 2 EXISTS
            S: * 1 RECENT
            S: a OK MOVE completed
            """
        )

    def test_elsewhere(self) -> None:
        run(self.account.create("Work"))
        self.inbox.add(b"x")
        self.talk(
            """
            C: a COPY 1 Work
            S: a OK [COPYUID ...] COPY completed
            """
        )


class ModseqTests(DialogueTestCase):
    """After a command, a client may take itself to know all changes up to the modseqs it was told (RFC 7162
    3.2), so that those of its own changes must not hide what others did just before.  No hint comes in time
    here, as from another process."""

    def setUp(self) -> None:
        super().setUp()
        self.fill(3)
        run(self.inbox.claim_recent())
        self.patch(type(self.inbox), "watch", lambda inbox, listener: lambda: None)
        self.sign_in()
        self.talk("C: e ENABLE QRESYNC\nS: * ENABLED QRESYNC\nS: e OK ...")
        self.talk("C: s SELECT INBOX\nS*: * ...\nS: s OK ...")
        self.known = run(self.inbox.status()).modseq

    def test_seen(self) -> None:
        self.inbox.remove([2])
        self.talk(
            f"""
            C: a FETCH 1 (BODY[TEXT])
            S: * 1 FETCH (BODY[TEXT] {{11}}
            S: Hello Bob
            S:  FLAGS (\\Seen) UID 1 MODSEQ ({self.known + 2}))
            S: * OK [HIGHESTMODSEQ {self.known}] Highest
            S: a OK FETCH completed
            C: b NOOP
            S: * VANISHED 2
            S: * OK [HIGHESTMODSEQ {self.known + 2}] Highest
            S: b OK NOOP completed
            """
        )

    def test_seen_with_uids(self) -> None:
        self.inbox.remove([2])
        self.talk(
            f"""
            C: a UID FETCH 1 (BODY[TEXT])
            S: * 1 FETCH (UID 1 BODY[TEXT] {{11}}
            S: Hello Bob
            S:  FLAGS (\\Seen) MODSEQ ({self.known + 2}))
            S: * VANISHED 2
            S: a OK UID FETCH completed
            """
        )

    def test_a_refusal(self) -> None:
        """It brings no updates."""
        self.inbox.remove([2])
        self.talk(
            f"""
            C: a FETCH 1:2 (BODY[TEXT])
            S: * 1 FETCH (BODY[TEXT] {{11}}
            S: Hello Bob
            S:  FLAGS (\\Seen) UID 1 MODSEQ ({self.known + 2}))
            S: * OK [HIGHESTMODSEQ {self.known}] Highest
            S: a NO [EXPUNGEISSUED] ...
            C: b NOOP
            S: * VANISHED 2
            S: * OK [HIGHESTMODSEQ {self.known + 2}] Highest
            S: b OK NOOP completed
            """
        )

    def test_changes_cannot_be_read(self) -> None:
        self.inbox.remove([2])
        changes_since = type(self.inbox).changes_since

        def failing(mailbox: object, modseq: int) -> Changes:
            raise Unavailable

        self.patch(type(self.inbox), "changes_since", failing)
        self.talk(
            f"""
            C: a FETCH 1 (BODY[TEXT])
            S: * 1 FETCH (BODY[TEXT] {{11}}
            S: Hello Bob
            S:  FLAGS (\\Seen) UID 1 MODSEQ ({self.known + 2}))
            S: * OK [HIGHESTMODSEQ {self.known}] Highest
            S: a OK FETCH completed
            C: b STORE 1 +FLAGS (\\Flagged)
            S: * 1 FETCH (UID 1 FLAGS (\\Flagged \\Seen) MODSEQ ({self.known + 3}))
            S: * OK [HIGHESTMODSEQ {self.known}] Highest
            S: b NO ...
            """
        )
        self.flushLoggedErrors(Unavailable)
        self.patch(type(self.inbox), "changes_since", changes_since)
        self.talk(
            f"""
            C: c NOOP
            S: * VANISHED 2
            S: * OK [HIGHESTMODSEQ {self.known + 3}] Highest
            S: c OK NOOP completed
            """
        )
