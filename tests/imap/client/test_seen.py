"""Answers that were seen in public reports, replayed: see `tests.imap.client.seen`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path
from typing import Any

from twisted.python.failure import Failure

from mailproto.auth import Token
from mailproto.client.errors import AuthenticationRefused, CommandRefused, ProtocolViolation
from mailproto.imap import IMAPClient
from mailproto.imap.values import (
    BodyStructure,
    FetchedMessage,
    MailboxCounts,
    MailboxInfo,
    Namespaces,
    QuotaRoot,
    SelectedMailbox,
    ThreadNode,
)
from tests.imap.client.dialogue import BOB, FEW, ClientTestCase
from tests.seen import Seen, differences

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
        self.assertEqual(differences(DATA / f"{kind}.txt", made), "")

    def test_greetings(self) -> None:
        self.check("greetings", self.greeting)

    def greeting(self, row: Seen) -> str:
        """The capabilities, if the greeting has them."""
        self.connect()
        self.begin(self.client.namespace())
        self.transport.send(row.said + b"\r\n")
        asked = self.transport.read()
        if self.client.capabilities:
            return " ".join(sorted(self.client.capabilities))
        return "asks for capabilities" if asked == b"A1 CAPABILITY\r\n" else "does not ask"

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

    def test_mailboxes(self) -> None:
        self.check("mailboxes", self.mailbox)

    def mailbox(self, row: Seen) -> str:
        """What the call that is named first returns, as text."""
        call = row.title.partition(":")[0]
        self.selected("IMAP4rev1 NAMESPACE ID QUOTA MOVE THREAD=REFERENCES ENABLE QRESYNC")
        done = self.begin(CALLS[call](self.client))
        self.transport.read()
        self.transport.send(row.said + b"\r\n")
        return SHOWN[call](self.result(done)) or "nothing"

    def test_refusals(self) -> None:
        self.check("refusals", self.refusal)

    def refusal(self, row: Seen) -> str:
        """The errors, as text."""
        call = row.title.partition(":")[0]
        said = row.said + b"\r\n"
        if call == "greeting":
            self.connect()
            done: Any = self.client.noop()
        elif call == "login":
            self.connect("S: * OK [CAPABILITY IMAP4rev1] Hi")
            done = self.client.login("bob", "secret")
            said = said.replace(b"A2", b"A1")
        else:
            self.selected(FEW)
            done = self.client.select("INBOX") if call == "select" else self.begin(self.client.fetch(5).all())
        self.transport.read()
        self.transport.send(said)
        errors = [done.result.value] if isinstance(done.result, Failure) else []
        done.addErrback(lambda _: None)
        if not self.client.is_usable:
            last = self.error(self.client.noop(), Exception)
            errors += [] if errors and type(last) is type(errors[0]) else [last]
        expected = row.expected.splitlines()
        lines = []
        for error, wanted in zip_longest(errors, expected, fillvalue=""):
            line = told(error) if isinstance(error, Exception) else "nothing"
            lines.append(line[: max(len(wanted), 20)])
        return "\n".join(lines)

    def test_logins(self) -> None:
        self.check("logins", self.login)

    def login(self, row: Seen) -> str:
        """How it has signed in, and what is in its mailbox; it must know what the server offers now."""
        self.connect()
        credentials = Token("bob", "t") if "AUTHENTICATE XOAUTH2" in row.dialogue else BOB
        done = self.client.authenticate(credentials)
        box = self.client.select("INBOX") if "SELECT INBOX" in row.dialogue else None
        self.converse(row.dialogue)
        if isinstance(done.result, Failure):
            return str(self.error(done, AuthenticationRefused))
        told, coded = re.findall(rb"\* CAPABILITY ([^\r\n]*)|\[CAPABILITY ([^\]\r\n]*)", row.said)[-1]
        self.assertEqual(self.client.capabilities, set((told or coded).decode().upper().split()))
        words = [self.result(done)]
        if box is not None and isinstance(box.result, Failure):
            words.append(str(self.error(box, CommandRefused)))
        elif box is not None:
            selected = self.result(box)
            words += [f"{selected.exists} messages"] + ["read only"] * selected.is_read_only
        return ", ".join(words)


def told(error: Exception) -> str:
    """What the user is told, and whether the same may succeed later."""
    reply = getattr(error, "reply", None)
    words = [type(error).__name__]
    if reply is not None and reply.status in ("NO", "BAD") and not isinstance(error, ProtocolViolation):
        words += ["permanent" if reply.is_permanent else "passing", reply.code]
    return f"{' '.join(filter(None, words))}: {error}"


def listed(found: Sequence[MailboxInfo]) -> str:
    """The mailboxes, a line each."""
    return "\n".join(
        " ".join([each.name, each.delimiter, *sorted(each.attributes)])
        + ("" if each.is_selectable else " not selectable")
        for each in found
    )


def counted(counts: MailboxCounts) -> str:
    """What is known of a mailbox."""
    return ", ".join(f"{name} {value}" for name, value in asdict(counts).items() if value is not None)


def opened(box: SelectedMailbox) -> str:
    """What is known of a selected mailbox."""
    names = ("exists", "recent", "uid_validity", "uid_next", "modseq")
    words = [f"{name} {getattr(box, name)}" for name in names if getattr(box, name)]
    words += [f"flags {' '.join(sorted(box.permanent_flags))}"] if box.permanent_flags else []
    return ", ".join([*words, "read only"] if box.is_read_only else words)


def spaces(found: Namespaces) -> str:
    """The namespaces, by kind."""
    lines = []
    for kind in ("personal", "others", "shared"):
        some = [f'"{each.prefix}" {each.delimiter}' for each in getattr(found, kind)]
        lines += [f"{kind} {', '.join(some)}"] if some else []
    return "\n".join(lines)


def threaded(nodes: Sequence[ThreadNode]) -> str:
    """Threads in parentheses."""
    return " ".join(
        f"({' '.join(filter(None, [str(each.uid or '-'), threaded(each.answers)]))})" for each in nodes
    )


def quotas(roots: Sequence[QuotaRoot]) -> str:
    """What is used."""
    return "\n".join(
        f'"{root.name}" '
        + ", ".join(f"{name} {used} of {limit}" for name, (used, limit) in sorted(root.resources.items()))
        for root in roots
    )


CALLS: dict[str, Callable[[IMAPClient], Any]] = {
    "list": lambda client: client.list(),
    "status": lambda client: client.status("INBOX"),
    "select": lambda client: client.select("INBOX"),
    "search": lambda client: client.search(),
    "namespace": lambda client: client.namespace(),
    "id": lambda client: client.id(name="x"),
    "quota": lambda client: client.quota("INBOX"),
    "move": lambda client: client.move(5, "Other"),
    "thread": lambda client: client.thread(),
    "enable": lambda client: client.enable("QRESYNC"),
}
SHOWN: dict[str, Callable[[Any], str]] = {
    "list": listed,
    "status": counted,
    "select": opened,
    "search": lambda found: str(found.uids),
    "namespace": spaces,
    "id": lambda fields: "\n".join(f"{name} {value}" for name, value in sorted(fields.items())),
    "quota": quotas,
    "move": lambda copied: ", ".join(f"{source} to {target}" for source, target in copied),
    "thread": threaded,
    "enable": lambda names: " ".join(sorted(names)),
}
