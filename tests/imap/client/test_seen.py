"""Answers that were seen in public reports, replayed: see `tests.imap.client.seen`."""

from __future__ import annotations

from collections.abc import Callable

from mailproto.imap.values import BodyStructure, FetchedMessage
from tests.imap.client.dialogue import FEW, ClientTestCase
from tests.imap.client.seen import Seen, seen


def described(part: BodyStructure) -> str:
    """A part in one line."""
    size = str(part.size) if part.size else ""
    words = (part.number, part.media_type, part.charset, size, part.disposition, part.file_name)
    return " ".join(filter(None, words))


class SeenTests(ClientTestCase):
    def fetched(self, said: bytes, *items: str, uid: int = 5) -> FetchedMessage:
        """The message that a new client finds in an answer to FETCH."""
        self.selected(FEW)
        done = self.begin(self.client.fetch(uid, *items).all())
        self.transport.read()
        self.transport.send(b"* 1 FETCH " + said + b"\r\nA2 OK\r\n")
        [message] = self.result(done)
        return message

    def check(self, kind: str, made: Callable[[Seen], str]) -> None:
        """Compare what the client makes of each answer; all differences are shown together."""
        wrong = []
        for row in seen(kind):
            found = made(row)
            if found != row.expected:
                wrong.append(f"{row.title} ({row.where}):\n{found}\ninstead of:\n{row.expected}\n")
        if wrong:
            self.fail("\n" + "\n".join(wrong))

    def test_structures(self) -> None:
        self.check("structures", self.structure)

    def structure(self, row: Seen) -> str:
        """The parts, in lines; the items before and behind the structure must be there, too."""
        said = b"(RFC822.SIZE 9 BODYSTRUCTURE " + row.said + b" FLAGS (a) UID 5)"
        message = self.fetched(said, "RFC822.SIZE", "BODYSTRUCTURE", "FLAGS")
        self.assertEqual((message.size, message.flags), (9, {"a"}))
        assert message.structure is not None
        return "\n".join(map(described, message.structure.walk()))
