"""Answers that were seen in public reports, replayed: see `tests.imap.client.seen`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mailproto.imap.values import BodyStructure, FetchedMessage
from tests.imap.client.dialogue import FEW, ClientTestCase
from tests.seen import Seen, seen

DATA = Path(__file__).parent / "seen"


def described(part: BodyStructure) -> str:
    """A part in one line."""
    size = str(part.size) if part.size else ""
    words = (part.number, part.media_type, part.charset, size, part.disposition, part.file_name)
    return " ".join(filter(None, words))


class SeenTests(ClientTestCase):
    def fetched(self, said: bytes, *items: str) -> FetchedMessage:
        """The message that a new client finds in an answer to FETCH."""
        self.selected(FEW, exists=300_000)
        done = self.begin(self.client.fetch(5, *items).all())
        self.transport.read()
        self.transport.send(said + b"\r\nA2 OK\r\n")
        [message] = self.result(done)
        return message

    def check(self, kind: str, made: Callable[[Seen], str]) -> None:
        """Compare what the client makes of each answer; all differences are shown together."""
        wrong = []
        for row in seen(DATA / f"{kind}.txt"):
            found = made(row)
            if found != row.expected:
                wrong.append(f"{row.title} ({row.where}):\n{found}\ninstead of:\n{row.expected}\n")
        if wrong:
            self.fail("\n" + "\n".join(wrong))

    def test_structures(self) -> None:
        self.check("structures", self.structure)

    def structure(self, row: Seen) -> str:
        """The parts, in lines; the items before and behind the structure must be there, too."""
        said = b"* 1 FETCH (RFC822.SIZE 9 BODYSTRUCTURE " + row.said + b" FLAGS (a) UID 5)"
        message = self.fetched(said, "RFC822.SIZE", "BODYSTRUCTURE", "FLAGS")
        self.assertEqual((message.size, message.flags), (9, {"a"}))
        assert message.structure is not None
        return "\n".join(map(described, message.structure.walk()))

    def test_envelopes(self) -> None:
        self.check("envelopes", self.envelope)

    def envelope(self, row: Seen) -> str:
        """The fields, in lines."""
        said = b"* 1 FETCH (RFC822.SIZE 9 ENVELOPE " + row.said + b" FLAGS (a) UID 5)"
        message = self.fetched(said, "ENVELOPE", "FLAGS")
        self.assertEqual((message.size, message.flags), (9, {"a"}))
        envelope = message.envelope
        assert envelope is not None
        sender = () if envelope.sender == envelope.from_ else envelope.sender
        reply_to = () if envelope.reply_to == envelope.from_ else envelope.reply_to
        fields = {
            "Date": envelope.date,
            "Subject": envelope.subject,
            "From": ", ".join(map(str, envelope.from_)),
            "Sender": ", ".join(map(str, sender)),
            "Reply-To": ", ".join(map(str, reply_to)),
            "To": ", ".join(map(str, envelope.to)),
            "Cc": ", ".join(map(str, envelope.cc)),
            "Bcc": ", ".join(map(str, envelope.bcc)),
            "In-Reply-To": envelope.in_reply_to,
            "Message-ID": envelope.message_id,
        }
        return "\n".join(f"{name}: {value}" for name, value in fields.items() if value)

    def test_messages(self) -> None:
        self.check("messages", self.message)

    def message(self, row: Seen) -> str:
        """What is there, in lines."""
        message = self.fetched(row.said, "FLAGS")
        lines = [str(message.uid)]
        lines += [] if message.size is None else [f"size {message.size}"]
        lines += [f"flags {' '.join(sorted(message.flags))}"] if message.flags else []
        lines += [] if message.internal_date is None else [f"date {message.internal_date}"]
        lines += [] if message.modseq is None else [f"modseq {message.modseq}"]
        lines += [f"thread {message.thread_id}"] if message.thread_id else []
        labels = message.items.get("X-GM-LABELS")
        lines += [f"labels {', '.join(str(each and each.decode()) for each in labels)}"] if labels else []
        lines += [] if message.structure is None else map(described, message.structure.walk())
        for name, content in sorted(message.sections.items()):
            lines.append(f"[{name}] {bytes(content).decode().strip()}".strip())
        return "\n".join(lines)
