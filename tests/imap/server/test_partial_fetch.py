"""PARTIAL as a modifier of UID FETCH (RFC 9394 3.3, 3.4)."""

from __future__ import annotations

from mailproto.model import FlagChange, FlagOperation
from tests.imap.server.dialogue import DialogueTestCase, run


class PartialTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.fill(6)
        run(self.inbox.claim_recent())
        self.inbox.remove([3])
        self.sign_in(select="INBOX")

    def fetch(self, modifiers: str, *found: tuple[int, int], uids: str = "2:6") -> None:
        told = "\n".join(f"S: * {number} FETCH (UID {uid})" for number, uid in found)
        self.talk(f"C: a UID FETCH {uids} (UID) ({modifiers})\n{told}\nS: a OK UID FETCH completed")

    def test_from_the_beginning(self) -> None:
        self.fetch("PARTIAL 1:2", (2, 2), (3, 4))
        self.fetch("PARTIAL 3:2", (3, 4), (4, 5))
        self.fetch("PARTIAL 4:100", (5, 6))
        self.fetch("PARTIAL 5:100")
        self.fetch("PARTIAL 1:2", (1, 1), (5, 6), uids="1,6")

    def test_from_the_end(self) -> None:
        self.fetch("PARTIAL -1:-3", (3, 4), (4, 5), (5, 6))
        self.fetch("PARTIAL -2:-1", (4, 5), (5, 6))
        self.fetch("PARTIAL -4:-100", (2, 2))
        self.fetch("PARTIAL -5:-100")

    def test_with_changedsince(self) -> None:
        """In any order: the places come first."""
        since = run(self.inbox.status()).modseq
        run(self.inbox.store([2, 6], FlagChange(FlagOperation.ADD, frozenset({"\\Seen"}))))
        self.talk("C: e ENABLE CONDSTORE\nS*: * ...\nS: e OK ...")
        for modifiers in (f"PARTIAL -1:-2 CHANGEDSINCE {since}", f"CHANGEDSINCE {since} PARTIAL -1:-2"):
            self.talk(
                f"""
                C: a UID FETCH 1:* (UID) ({modifiers})
                S: * 5 FETCH (UID 6 MODSEQ ({since + 1}))
                S: a OK UID FETCH completed
                """
            )

    def test_bad(self) -> None:
        self.talk("C: a FETCH 1:* (UID) (PARTIAL 1:2)\nS: a BAD PARTIAL is for UID FETCH")
        for wrong in ("0:1", "1", "1:*", "-1:2", "1:-2", "*:1", "1:99999999999", "a:b"):
            self.talk(f"C: a UID FETCH 1:* (UID) (PARTIAL {wrong})\nS: a BAD ...")
