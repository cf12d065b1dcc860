"""An IMAP server with one mailbox that lies, in any of some ways, until it is told to be honest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random
from typing import Any

from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineReceiver

__all__ = ["LIES", "LyingFactory", "Maildrop"]

LIES = (
    "order",  # FETCH responses in any order
    "twice",  # some of them twice
    "same uid",  # a message has the UID of another
    "odd uids",  # some are 0, or the largest that there is
    "validity",  # another UIDVALIDITY at each SELECT
    "no validity",
    "no uidnext",
    "sizes",
    "nil",  # bodies that are NIL
    "empty",  # bodies without octets
    "unasked",  # bodies of messages that nobody asked for
    "hidden",  # some messages are not listed
    "more",  # more messages are listed than there are
    "exists",  # a number of messages that is wrong
    "modseq",  # any number
    "vanished",  # known messages are said to be gone
    "dates",
    "flags",
    "search",  # all UIDs that there can be
)
"""The lies.  None of them gives other octets for a message, because then nobody could know better."""

_SET = re.compile(rb"UID (?:FETCH|SEARCH UID) (\S+)")


class Maildrop:
    """The truth: messages by their UIDs, with their flags.

    :ivar lies: those that it tells now.
    :ivar sent: octets in all.
    """

    def __init__(self, messages: dict[int, bytes], seed: int, *, qresync: bool) -> None:
        self.messages = messages
        self.flags: dict[int, str] = dict.fromkeys(messages, "\\Seen")
        self.random = Random(seed)
        self.lies: frozenset[str] = frozenset()
        self.qresync = qresync
        self.sent = 0

    def lying(self, lie: str) -> bool:
        """Whether it tells this lie now: mostly."""
        return lie in self.lies and self.random.random() < 0.7


class LyingFactory(Factory):
    """Makes connections to a `Maildrop`."""

    def __init__(self, maildrop: Maildrop) -> None:
        self.maildrop = maildrop

    def buildProtocol(self, addr: Any) -> _Lying:
        return _Lying(self.maildrop)


class _Lying(LineReceiver):
    def __init__(self, maildrop: Maildrop) -> None:
        self._truth = maildrop

    def connectionMade(self) -> None:
        more = " ENABLE CONDSTORE QRESYNC" if self._truth.qresync else ""
        self._say(f"* PREAUTH [CAPABILITY IMAP4rev1 UIDPLUS NAMESPACE{more}] Hello")

    def _say(self, line: str | bytes) -> None:
        octets = line if isinstance(line, bytes) else line.encode()
        self._truth.sent += len(octets) + 2
        self.sendLine(octets)

    def lineReceived(self, line: bytes) -> None:
        tag, _, rest = line.partition(b" ")
        words = rest.upper().split()
        name = b"_".join(words[:2] if words[0] == b"UID" else words[:1]).decode().lower()
        getattr(self, f"_do_{name}", lambda _: None)(rest)
        code = "[READ-ONLY] " if name == "examine" else ""
        self._say(tag + f" OK {code}done".encode())

    def _do_enable(self, _: bytes) -> None:
        self._say("* ENABLED QRESYNC")

    def _do_namespace(self, _: bytes) -> None:
        self._say('* NAMESPACE (("" "/")) NIL NIL')

    def _do_list(self, _: bytes) -> None:
        self._say('* LIST () "/" INBOX')

    _do_lsub = _do_list

    def _do_select(self, _: bytes) -> None:
        truth, random = self._truth, self._truth.random
        exists = len(truth.messages)
        if truth.lying("exists"):
            exists = random.choice((0, 1, exists * 2, exists + 1))
        self._say(f"* {exists} EXISTS")
        self._say("* FLAGS (\\Seen \\Flagged \\Deleted)")
        self._say("* OK [PERMANENTFLAGS (\\Seen \\Flagged \\*)] x")
        validity = random.randint(1, 1 << 31) if truth.lying("validity") else 7
        if not truth.lying("no validity"):
            self._say(f"* OK [UIDVALIDITY {validity}] x")
        if not truth.lying("no uidnext"):
            self._say(f"* OK [UIDNEXT {max(truth.messages, default=0) + 1}] x")
        if truth.qresync:
            self._say(f"* OK [HIGHESTMODSEQ {self._modseq()}] x")

    _do_examine = _do_select

    def _modseq(self) -> int:
        truth = self._truth
        return truth.random.choice((1, 5, 1 << 62)) if truth.lying("modseq") else 10

    def _do_uid_search(self, _: bytes) -> None:
        uids = [*self._truth.messages]
        if self._truth.lying("search"):
            uids = [1, 4294967295, 4294967295, *uids]
        self._say("* SEARCH " + " ".join(map(str, uids)))

    def _do_uid_fetch(self, rest: bytes) -> None:
        found = _SET.match(rest)
        assert found is not None
        truth, random, items = self._truth, self._truth.random, rest.upper()
        if truth.lying("vanished") and truth.qresync and b"VANISHED" in items:
            self._say("* VANISHED (EARLIER) 1:3")
        rows = [*self._asked(found[1].decode())]
        is_list = b"BODY" not in items
        if is_list and "hidden" in truth.lies:
            rows = [row for row in rows if random.random() < 0.8]
        if "twice" in truth.lies:
            rows += [row for row in rows if random.random() < 0.5]
        if not is_list and truth.lying("unasked"):
            rows += [(1 + at, uid, text) for at, (uid, text) in enumerate(truth.messages.items())]
        if is_list and truth.lying("more"):
            rows += [(1 + at, 10_000 + at, b"") for at in range(random.choice((5, 5000)))]
        if "order" in truth.lies:
            random.shuffle(rows)
        for number, uid, octets in rows:
            self._say(b"* %d FETCH (%b)" % (number, b" ".join(self._told(uid, octets, items))))

    def _asked(self, text: str) -> Iterator[tuple[int, int, bytes]]:
        last = max(self._truth.messages, default=0)
        ranges = []
        for each in text.split(","):
            ends = [last if end == "*" else int(end) for end in each.split(":")]
            ranges.append((min(ends), max(ends)))
        for at, (uid, octets) in enumerate(self._truth.messages.items()):
            if any(low <= uid <= high for low, high in ranges):
                yield at + 1, uid, octets

    def _told(self, uid: int, octets: bytes, items: bytes) -> Iterator[bytes]:
        truth, random = self._truth, self._truth.random
        shown = uid
        if b"BODY" not in items:
            if truth.lying("same uid"):
                shown = random.choice([*truth.messages])
            if truth.lying("odd uids"):
                shown = random.choice((0, 4294967295, uid))
        yield b"UID %d" % shown
        if b"FLAGS" in items:
            flags = truth.flags.get(uid, "")
            if truth.lying("flags"):
                flags = random.choice(("\\Seen \\seen \\SEEN", "\\Bogus $x", "a" * 300, "]( x", "\\*", ""))
            yield f"FLAGS ({flags})".encode()
        if b"RFC822.SIZE" in items:
            size = random.choice((0, 1, 1 << 31)) if "sizes" in truth.lies else len(octets)
            yield b"RFC822.SIZE %d" % size
        if b"INTERNALDATE" in items:
            date = "01-Jan-2020 00:00:00 +0000"
            if truth.lying("dates"):
                date = random.choice(
                    ("01-Jan-0001 00:00:00 +1400", "31-Dec-9999 23:59:59 -1200", "99-Foo-2020", "", date)
                )
            yield f'INTERNALDATE "{date}"'.encode()
        if b"BODY" in items:
            if truth.lying("nil"):
                yield b"BODY[] NIL"
            elif truth.lying("empty"):
                yield b'BODY[] ""'
            else:
                yield b"BODY[] {%d}\r\n%b" % (len(octets), octets)
        if b"CHANGEDSINCE" in items:
            yield b"MODSEQ (%d)" % self._modseq()
