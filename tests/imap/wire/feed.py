"""Octets into a wire, in pieces of any size, and what comes out."""

from itertools import pairwise
from typing import NamedTuple

from twisted.trial.unittest import SynchronousTestCase

from mailproto.imap.extensions import (
    STANDARD,
    Extension,
    FetchModifier,
    SelectParameter,
    StoreModifier,
    Tables,
)
from mailproto.imap.wire import (
    ArgumentReader,
    Command,
    Event,
    IMAPServerWire,
    IMAPWireError,
    IMAPWireLimits,
    LiteralChunk,
    Syntax,
    no_value,
)


async def _nothing(*arguments: object) -> None:
    """What the words below do."""


WORDS = Extension(
    "words of tests",
    fetch_modifiers=(FetchModifier("XSINCE", ArgumentReader.number, _nothing),),
    store_modifiers=(StoreModifier("XSINCE", ArgumentReader.number, _nothing),),
    select_parameters=(
        SelectParameter("XPLAIN", no_value, _nothing),
        SelectParameter("XNUMBER", ArgumentReader.number, _nothing),
    ),
)
SYNTAX = Tables.build([*STANDARD, WORDS]).syntax
"""What servers read by default, and some words more."""


class Wrong(NamedTuple):
    """An `IMAPWireError` as a value."""

    tag: str | None
    text: str
    code: str = ""
    bad: bool = True
    fatal: bool = False


def drain(wire: IMAPServerWire) -> list[Event | Wrong]:
    """All events that are ready, errors among them."""
    found: list[Event | Wrong] = []
    while True:
        try:
            event = wire.next_event()
        except IMAPWireError as error:
            found.append(Wrong(error.tag, error.text, error.code, error.bad, error.fatal))
        else:
            if event is None:
                return found
            found.append(event)


def joined(events: list[Event | Wrong]) -> list[Event | Wrong]:
    """The same with neighbouring chunks of a message as one."""
    merged: list[Event | Wrong] = []
    for event in events:
        last = merged[-1] if merged else None
        if isinstance(event, LiteralChunk) and isinstance(last, LiteralChunk):
            merged[-1] = LiteralChunk(last.data + event.data)
        else:
            merged.append(event)
    return merged


def feed(
    data: bytes,
    cuts: list[int] | None = None,
    limits: IMAPWireLimits | None = None,
    syntax: Syntax = SYNTAX,
) -> list[Event | Wrong]:
    """What a wire makes of ``data`` cut at the offsets ``cuts``."""
    wire = IMAPServerWire(limits, syntax=syntax)
    events: list[Event | Wrong] = []
    offsets = [0, *sorted(cuts or []), len(data)]
    for start, stop in pairwise(offsets):
        wire.receive(data[start:stop])
        events += drain(wire)
    return joined(events)


class WireTestCase(SynchronousTestCase):
    """Assertions that try each input whole, byte by byte, and with bytes to spare."""

    limits: IMAPWireLimits | None = None
    syntax = SYNTAX

    def assert_events(self, data: bytes, expected: list[Event | Wrong]) -> None:
        """``data`` gives ``expected``, however it is cut."""
        self.assertEqual(feed(data, limits=self.limits, syntax=self.syntax), expected, data)
        self.assertEqual(feed(data, list(range(len(data))), self.limits, self.syntax), expected, data)
        wire = IMAPServerWire(self.limits, syntax=self.syntax)
        wire.receive(data + b"spare")
        self.assertEqual(joined(drain(wire)), expected, data)
        self.assertEqual(wire.pending, len(b"spare"))

    def parse(self, line: bytes) -> Command:
        """The one command of ``line``, which lacks tag and CRLF; literals are non-synchronising."""
        data = b"a1 " + line + b"\r\n"
        events = feed(data, limits=self.limits, syntax=self.syntax)
        self.assert_events(data, events)
        self.assertEqual(len(events), 1, (line, events))
        command = events[0]
        self.assertIsInstance(command, Command, (line, command))
        assert isinstance(command, Command)
        return command

    def refusal(self, line: bytes) -> Wrong:
        """The one error of ``line``, which lacks tag and CRLF."""
        data = b"a1 " + line + b"\r\n"
        events = feed(data, limits=self.limits, syntax=self.syntax)
        self.assert_events(data, events)
        self.assertEqual(len(events), 1, (line, events))
        wrong = events[0]
        self.assertIsInstance(wrong, Wrong, (line, wrong))
        assert isinstance(wrong, Wrong)
        return wrong

    def assert_table(self, table: dict[bytes, object]) -> None:
        """Each line's arguments."""
        for line, arguments in table.items():
            self.assertEqual(self.parse(line).arguments, arguments, line)

    def assert_bad(self, lines: list[bytes]) -> None:
        """Each line is answered with a tagged BAD, and the connection goes on."""
        for line in lines:
            wrong = self.refusal(line)
            self.assertEqual((wrong.tag, wrong.bad, wrong.fatal), ("a1", True, False), (line, wrong))
