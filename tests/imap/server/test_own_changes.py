"""What the client itself adds to the selected mailbox: EXISTS comes before the OK, however late hints are."""

from __future__ import annotations

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
