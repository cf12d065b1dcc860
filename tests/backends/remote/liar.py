"""An IMAP server of one mailbox that lies as it is told, and a proxy before it, in memory.

Each of its answers is right until a `Lie` changes it: drops, doubles or swaps lines, puts in others, changes
numbers, ends in the middle, says nothing more, closes the connection, or forgets what it has said before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailproto.auth import password_portal
from mailproto.backends.remote import RemoteAccount
from mailproto.imap import IMAPClient, IMAPServerFactory
from mailproto.imap.limits import IMAPClientLimits, IMAPLimits
from mailproto.testing import MemoryTransport

__all__ = ["ENDLESS", "KINDS", "LIMITS", "Lie", "Over", "Proxy", "Shelf"]

LIMITS = IMAPClientLimits(
    line=4000,
    line_before_login=1000,
    in_memory=60,
    literal=2000,
    response=6000,
    ahead=3000,
    ahead_of_others=20_000,
    events=20,
)
MODERN = b"IMAP4rev1 LITERAL+ UIDPLUS MOVE ESEARCH IDLE CONDSTORE QRESYNC ENABLE STATUS=SIZE UNSELECT"
OLD = b"IMAP4rev1 LITERAL+ IDLE"

NUMBERS = (b"0", b"1", b"2", b"3", b"7", b"40", b"4294967295", b"4294967296", b"9223372036854775807", b"-1")
NUMBERS += (b"18446744073709551615", b"99999999999999999999999", b"1:4294967295", b"*", b"x")
EXTRAS = (
    b"* 0 EXISTS\r\n",
    b"* 1 EXISTS\r\n",
    b"* 7 EXISTS\r\n",
    b"* 4294967295 EXISTS\r\n",
    b"* 1 EXPUNGE\r\n",
    b"* 9 EXPUNGE\r\n",
    b"* 0 EXPUNGE\r\n",
    b"* VANISHED 1:4294967295\r\n",
    b"* VANISHED (EARLIER) 1:4294967295\r\n",
    b"* VANISHED 2\r\n",
    b"* 1 FETCH (UID 9 FLAGS (\\Deleted) MODSEQ (99))\r\n",
    b"* 2 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (3))\r\n",
    b"* 9 FETCH (UID 4294967295 FLAGS () MODSEQ (18446744073709551615) RFC822.SIZE 99999999999999999999)\r\n",
    b"* 9 FETCH (UID 4294967296 FLAGS () MODSEQ (9))\r\n",
    b'* 1 FETCH (UID 1 FLAGS ({14}\r\nx)\r\n* 1 EXPUNGE a\\Seen "b c" \\Recent) MODSEQ (1))\r\n',
    b'* 1 FETCH (UID 1 ENVELOPE ("a" "b) (c" NIL NIL NIL NIL NIL NIL NIL "x"y") BODYSTRUCTURE ((("x")))\r\n',
    b'* 1 FETCH (UID 1 ENVELOPE ("a" {70}\r\n' + b"z" * 70 + b" NIL NIL NIL NIL NIL NIL NIL NIL))\r\n",
    b"* 2 FETCH (UID 2 BODY[] {3}\r\na\r\n FLAGS (x))\r\n",
    b'* 2 FETCH (UID 2 BODY[] NIL)\r\n* 3 FETCH (UID 3 RFC822.SIZE -1 INTERNALDATE "never")\r\n',
    b"* 2 FETCH (UID 2 BODY[] {1999}\r\n",
    b"* 2 FETCH (UID 2 BODY[] {2001}\r\n",
    b"* SEARCH 1 2 4294967295 4294967296 0\r\n",
    b"* ESEARCH UID ALL 1:4294967295\r\n",
    b"* OK [UIDVALIDITY 8] Another\r\n",
    b"* OK [UIDVALIDITY 99999999999] Another\r\n",
    b"* OK [CLOSED] Closed\r\n",
    b"* OK [CAPABILITY IMAP4rev1] Less\r\n",
    b"* STATUS INBOX (MESSAGES 4294967295 UIDNEXT 0 UIDVALIDITY 0 HIGHESTMODSEQ 0 SIZE -1 UNSEEN x)\r\n",
    b"* STATUS INBOX (MESSAGES 0 UIDNEXT 4294967295 UIDVALIDITY 7 HIGHESTMODSEQ 18446744073709551615)\r\n",
    b'* LIST (\\NoSelect) NIL INBOX\r\n* LIST () "\\"" a\r\n* LIST () "/" {9}\r\n\r\n* 1 EXP\r\n',
    b"* BYE\r\n",
    b"* PREAUTH x\r\n",
    b"+ go on\r\n",
    b"A1 OK again\r\n",
    b"A999 OK not yet\r\n",
    b"x" * 4100 + b"\r\n",
    b"y" * 5000,
    b"* 1 FETCH (UID 1 FLAGS (" + b" ".join(b"k%d" % each for each in range(300)) + b"))\r\n",
    b"\0\xff\r\n\r\n\n* \r\n",
)
ENDINGS = (b"NO", b"BAD", b"NO [NONEXISTENT] x", b"NO [UNAVAILABLE] x", b"NO [AUTHENTICATIONFAILED] x")
ENDINGS += (b"NO [EXPUNGEISSUED] x", b"OK [UIDVALIDITY 9] x", b"OK [HIGHESTMODSEQ 0] x", b"OK [READ-ONLY] x")
ENDINGS += (b"OK [APPENDUID 7 1:100000] x", b"OK [APPENDUID 0 x] x", b"OK [COPYUID 7 1:99999 4294967295] x")
ENDINGS += (b"OK [MODIFIED 1:4294967295] x", b"NO [OVERQUOTA] x", b"NO [INUSE] x", b"")


class Lie(NamedTuple):
    """How an answer differs from the truth: a kind, and two numbers that say where and what."""

    kind: int
    where: int = 0
    what: int = 0


@dataclass
class Shelf:
    """What is in the mailbox.

    :ivar messages: flags, modseq and octets, by UID.
    """

    messages: dict[int, tuple[frozenset[bytes], int, bytes]] = field(default_factory=dict)
    uid_next: int = 1
    validity: int = 7
    modseq: int = 1

    def add(self, octets: bytes, flags: frozenset[bytes] = frozenset()) -> int:
        """Append a message."""
        self.modseq += 1
        self.messages[self.uid_next] = flags, self.modseq, octets
        self.uid_next += 1
        return self.uid_next - 1

    def flag(self, uid: int, flags: frozenset[bytes]) -> None:
        """Set the flags of a message."""
        self.modseq += 1
        self.messages[uid] = flags, self.modseq, self.messages[uid][2]

    def uids(self, text: bytes) -> list[int]:
        """The UIDs in a set that exist."""
        largest = max(self.messages, default=0)
        found: set[int] = set()
        for part in text.split(b","):
            low, _, high = part.partition(b":")
            ends = sorted(largest if end == b"*" else int(end) for end in (low, high or low))
            found |= {uid for uid in self.messages if ends[0] <= uid <= ends[1]}
        return sorted(found)


_COMMAND = re.compile(rb"(\S+) (UID )?([A-Z]+) ?(.*)", re.DOTALL)
_LITERAL = re.compile(rb"~?\{([0-9]+)\+?\}\r\n\Z")


class Connection:
    """The liar's end of one connection."""

    def __init__(self, proxy: Proxy, client: IMAPClient) -> None:
        self.proxy = proxy
        self.shelf = proxy.shelf
        self.told: list[int] = []  # the UIDs by number, as this client was told
        self.is_silent = False
        self.idle = b""
        self._in = b""
        self._selected = False
        self._qresync = False
        self.client = client
        self.transport = MemoryTransport(client.protocol, capacity=1 << 24)
        self.say(b"* PREAUTH [CAPABILITY %b] Hello\r\n" % proxy.capabilities)

    def turn(self) -> bool:
        """Answer what was asked; False if there was nothing."""
        octets = self.transport.read()
        self._in += octets
        while self.transport.is_open and (command := self._next()) is not None:
            self.say(self._answer(command))
        return bool(octets)

    def _next(self) -> bytes | None:
        end = 0
        while True:
            end = self._in.find(b"\r\n", end) + 2
            if end == 1:
                return None
            literal = _LITERAL.search(self._in[:end])
            if literal is None:
                command, self._in = self._in[: end - 2], self._in[end:]
                return command
            end += int(literal[1])
            if len(self._in) < end:
                return None

    def say(self, answer: bytes) -> None:
        """Send an answer, as the next lie wants it."""
        if self.is_silent or not self.transport.is_open:
            return
        lie = next(self.proxy.lies, Lie(0))
        LIES[lie.kind % len(LIES)](self, answer, lie)

    def send(self, octets: bytes) -> None:
        """Send octets as they are."""
        if self.transport.is_open:
            self.transport.send(octets)

    # -- the truth

    def _news(self, *, expunges: bool = True) -> bytes:
        """What this client was not told."""
        if not self._selected:
            return b""
        lines = []
        if expunges:
            gone = [uid for uid in self.told if uid not in self.shelf.messages]
            if self._qresync and gone:
                lines.append(b"* VANISHED %b\r\n" % b",".join(b"%d" % uid for uid in gone))
            for uid in gone:
                number = self.told.index(uid) + 1
                del self.told[number - 1]
                if not self._qresync:
                    lines.append(b"* %d EXPUNGE\r\n" % number)
        new = [uid for uid in self.shelf.messages if uid not in self.told]
        if new:
            self.told += new
            lines.append(b"* %d EXISTS\r\n" % len(self.told))
        return b"".join(lines)

    def _answer(self, command: bytes) -> bytes:
        if self.idle:
            tag, self.idle = self.idle, b""
            return self._news() + b"%b OK Done\r\n" % tag
        match = _COMMAND.fullmatch(command)
        assert match is not None, command
        tag, verb, rest = match[1], match[3], match[4]
        if verb == b"IDLE":
            self.idle = tag
            return b"+ idling\r\n"
        answer: Callable[[bytes], bytes] = getattr(self, f"_{verb.decode().lower()}", self._nothing)
        data = answer(rest)
        code = b"[READ-WRITE] " if verb == b"SELECT" else b""
        if verb == b"APPEND":
            code = b"[APPENDUID %d %d] " % (self.shelf.validity, self.shelf.uid_next - 1)
        news = self._news(expunges=bool(match[2]) or verb in (b"NOOP", b"EXPUNGE"))
        return data + news + b"%b OK %bDone\r\n" % (tag, code)

    def _nothing(self, rest: bytes) -> bytes:
        return b""

    def _enable(self, rest: bytes) -> bytes:
        self._qresync = b"QRESYNC" in self.proxy.capabilities
        return b"* ENABLED%b\r\n" % (b" QRESYNC" * self._qresync)

    def _capability(self, rest: bytes) -> bytes:
        return b"* CAPABILITY %b\r\n" % self.proxy.capabilities

    def _list(self, rest: bytes) -> bytes:
        return b'* LIST () "/" INBOX\r\n* LIST () "/" Other\r\n'

    _lsub = _list

    def _select(self, rest: bytes) -> bytes:
        self._selected, self.told = True, sorted(self.shelf.messages)
        return (
            b"* FLAGS (\\Seen \\Deleted)\r\n* OK [PERMANENTFLAGS (\\Seen \\Deleted \\*)] x\r\n* %d EXISTS\r\n"
            b"* OK [UIDVALIDITY %d] x\r\n* OK [UIDNEXT %d] x\r\n* OK [HIGHESTMODSEQ %d] x\r\n"
            % (len(self.told), self.shelf.validity, self.shelf.uid_next, self.shelf.modseq)
        )

    def _status(self, rest: bytes) -> bytes:
        shelf = self.shelf
        values = (
            (b"MESSAGES", len(shelf.messages)),
            (b"UNSEEN", sum(b"\\Seen" not in each[0] for each in shelf.messages.values())),
            (b"UIDNEXT", shelf.uid_next),
            (b"UIDVALIDITY", shelf.validity),
            (b"HIGHESTMODSEQ", shelf.modseq),
            (b"SIZE", sum(len(each[2]) for each in shelf.messages.values())),
        )
        told = b" ".join(b"%b %d" % pair for pair in values if pair[0] in rest)
        return b"* STATUS %b (%b)\r\n" % (rest.partition(b" ")[0], told)

    def _search(self, rest: bytes) -> bytes:
        found = sorted(self.shelf.messages)
        if b"DELETED" in rest:
            found = [uid for uid in found if b"\\Deleted" in self.shelf.messages[uid][0]]
        elif match := re.search(rb"UID ([0-9:,*]+)", rest):
            found = self.shelf.uids(match[1])
        return b"* SEARCH %b\r\n" % b" ".join(b"%d" % uid for uid in found)

    def _fetch(self, rest: bytes) -> bytes:
        wanted, _, items = rest.partition(b" ")
        since = re.search(rb"CHANGEDSINCE ([0-9]+)", items)
        lines = [self._news(expunges=False)]
        for uid in self.shelf.uids(wanted):
            flags, modseq, octets = self.shelf.messages[uid]
            if since is not None and modseq <= int(since[1]):
                continue
            values = [b"UID %d" % uid]
            if b"FLAGS" in items:
                values.append(b"FLAGS (%b)" % b" ".join(sorted(flags)))
            if b"MODSEQ" in items or since is not None:
                values.append(b"MODSEQ (%d)" % modseq)
            if b"SIZE" in items:
                values.append(b"RFC822.SIZE %d" % len(octets))
            if b"DATE" in items:
                values.append(b'INTERNALDATE "01-Feb-2003 04:05:06 +0000"')
            if b"ENVELOPE" in items:
                values.append(b'ENVELOPE (NIL "%d" NIL NIL NIL NIL NIL NIL NIL NIL)' % uid)
            if b"BODYSTRUCTURE" in items:
                values.append(b'BODYSTRUCTURE ("text" "plain" NIL NIL NIL "7bit" %d 1)' % len(octets))
            if b"BODY.PEEK[]" in items:
                values.append(b"BODY[] {%d}\r\n%b" % (len(octets), octets))
            lines.append(b"* %d FETCH (%b)\r\n" % (self.told.index(uid) + 1, b" ".join(values)))
        if since is not None and b"VANISHED" in items:
            gone = [uid for uid in range(1, self.shelf.uid_next) if uid not in self.shelf.messages]
            if gone:
                lines.append(b"* VANISHED (EARLIER) %b\r\n" % b",".join(b"%d" % uid for uid in gone))
        return b"".join(lines)

    def _store(self, rest: bytes) -> bytes:
        wanted, _, change = rest.partition(b" ")
        flags = frozenset(re.findall(rb"[\\$A-Za-z0-9]+", change.rpartition(b"(")[2]))
        for uid in self.shelf.uids(wanted):
            before = self.shelf.messages[uid][0]
            removes = b"-FLAGS" in change
            now = before - flags if removes else before | flags if b"+FLAGS" in change else flags
            if now != before:
                self.shelf.flag(uid, now)
        return b""

    def _expunge(self, rest: bytes) -> bytes:
        for uid in self.shelf.uids(rest or b"1:*"):
            if b"\\Deleted" in self.shelf.messages[uid][0]:
                del self.shelf.messages[uid]
                self.shelf.modseq += 1
        return b""

    def _append(self, rest: bytes) -> bytes:
        self.shelf.add(rest.partition(b"\r\n")[2])
        return b""


# -- the lies


def _truth(server: Connection, answer: bytes, lie: Lie) -> None:
    server.send(answer)


def _lines(answer: bytes) -> list[bytes]:
    return answer.splitlines(keepends=True)


def _drop(server: Connection, answer: bytes, lie: Lie) -> None:
    lines = _lines(answer)
    if len(lines) > 1:
        del lines[lie.where % (len(lines) - 1)]
    server.send(b"".join(lines))


def _double(server: Connection, answer: bytes, lie: Lie) -> None:
    lines = _lines(answer)
    at = lie.where % len(lines)
    server.send(b"".join([*lines[: at + 1], *lines[at:]]))


def _swap(server: Connection, answer: bytes, lie: Lie) -> None:
    server.send(b"".join(reversed(_lines(answer)[:-1])) + _lines(answer)[-1])


def _insert(server: Connection, answer: bytes, lie: Lie) -> None:
    lines = _lines(answer)
    lines.insert(lie.where % (len(lines) + 1), EXTRAS[lie.what % len(EXTRAS)])
    server.send(b"".join(lines))


def _number(server: Connection, answer: bytes, lie: Lie) -> None:
    places = list(re.finditer(rb"(?<![A-Z0-9])[0-9]+", answer))
    if places:
        at = places[lie.where % len(places)]
        answer = answer[: at.start()] + NUMBERS[lie.what % len(NUMBERS)] + answer[at.end() :]
    server.send(answer)


def _cut(server: Connection, answer: bytes, lie: Lie) -> None:
    server.send(answer[: lie.where % (len(answer) + 1)])
    if server.transport.is_open:
        server.transport.drop()


def _stop(server: Connection, answer: bytes, lie: Lie) -> None:
    server.is_silent = True
    server.send(answer[: lie.where % (len(answer) + 1)])


def _drip(server: Connection, answer: bytes, lie: Lie) -> None:
    server.is_silent = True
    server.send(answer[: lie.where % (len(answer) + 1)])
    server.proxy.dripping.append((server, (b"* OK Still here\r\n", b"* 1 FETCH (UID 1)\r\n")[lie.what % 2]))


def _end(server: Connection, answer: bytes, lie: Lie) -> None:
    lines = _lines(answer)
    tag, _, _ = lines[-1].partition(b" ")
    kept = lines[:-1] if lie.where % 2 else []
    server.send(b"".join(kept) + b"%b %b\r\n" % (tag, ENDINGS[lie.what % len(ENDINGS)]))


def _later(server: Connection, answer: bytes, lie: Lie) -> None:
    server.send(answer)
    server.send(EXTRAS[lie.what % len(EXTRAS)])


def _forget(server: Connection, answer: bytes, lie: Lie) -> None:
    """The mailbox is another one from now on, or has gone back to what it was."""
    shelf = server.shelf
    kind = lie.what % 5
    if kind == 0:
        shelf.validity += 1
    elif kind == 1:
        shelf.modseq = 1
        for uid, (flags, _, octets) in shelf.messages.items():
            shelf.messages[uid] = flags, 1, octets
    elif kind == 2 and shelf.messages:
        del shelf.messages[sorted(shelf.messages)[lie.where % len(shelf.messages)]]
    elif kind == 3:
        shelf.messages[1] = frozenset(), 1, b"again\r\n"
        shelf.messages = dict(sorted(shelf.messages.items()))
    else:
        shelf.uid_next = 2
    server.send(answer)


LIES: tuple[Callable[[Connection, bytes, Lie], None], ...] = (
    *(_truth, _drop, _double, _swap, _insert, _insert, _insert, _number, _number),
    *(_cut, _stop, _drip, _end, _end, _later, _forget),
)
KINDS = len(LIES)
ENDLESS = (LIES.index(_stop), LIES.index(_drip))
"""Kinds of lies after which a command has no answer."""


# -- the proxy


class Over(Exception):
    """The proxy has ended the session, as it may."""


class Proxy:
    """A proxy in memory before a liar, and its client.

    :param lies: for the liar's answers, one after the other; it tells the truth after them.
    :ivar longest: seconds that a command has taken.
    """

    def __init__(self, lies: Sequence[Lie] = (), *, modern: bool = True, connections: int = 2) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.capabilities = MODERN if modern else OLD
        self.shelf = Shelf()
        self.lies = iter(lies)
        self.dripping: list[tuple[Connection, bytes]] = []
        self.connections: list[Connection] = []
        self.account = RemoteAccount("alice", self.clock, self.open, connections=connections)
        portal = password_portal({"alice": "secret"}, account=lambda name: self.account)
        self.factory = IMAPServerFactory(
            portal,
            clock=self.clock,
            hostname="proxy.example",
            limits=IMAPLimits(failure_delay=0),
            mail_log=False,
        )
        self.longest = 0.0
        self.connect()

    def open(self) -> Deferred[IMAPClient]:
        """Another connection to the liar."""
        client = IMAPClient(self.clock, limits=LIMITS)
        self.connections.append(Connection(self, client))
        return client.greeted().addCallback(lambda _: client)

    def be_honest(self) -> None:
        """From now on the truth is told, over new connections where there is nothing more to be heard."""
        self.lies, self.dripping = iter(()), []
        if self.client.is_open:
            self.client.drop()
        for connection in self.connections:
            if connection.transport.is_open:
                connection.transport.drop()
        self.settle()

    def connect(self) -> None:
        """A new session of the proxy's client."""
        self.client = MemoryTransport(self.factory.buildProtocol(None), capacity=1 << 24)
        self.settle()
        self.client.read()

    def settle(self) -> bytes:
        """Pass on what there is, until all wait; returns what the proxy's client hears."""
        heard = b""
        for _ in range(10_000):
            moved = False
            for connection in list(self.connections):
                moved = connection.turn() or moved
            if any(call.getTime() <= self.clock.seconds() for call in self.clock.getDelayedCalls()):
                self.clock.advance(0)
                moved = True
            octets = self.client.read()
            heard += octets
            if not (moved or octets):
                return heard
        raise AssertionError("it has no end")

    def push(self) -> None:
        """Tell the connections that wait with IDLE what has happened."""
        self.settle()
        self.clock.advance(0.1)  # until they do
        self.settle()
        for connection in list(self.connections):
            if connection.idle:
                flags = b"* 1 FETCH (FLAGS (\\Seen))\r\n" * bool(connection.told)
                connection.say(connection._news() + flags)
        self.settle()

    def exchange(self, octets: bytes) -> bytes:
        """What the client hears after it has sent a command with the tag ``t``.

        :raises Over: the session was ended.
        """
        if not self.client.is_open:
            raise Over
        began = self.clock.seconds()
        self.client.send(octets)
        heard = self.settle()
        while not re.search(rb"(?m)^t (?:OK|NO|BAD)\b", heard):
            if not self.client.is_open:
                assert heard.endswith(b"\r\n"), heard[-200:]
                raise Over
            assert self.clock.seconds() - began < 24 * 3600, f"no answer to {octets!r}, but {heard!r}"
            self.clock.advance(29)
            for server, drop in self.dripping:
                server.send(drop)
            heard += self.settle()
        self.longest = max(self.longest, self.clock.seconds() - began)
        return heard

    def close(self) -> None:
        """End everything; nothing may be left to be done."""
        if self.client.is_open:
            self.client.drop()
        self.settle()
        self.account.close()
        for _ in range(40):
            self.settle()
            self.clock.advance(100)
        for connection in self.connections:
            if connection.transport.is_open:
                connection.transport.drop()
        self.settle()
        left = [call for call in self.clock.getDelayedCalls() if call.active()]
        assert not left, left
