"""A client that believes what it is told of its mailbox, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

__all__ = ["Believer", "Known"]

_NUMBERED = re.compile(rb"\* ([0-9]+) (EXISTS|EXPUNGE)")
_FETCH = re.compile(rb"\* ([0-9]+) (UID)?FETCH \((.*)\)")
_VANISHED = re.compile(rb"\* VANISHED (\(EARLIER\) )?([0-9:,]+)")
_HIGHEST = re.compile(rb"(?:\*|t) OK \[HIGHESTMODSEQ ([0-9]+)\]")
_LITERAL = re.compile(rb"\{([0-9]+)\}\r\n")
_UID = re.compile(rb"UID ([0-9]+)")
_FLAGS = re.compile(rb"FLAGS \(([^)]*)\)")
_MODSEQ = re.compile(rb"MODSEQ \(([0-9]+)\)")
_VALIDITY = re.compile(rb"\[UIDVALIDITY ([0-9]+)\]")


@dataclass
class Known:
    """What is known of a message; None for what is not."""

    uid: int | None = None
    flags: frozenset[str] | None = None
    modseq: int = 0


class Believer:
    """One session's client.

    :param exchange: sends octets, and gives what comes back.
    :param enabled: the extensions that it has enabled.
    :ivar messages: by number.
    :ivar modseq: it takes itself to know all changes up to it (RFC 7162 6).
    """

    def __init__(self, exchange: Callable[[bytes], bytes], enabled: Iterable[str]) -> None:
        self._exchange = exchange
        self.enabled = frozenset(enabled)
        self.messages: list[Known] = []
        self.modseq = 0
        self.validity = 0
        self._fetches = False

    @property
    def modseqs(self) -> bool:
        """Whether it wants modseqs."""
        return bool(self.enabled & {"CONDSTORE", "QRESYNC"})

    @property
    def uids_only(self) -> bool:
        """Whether it has no numbers."""
        return "UIDONLY" in self.enabled

    def begin(self) -> None:
        """Sign in, enable, and select the mailbox; what it knows from before is brought up to date."""
        self.command("LOGIN alice secret")
        for name in sorted(self.enabled):
            self.command(f"ENABLE {name}")
        if self.validity and "QRESYNC" in self.enabled:
            self._come_back()
            return
        self.messages.clear()
        self.command("SELECT INBOX" + (" (CONDSTORE)" if self.modseqs else ""))
        self.learn()

    def _come_back(self) -> None:
        cached = {known.uid: known for known in self._known_from_the_first()}
        self.messages.clear()
        answer = self._exchange(f"t SELECT INBOX (QRESYNC ({self.validity} {self.modseq}))\r\n".encode())
        lines = answer.split(b"\r\n")
        count = 0
        for line in lines:
            if match := _NUMBERED.match(line):
                count = int(match[1])
            elif match := _VANISHED.match(line):
                assert match[1], "not EARLIER"
                for uid in _uids(match[2]):
                    cached.pop(uid, None)
            elif match := _FETCH.match(line):
                changed = _read(match[3], Known(int(match[1])) if match[2] else Known())
                assert changed.uid is not None, line
                if changed.uid in cached:  # the others are new
                    cached[changed.uid] = changed
            elif match := _HIGHEST.match(line):
                self.modseq = int(match[1])
        self.messages = sorted(cached.values(), key=lambda known: known.uid or 0)
        assert count >= len(self.messages), (count, self.messages)
        self.messages += [Known() for _ in range(count - len(self.messages))]
        self.learn()

    def learn(self) -> None:
        """Fetch what it does not know of new messages."""
        for _ in range(10):
            known = self._known_from_the_first()
            if len(known) == len(self.messages):
                return
            last = (known[-1].uid or 0) if known and not self.uids_only else 0
            items = "UID FLAGS MODSEQ" if self.modseqs else "UID FLAGS"
            self.command(f"UID FETCH {last + 1}:* ({items})")
        raise AssertionError(f"it never learns of all: {self.messages}")

    def _known_from_the_first(self) -> list[Known]:
        """The messages before the first of which it does not know all."""
        known = []
        for each in self.messages:
            if each.uid is None or each.flags is None or (self.modseqs and not each.modseq):
                break
            known.append(each)
        return known

    def command(self, text: str, *, expunges: bool = True) -> bytes:
        """Carry out a command, and take in what is told.

        :param expunges: whether it may be told of expunges.
        :returns: the tagged line, without the tag.
        """
        lines = _without_literals(self._exchange(f"t {text}\r\n".encode())).split(b"\r\n")
        seen, given = [0], None
        self._fetches = " (FLAGS)" in text
        for line in lines:
            if match := _HIGHEST.match(line):
                given = int(match[1])
            if match := _VALIDITY.search(line):
                self.validity = int(match[1])
            self._hear(line, seen, expunges=expunges)
        self.modseq = max(self.modseq, *seen) if given is None else given
        tagged = [line for line in lines if line.startswith(b"t ")]
        assert len(tagged) == 1, lines
        assert not tagged[0].startswith(b"t BAD"), (text, lines)
        return tagged[0][2:]

    def _hear(self, line: bytes, seen: list[int], *, expunges: bool) -> None:
        messages = self.messages
        if match := _NUMBERED.fullmatch(line):
            number = int(match[1])
            if match[2] == b"EXISTS":
                assert number >= len(messages), "EXISTS shrank"
                messages += [Known() for _ in range(number - len(messages))]
                return
            assert expunges, "EXPUNGE is not allowed now"
            assert not self.enabled & {"QRESYNC", "UIDONLY"}, line
            del messages[number - 1]
        elif match := _VANISHED.fullmatch(line):
            assert expunges, "VANISHED is not allowed now"
            assert not match[1], line
            for uid in _uids(match[2]):
                self._vanish(uid)
        elif match := _FETCH.fullmatch(line):
            number = int(match[1])
            assert bool(match[2]) == self.uids_only, line
            known = self._of(number) if match[2] else messages[number - 1]
            before = known.uid
            _read(match[3], known)
            assert before in (None, known.uid), f"a number moved: {line!r}"
            if self.modseqs and b"FLAGS" in match[3] and not self._fetches:  # RFC 7162 3.2.4
                assert b"MODSEQ" in match[3], line
            assert "IMAP4rev2" not in self.enabled or b"Recent" not in line, line
            seen.append(known.modseq)
        assert "IMAP4rev2" not in self.enabled or not line.endswith(b" RECENT"), line

    def _of(self, uid: int) -> Known:
        """The message with a UID, where there are no numbers; those that are not known are the last."""
        for known in self.messages:
            if known.uid == uid:
                return known
        assert self.messages, uid
        assert self.messages[-1].uid is None, f"{uid} was not counted"
        del self.messages[-1]
        at = sum(1 for known in self.messages if known.uid is not None and known.uid < uid)
        self.messages.insert(at, Known(uid))
        return self.messages[at]

    def _vanish(self, uid: int) -> None:
        for at, known in enumerate(self.messages):
            if known.uid == uid:
                del self.messages[at]
                return
        assert self.messages, uid
        below = [at for at, known in enumerate(self.messages) if known.uid is not None and known.uid < uid]
        at = -1 if self.uids_only else below[-1] + 1 if below else 0
        assert self.messages[at:], f"{uid} was not counted"
        assert self.messages[at].uid is None, f"{uid} was not counted"
        del self.messages[at]


def _without_literals(octets: bytes) -> bytes:
    pieces = []
    while match := _LITERAL.search(octets):
        pieces.append(octets[: match.start()] + b'""')
        octets = octets[match.end() + int(match[1]) :]
    return b"".join(pieces) + octets


def _read(items: bytes, known: Known) -> Known:
    if match := _UID.search(items):
        known.uid = int(match[1])
    if match := _FLAGS.search(items):
        known.flags = frozenset(match[1].decode().split()) - {"\\Recent"}
    if match := _MODSEQ.search(items):
        known.modseq = int(match[1])
    return known


def _uids(text: bytes) -> Iterable[int]:
    for part in text.split(b","):
        first, _, last = part.partition(b":")
        yield from range(int(first), int(last or first) + 1)
