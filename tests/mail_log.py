"""The mail log, as tests read it: events that were captured, and lines taken apart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from twisted.logger import LogEvent, capturedLogs, formatEvent

from mailproto import maillog

__all__ = ["captured", "kinds", "only", "parsed"]

_PAIR = re.compile(r' (\w+)=("(?:[^"\\]|\\.)*"|[^\s"\\]+)')


@contextmanager
def captured() -> Iterator[list[LogEvent]]:
    """The events of the mail log, and no others, once the block is done."""
    events: list[LogEvent] = []
    with capturedLogs() as all_events:
        yield events
    events += [event for event in all_events if event.get("log_namespace") == maillog.NAMESPACE]
    for event in events:
        parsed(event)


def parsed(event: LogEvent) -> tuple[str, dict[str, str]]:
    """The kind, and the values by name as they stand in the line; it must be one, whatever is in it."""
    line = formatEvent(event)
    kind, space, rest = line.partition(" ")
    values: dict[str, str] = {}
    rest = space + rest
    at = 0
    while at < len(rest):
        match = _PAIR.match(rest, at)
        if match is None or match[1] in values or not line.isprintable():
            raise AssertionError(f"no line of the mail log: {line!r}")
        values[match[1]] = match[2]
        at = match.end()
    if kind != event["kind"] or not set(values) <= set(event):
        raise AssertionError(f"fields and text differ: {line!r}, {event!r}")
    return kind, values


def kinds(events: Sequence[LogEvent]) -> list[str]:
    """Of events, in their order, but for the ends of connections."""
    return [event["kind"] for event in events if event["kind"] != "ended"]


def only(events: Sequence[LogEvent], kind: str) -> dict[str, Any]:
    """The one event of a kind."""
    found = [event for event in events if event["kind"] == kind]
    if len(found) != 1:
        raise AssertionError(f"{len(found)} of {kind!r}: {[formatEvent(event) for event in events]}")
    return found[0]
