"""Reading goes on when nothing can be kept: ``\\Recent`` and ``\\Seen`` are no reason to refuse it."""

from __future__ import annotations

from twisted.logger import globalLogPublisher

from mailproto.errors import MailError, OverQuota, ReadOnly, StorageFull, Unavailable
from tests.imap.server.dialogue import DialogueTestCase


class NotKeptTests(DialogueTestCase):
    def fail_with(self, error: MailError) -> None:
        """From now on no flag of INBOX can be kept."""

        async def fails(*arguments: object) -> None:
            raise error

        self.inbox.store = self.inbox.claim_recent = fails
        self.events: list[dict[str, object]] = []
        globalLogPublisher.addObserver(self.events.append)  # type: ignore[arg-type]
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)  # type: ignore[arg-type]

    def read_all(self, error: MailError) -> None:
        self.fill(1, flags=["\\Seen"])
        self.fill(1)
        self.fail_with(error)
        for name in ("", "2"):  # of the second session they are recent, too
            self.sign_in(name)
            text = """
                C: a SELECT INBOX
                S*: ...
                S: * 2 EXISTS
                S: * 2 RECENT
                S*: ...
                S: a OK [READ-WRITE] SELECT completed
                C: b FETCH 1:2 (FLAGS BODY[TEXT])
                S: * 1 FETCH (FLAGS (\\Seen \\Recent) BODY[TEXT] {11}
                S: Hello Bob
                S: )
                S: * 2 FETCH (FLAGS (\\Recent) BODY[TEXT] {11}
                S: Hello Bob
                S: )
                S: b OK FETCH completed
                C: c FETCH 2 BODY[TEXT]
                S: * 2 FETCH (BODY[TEXT] {11}
                S: Hello Bob
                S: )
                S: c OK FETCH completed
                C: d UID SEARCH UNSEEN
                S: * SEARCH 2
                S: d OK UID SEARCH completed
                """
            self.talk(text.replace("C:", f"C{name}:").replace("S:", f"S{name}:").replace("S*:", f"S{name}*:"))

    def asked_for(self, code: str, text: str) -> None:
        """What the client asks for itself is refused, with the reason."""
        self.talk(
            f"""
            C: e STORE 2 +FLAGS (\\Seen)
            S: e NO [{code}] {text}
            """
        )

    def test_no_room_on_the_disk(self) -> None:
        self.read_all(StorageFull(detail="the disk is full"))
        self.asked_for("OVERQUOTA", "Insufficient system storage")
        lines = [str(event["line"]) for event in self.events if event.get("kind") == "failed"]
        self.assertEqual(len(lines), 7)  # each SELECT, each FETCH, and STORE
        for line, command in zip(lines, ("SELECT", "FETCH", "FETCH"), strict=False):
            self.assertIn(f"command={command} ", line)
            self.assertIn('detail="the disk is full"', line)

    def test_a_disk_that_fails(self) -> None:
        self.read_all(Unavailable())
        self.asked_for("UNAVAILABLE", "Temporary failure, try again later")

    def test_no_quota(self) -> None:
        self.read_all(OverQuota())
        self.asked_for("OVERQUOTA", "Mailbox full")

    def test_a_mailbox_that_became_read_only(self) -> None:
        self.read_all(ReadOnly())
        self.asked_for("NOPERM", "Mailbox is read-only")
