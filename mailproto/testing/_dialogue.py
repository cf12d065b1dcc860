"""Dialogues with a server, or a client, in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.task import Clock

from mailproto.testing._transcript import (
    Action,
    DialogueError,
    GoesOn,
    Kind,
    Line,
    StartsTLS,
    Wait,
    difference,
    has_values,
    match,
    octets,
    read,
)
from mailproto.testing._transport import LOOPBACK, MemoryTransport

__all__ = ["FEEDS", "Dialogue", "Feed", "play_each_way"]

Feed = Literal["turns", "octets", "spare", "together"]

FEEDS: tuple[Feed, ...] = ("turns", "octets", "spare", "together")
"""The ways in which `Dialogue.feed` lets octets come."""

_CONTEXT = 12  # lines of the dialogue that are shown before those that differ
_SHOWN = 60  # of those that differ, at most
_WIDTH = 300  # of each


@dataclass
class _Turn:
    """Lines that are said one after the other, and then those that are heard."""

    said: list[Line] = field(default_factory=list)
    heard: list[Line] = field(default_factory=list)


class Dialogue:
    """A conversation with a server that is tested, in memory, written as it would be read::

        dialogue = Dialogue(SMTPServerFactory(MyDelivery(), clock=clock, hostname="mx.example"), clock=clock)
        dialogue.play(
            '''
            S: 220 mx.example ...
            C: EHLO client.example
            S*: 250-...
            S: 250 HELP
            C: QUIT
            S: 221 ...
            S closes
            '''
        )

    The lines of a dialogue:

    ========================  ========================================================================
    ``C: text``               the client says this line; CRLF is added
    ``S: text``               the server says this line
    ``S*: text``              the server says any number of such lines, or none
    ``C~: text``, ``S~:``     octets without a CRLF
    ``C closes``, ``S``       the side closes the connection
    ``C2: text``, ``S2:``     the same over another connection, which is made when its name comes first
    ``C starts TLS``          TLS must have been started; only now may more be said
    ``wait 30 s``             the clock is advanced
    ``do name``               ``actions[name]`` is called
    ``...``                   as the last line: what is heard from now on is left to be read
    ``# text``                a comment
    ========================  ========================================================================

    In a line, ``...`` stands for any octets of that line (in what is heard), and ``<<name>>`` for
    a value: the one that ``play`` was given, or else whatever is heard the first time, which must
    be the same from then on.  The pictures ``␍ ␊ ␉ ␀ ␠ ␡`` and their like stand for control
    characters; other text is UTF-8, and surrogates (``"\\udc80"``) for octets that are not.  White
    space before a line is no part of it, white space at its end is.

    Lines that one side says one after the other come together, up to what the other side says.
    Then all that was heard on every connection must be what the dialogue has: an octet, a line or
    an end of the connection that it does not have is an error, and so is one that is missing.

    :param factory: makes the protocol that is tested.
    :param clock: the one that the protocol uses; what is due on it is done before answers are
        compared.
    :param role: of the test: ``client`` if a server is tested, ``server`` if a client is.
    :param peer: the IP address that the protocol's peer has.
    :param tls: whether connections pretend to be inside TLS from the beginning.
    :param actions: for ``do``.
    :ivar feed: how octets come to the protocol: ``turns`` (what is said together at once),
        ``octets`` (one by one), ``spare`` (with the first octet of what is said next), ``together``
        (everything at once, with nothing waited for).  The last two are for a side that may speak
        unasked: a client that pipelines, and no server.
    :ivar connections: by name; the first one's is empty.
    :ivar values: what ``<<name>>`` stands for.
    """

    def __init__(
        self,
        factory: Any = None,
        *,
        clock: Clock | None = None,
        role: Literal["client", "server"] = "client",
        peer: str = LOOPBACK,
        tls: bool = False,
        feed: Feed = "turns",
        actions: Mapping[str, Callable[[], object]] | None = None,
    ) -> None:
        if feed not in FEEDS:
            raise ValueError(f"feed is one of {', '.join(FEEDS)}, not {feed!r}")
        self.clock = Clock() if clock is None else clock
        self.feed = feed
        self.actions = dict(actions or {})
        self.connections: dict[str, MemoryTransport] = {}
        self.values: dict[str, bytes] = {}
        self._factory = factory
        self._peer = peer
        self._tls = tls
        self._said, self._heard = ("C", "S") if role == "client" else ("S", "C")
        self._early: dict[str, int] = {}  # octets of the next line that were sent to spare
        self._closed: set[str] = set()  # connections of which the dialogue knows that they are closed
        self._shown: list[str] = []

    def connect(self, name: str = "", *, peer: str | None = None, tls: bool | None = None) -> MemoryTransport:
        """Make a connection, under a name, in place of one that had it.

        :raises DialogueError: when the factory refuses it.
        """
        address = IPv4Address("TCP", peer or self._peer, 40000)
        protocol = self._factory.buildProtocol(address)
        if protocol is None:
            raise DialogueError(f"the factory took no connection {name}".rstrip())
        protected = self._tls if tls is None else tls
        return self.add(MemoryTransport(protocol, address.host, tls=protected), name)

    def add(self, transport: MemoryTransport, name: str = "") -> MemoryTransport:
        """Take a connection that was made already; one that had the name is forgotten."""
        self.connections[name] = transport
        self._closed.discard(name)
        return transport

    def close(self) -> None:
        """Close all connections, as the other side."""
        for transport in self.connections.values():
            transport.drop()

    def play(self, text: str, /, **values: bytes | str) -> dict[str, bytes]:
        """Have the dialogue, or a part of it.

        :param values: for ``<<name>>``.
        :returns: `values`, with those that were heard.
        :raises DialogueError: when something else was said.
        :raises ValueError: when the text is no dialogue.
        """
        for name, value in values.items():
            self.values[name] = value.encode() if isinstance(value, str) else value
        self._early.clear()
        self._shown.clear()
        # What happened to connections in between is the test's own doing.
        self._closed.update(name for name, transport in self.connections.items() if not transport.is_open)
        steps = _runs(text, self._said)
        goes_on = bool(steps) and isinstance(steps[-1], GoesOn)
        for step in steps:
            if isinstance(step, GoesOn):
                return self.values
            if isinstance(step, list):
                self._play(step, goes_on and step is steps[-2])
                continue
            self._shown.append(f"    {step}")
            if isinstance(step, Wait):
                self.clock.advance(step.seconds)
            elif isinstance(step, Action):
                self.actions[step.name]()
            elif not ISSLTransport.providedBy(self._connection(step.name)):
                self._fail("TLS was not started")
        self._hear([])
        return self.values

    def _play(self, turns: list[_Turn], goes_on: bool) -> None:
        for line in (line for turn in turns[:1] for line in turn.said):
            self._connection(line.name)
        if turns[0].said:
            self._hear([])  # because of what was before, such as time that passed
        if self.feed == "together":
            turns = list(self._together(turns))
        for number, turn in enumerate(turns):
            following = turns[number + 1].said if number + 1 < len(turns) else []
            self._say(turn.said, following if self.feed == "spare" else [])
            self._shown += [f"    {line}" for line in turn.said]
            if turn.heard or following or not goes_on:
                self._hear(turn.heard)

    def _together(self, turns: Sequence[_Turn]) -> Iterator[_Turn]:
        """The turns with what can be said before anything is heard as one."""
        known = self._texts()
        only_one = len({line.name for turn in turns for line in [*turn.said, *turn.heard]}) == 1
        merged: _Turn | None = None
        for turn in turns:
            if merged and only_one and all(has_values(line, known) for line in turn.said):
                merged.said += turn.said
                merged.heard += turn.heard
            else:
                if merged:
                    yield merged
                merged = _Turn([*turn.said], [*turn.heard])
        if merged:
            yield merged

    def _say(self, lines: Sequence[Line], following: Sequence[Line]) -> None:
        at = 0
        while at < len(lines):
            name = lines[at].name
            transport = self._connection(name)
            pending = b""
            while at < len(lines) and lines[at].name == name and lines[at].kind is not Kind.CLOSES:
                pending += octets(lines[at], self._texts())
                at += 1
            if pending:
                if not transport.is_open:
                    self._fail(f"connection {name or 1} is closed, and {lines[at - 1]} cannot be said")
                self._send(transport, name, pending, [] if lines[at:] else following)
            if at < len(lines) and lines[at].kind is Kind.CLOSES and lines[at].name == name:
                transport.drop()
                self._closed.add(name)
                at += 1

    def _send(self, transport: MemoryTransport, name: str, data: bytes, following: Sequence[Line]) -> None:
        data = data[self._early.pop(name, 0) :]
        known = self._texts()
        if following and following[0].name == name and has_values(following[0], known):
            early = octets(following[0], known)[:1] if following[0].kind is not Kind.CLOSES else b""
            self._early[name] = len(early)
            data += early
        transport.send(data, 1 if self.feed == "octets" else 0)

    def _hear(self, lines: Sequence[Line]) -> None:
        for line in lines:
            self._connection(line.name)
        heard = dict.fromkeys(self.connections, b"")
        for name, transport in self.connections.items():
            heard[name] += transport.read()
        while any(call.getTime() <= self.clock.seconds() for call in self.clock.getDelayedCalls()):
            self.clock.advance(0)
            for name, transport in self.connections.items():
                heard[name] += transport.read()
        for name, transport in self.connections.items():
            self._compare(name, transport, [line for line in lines if line.name == name], heard[name])
        self._shown += [f"    {line}" for line in lines]

    def _compare(self, name: str, transport: MemoryTransport, lines: Sequence[Line], heard: bytes) -> None:
        text = heard.decode("utf-8", "surrogateescape")
        known = self._texts() if lines or heard else {}
        if (lines or heard) and not match(lines, text, known):
            side = "server" if self._heard == "S" else "client"
            shown = difference(lines, text, known, self._heard, name)
            self._fail(f"the {side} said something else: expected (-) and heard (+)", shown)
        for new in known.keys() - self.values.keys():
            self.values[new] = known[new].encode("utf-8", "surrogateescape")
        closes = any(line.kind is Kind.CLOSES for line in lines)
        if closes or name not in self._closed:
            shown = [f"    {line}" for line in lines if line.kind is not Kind.CLOSES]
            if closes and transport.is_open:
                self._fail("the connection is still open", [*shown, f"  - {self._heard}{name} closes"])
            if not closes and not transport.is_open:
                self._fail("the connection was closed", [*shown, f"  + {self._heard}{name} closes"])
        if closes:
            self._closed.add(name)

    def _connection(self, name: str) -> MemoryTransport:
        return self.connections[name] if name in self.connections else self.connect(name)

    def _texts(self) -> dict[str, str]:
        return {name: value.decode("utf-8", "surrogateescape") for name, value in self.values.items()}

    def _fail(self, reason: str, lines: Iterable[str] = ()) -> None:
        found = list(lines)
        if len(found) > _SHOWN:
            found[_SHOWN - 5 : -5] = [f"    ({len(found) - _SHOWN:,} more lines)"]
        shown = [line[:_WIDTH] for line in [*self._shown[-_CONTEXT:], *found]]
        raise DialogueError("\n".join([f"{reason} (fed {self.feed!r})", *shown]))


@lru_cache(256)
def _runs(text: str, said: str) -> list[list[_Turn] | StartsTLS | Wait | Action | GoesOn]:
    """The turns between those steps that are no lines; the same dialogue is had many times."""
    runs: list[list[_Turn] | StartsTLS | Wait | Action | GoesOn] = []
    for step in read(text):
        if not isinstance(step, Line):
            runs.append(step)
            continue
        if not runs or not isinstance(runs[-1], list):
            runs.append([_Turn()])
        turns = runs[-1]
        assert isinstance(turns, list)
        if step.role == said:
            if step.kind is Kind.LINES:
                raise ValueError(f"only what is heard can be any number of lines: {step}")
            if turns[-1].heard:
                turns.append(_Turn())
            turns[-1].said.append(step)
        else:
            turns[-1].heard.append(step)
    return runs


def play_each_way(
    make: Callable[[], Dialogue], text: str, /, *, feeds: Iterable[Feed] = FEEDS, **values: bytes | str
) -> Dialogue:
    """Have a dialogue once for each way in which octets may come.

    :param make: makes a dialogue with a new server; its ``feed`` is set.
    :returns: the last one.
    :raises DialogueError: when something else was said.
    """
    dialogue = None
    for feed in feeds:
        dialogue = make()
        dialogue.feed = feed
        dialogue.play(text, **values)
    assert dialogue is not None, "no way was chosen"
    return dialogue
