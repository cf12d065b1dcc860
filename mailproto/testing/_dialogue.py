"""Dialogues with a server or a client, in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.task import Clock

from mailproto._arguments import check_bool, check_choice, check_type
from mailproto._twisted_arguments import check_factory
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
"""The values of `Dialogue.feed`: the ways in which octets may arrive."""

_CONTEXT = 12  # lines of the dialogue that an error shows before the difference
_SHOWN = 60  # the most lines of the difference
_WIDTH = 300  # the most characters of each


@dataclass
class _Turn:
    """Lines that the test sends together, and the lines that it then expects."""

    said: list[Line] = field(default_factory=list)
    heard: list[Line] = field(default_factory=list)


class Dialogue:
    """Tests a server with a conversation in memory, written as text::

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

    In an expected line, ``...`` stands for any octets.  ``<<name>>`` stands for a value: the one passed to
    ``play``, or else the first one received, which must then stay the same.  The pictures ``␍ ␊ ␉ ␀ ␠ ␡``
    and their like stand for control characters; other text is UTF-8, and surrogates (``"\\udc80"``) for
    octets that are not.  White space before a line is ignored; white space at its end is not.

    Consecutive lines of one side are sent together.  Then everything received on every connection must
    match the dialogue: any extra octet, line or end of a connection is an error, and so is a missing one.

    :param factory: makes the protocol under test.
    :param clock: the protocol's clock; calls that are due on it are run before replies are compared.
    :param role: the test's role: ``client`` to test a server, ``server`` to test a client.
    :param peer: the IP address of the protocol's peer.
    :param tls: whether connections pretend to use TLS from the first octet.
    :param actions: the functions for ``do``, by name.
    :ivar feed: how octets arrive at the protocol: ``turns`` (consecutive lines together), ``octets`` (one
        by one), ``spare`` (with the first octet of the next lines), ``together`` (everything at once,
        without waiting for replies).  The last two are for a side that may send before it gets a reply: a
        client that pipelines, but not a server.
    :ivar connections: by name; the first one's name is empty.
    :ivar values: the values of ``<<name>>``.
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
        check_choice("feed", feed, FEEDS)
        check_choice("role", role, ("client", "server"))
        check_type("peer", peer, str, "an IP address such as '127.0.0.1'")
        check_bool("tls", tls)
        if factory is not None:
            check_factory("factory", factory)
        if clock is not None:
            check_type("clock", clock, Clock, "a twisted.internet.task.Clock or None")
        if actions is not None:
            check_type("actions", actions, Mapping, "a mapping such as {'name': function}, or None")
        self.clock = Clock() if clock is None else clock
        self.feed = feed
        self.actions = dict(actions or {})
        self.connections: dict[str, MemoryTransport] = {}
        self.values: dict[str, bytes] = {}
        self._factory = factory
        self._peer = peer
        self._tls = tls
        self._said, self._heard = ("C", "S") if role == "client" else ("S", "C")
        self._early: dict[str, int] = {}  # octets of the next line that were sent early (``spare``)
        self._closed: set[str] = set()  # connections whose end was in the dialogue
        self._shown: list[str] = []

    def connect(self, name: str = "", *, peer: str | None = None, tls: bool | None = None) -> MemoryTransport:
        """Make a connection with a name; it replaces an older one of that name.

        :raises DialogueError: the factory refuses the connection.
        """
        address = IPv4Address("TCP", peer or self._peer, 40000)
        protocol = self._factory.buildProtocol(address)
        if protocol is None:
            raise DialogueError(f"the factory took no connection {name}".rstrip())
        protected = self._tls if tls is None else tls
        return self.add(MemoryTransport(protocol, address.host, tls=protected), name)

    def add(self, transport: MemoryTransport, name: str = "") -> MemoryTransport:
        """Add a connection that was made elsewhere; it replaces an older one of that name."""
        self.connections[name] = transport
        self._closed.discard(name)
        return transport

    def close(self) -> None:
        """Close all connections from the test's side."""
        for transport in self.connections.values():
            transport.drop()

    def play(self, text: str, /, **values: bytes | str) -> dict[str, bytes]:
        """Play the dialogue, or a part of it.

        :param values: values for ``<<name>>``.
        :returns: `values`, with those that were received.
        :raises DialogueError: the other side did not say what the dialogue expects.
        :raises ValueError: the text is not a dialogue.
        """
        for name, value in values.items():
            self.values[name] = value.encode() if isinstance(value, str) else value
        self._early.clear()
        self._shown.clear()
        # The test itself may have changed connections in between.
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
            self._hear([])  # check output that earlier steps caused, such as a wait
        if self.feed == "together":
            turns = list(self._together(turns))
        for number, turn in enumerate(turns):
            following = turns[number + 1].said if number + 1 < len(turns) else []
            self._say(turn.said, following if self.feed == "spare" else [])
            self._shown += [f"    {line}" for line in turn.said]
            if turn.heard or following or not goes_on:
                self._hear(turn.heard)

    def _together(self, turns: Sequence[_Turn]) -> Iterator[_Turn]:
        """Join the turns whose lines can be sent before anything is received."""
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
    """Group lines into turns, with the other steps between them; cached, because dialogues are played
    often."""
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
    """Play a dialogue once for each way in which octets may arrive.

    :param make: makes a dialogue with a new server; its ``feed`` is then set.
    :returns: the last dialogue.
    :raises DialogueError: the other side did not say what the dialogue expects.
    """
    dialogue = None
    for feed in feeds:
        dialogue = make()
        dialogue.feed = feed
        dialogue.play(text, **values)
    assert dialogue is not None, "no way was chosen"
    return dialogue
