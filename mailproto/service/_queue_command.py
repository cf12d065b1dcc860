"""``mailproto queue``: what waits for other servers, and what an operator can do with it."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from itertools import islice
from typing import Any

from mailproto.awaiting import settle
from mailproto.errors import NoSuchQueued
from mailproto.interfaces import IQueue, IQueueStore, IStore
from mailproto.model import (
    DestinationState,
    QueueChange,
    QueuedMessage,
    QueueFilter,
    QueueState,
)
from mailproto.printable import printable
from mailproto.service._command_error import CommandError
from mailproto.service._durations import read_duration
from mailproto.service._progress import ShownProgress
from mailproto.service._queue_text import (
    Paused,
    all_lines,
    as_json,
    counted,
    in_octets,
    iso,
    short_lines,
    when,
)

__all__ = ["add_queue_actions"]

_PAGE = 500
"""Messages that are read together."""

_TOP = 20
"""Destinations that ``stats`` shows."""

_MAX_DIGITS = 18
"""Of a number in the queue, so that SQLite has it, too."""

_STATES = ("waiting", "deferred", "held")


def add_queue_actions(add_action: Callable[[str, str], ArgumentParser]) -> None:
    """Add the actions to the parser.

    :param add_action: makes the parser of an action of a name and with a description.
    """
    for action, text, run in (
        ("list", "print the messages in the queue, oldest first", _list),
        ("show", "print all about some messages: why each recipient waits, and when it is tried next", _show),
        ("retry", "try messages at once, whatever they wait for", _change(QueueChange.RETRY)),
        ("hold", "do not try messages until they are released", _change(QueueChange.HOLD)),
        ("release", "try messages that were held", _change(QueueChange.RELEASE)),
        ("delete", "remove messages; nobody is told", _change(QueueChange.DELETE)),
    ):
        options = add_action(action, text)
        options.set_defaults(run=run)
        _add_filters(options, has_all=action != "list")
        options.add_argument("--json", action="store_true", help="one JSON object a line")
    flush = add_action("flush", "try everything that waits, at once")
    flush.set_defaults(run=_change(QueueChange.RETRY), **_NO_FILTER, all=True)
    flush.add_argument("--json", action="store_true", help="one JSON object a line")
    stats = add_action("stats", "print how much waits, and the destinations for which most waits")
    stats.set_defaults(run=_stats)
    stats.add_argument("--json", action="store_true", help="one JSON object")


_NO_FILTER: dict[str, Any] = {
    "ids": [],
    "sender": "",
    "recipient": "",
    "domain": "",
    "age": None,
    "status": None,
}


def _add_filters(options: ArgumentParser, *, has_all: bool) -> None:
    options.add_argument("ids", type=_id, nargs="*", metavar="ID", help="a message's number in the queue")
    options.add_argument("--sender", type=_given, help="a part of the sender's address; '<>' for reports")
    options.add_argument("--recipient", type=_given, help="a part of a recipient's address")
    options.add_argument("--domain", type=_given, help="the domain of a recipient")
    options.add_argument("--age", type=_seconds, help="at least so old: 90, 5m, 2h, 1d")
    options.add_argument("--status", choices=_STATES, help="of a recipient; deferred: tried in vain")
    if has_all:
        options.add_argument("--all", action="store_true", help="all messages, if nothing else says which")


def _id(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise ArgumentTypeError(f"{text!r} must be a message's number in the queue, as list shows it")
    return int(text)


def _given(text: str) -> str:
    if not text.strip():  # perhaps from a shell variable that is not set: all messages may be meant by nobody
        raise ArgumentTypeError("it is empty: leave the option out to mean any")
    return text.strip()


def _seconds(text: str) -> int:
    try:
        return read_duration(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} {error}") from None


def _queue_of(store: IStore) -> IQueue:
    if not IQueueStore.providedBy(store):
        raise CommandError("this store keeps no queue")
    return store.queue


def _filter(options: Namespace) -> QueueFilter:
    status = options.status
    return QueueFilter(
        ids=options.ids or None,
        sender=options.sender or "",
        recipient=options.recipient or "",
        domain=options.domain or "",
        state={"held": QueueState.HELD, "waiting": QueueState.WAITING}.get(status),
        is_deferred=True if status == "deferred" else None,
        arrived_before=None if options.age is None else time.time() - options.age,
    )


async def _pages(queue: IQueue, wanted: QueueFilter) -> AsyncIterator[list[QueuedMessage]]:
    after = 0
    while page := await settle(queue.find(wanted, after=after, limit=_PAGE)):
        after = page[-1].id
        yield list(page)


async def _paused(queue: IQueue) -> Paused:
    """The destinations that are left alone now, because they could not be reached."""
    now, after = time.time(), ""
    found: dict[str, DestinationState] = {}
    while page := await settle(queue.destinations(after=after, limit=_PAGE)):
        after = page[-1].destination
        found.update((each.destination, each) for each in page if each.paused_until > now)
    return found


def _check_missing(missing: set[int], options: Namespace) -> None:
    """:raises CommandError: messages that were named are not in the queue, or do not fit the filter."""
    if missing:
        numbers = ", ".join(map(str, sorted(missing)))
        filtered = _filter(options) != QueueFilter(ids=options.ids)
        raise CommandError(f"not in the queue{', or not as the options say' if filtered else ''}: {numbers}")


async def _list(store: IStore, options: Namespace) -> None:
    number = octets = 0
    queue, missing = _queue_of(store), set(options.ids)
    paused = await _paused(queue)
    async for page in _pages(queue, _filter(options)):
        for message in page:
            missing.discard(message.id)
            number += 1
            octets += message.size
            _print(
                as_json(message, paused) if options.json else "\n".join(short_lines(message, paused)), options
            )
    if not options.json:
        print(f"{counted(number, 'message')}, {in_octets(octets)}")
    _check_missing(missing, options)


async def _show(store: IStore, options: Namespace) -> None:
    queue, wanted = _queue_of(store), _filter(options)
    if wanted == QueueFilter() and not options.all:
        raise CommandError("name messages to show by their numbers or a filter, or say --all")
    shown, missing = 0, set(options.ids)
    paused = await _paused(queue)
    async for page in _pages(queue, wanted):
        for found in page:
            try:
                message = await settle(queue.get(found.id))
            except NoSuchQueued:  # sent a moment ago
                continue
            shown += 1
            missing.discard(found.id)
            _print(
                as_json(message, paused) if options.json else "\n".join(all_lines(message, paused)), options
            )
    _check_missing(missing, options)
    if not shown:
        raise CommandError("no such message is in the queue")


def _change(change: QueueChange) -> Callable[[IStore, Namespace], Any]:
    async def run(store: IStore, options: Namespace) -> None:
        queue, wanted = _queue_of(store), _filter(options)
        if wanted == QueueFilter() and not options.all:
            raise CommandError(f"name messages to {change.value} by their numbers or a filter, or say --all")
        total = (await settle(queue.counts(time.time()))).messages
        seen, done, missing = 0, 0, set(options.ids)
        with ShownProgress("messages", quiet=options.json) as progress:
            async for page in _pages(queue, wanted):
                changed = await settle(queue.change([message.id for message in page], change))
                done += len(changed)
                missing.difference_update(message.id for message in page)
                seen += len(page)
                progress.show(seen, max(total, seen))
                if options.json:
                    for number in changed:
                        _print(json.dumps({"id": number, "change": change.value}), options)
        if not options.json:
            print(f"{change.value}: {counted(done, 'message')}")
        _check_missing(missing, options)

    return run


async def _stats(store: IStore, options: Namespace) -> None:
    queue, now = _queue_of(store), time.time()
    counts = await settle(queue.counts(now))
    top: list[DestinationState] = []
    after = ""
    while page := await settle(queue.destinations(after=after, limit=_PAGE)):
        after = page[-1].destination
        shown = [each for each in page if each.waiting or each.paused_until > now]
        top = list(islice(sorted([*top, *shown], key=lambda each: -each.waiting), _TOP))
    if options.json:
        value: dict[str, Any] = asdict(counts)
        value["oldest"] = iso(counts.oldest)
        value["destinations"] = [
            {**asdict(each), "due": iso(each.due), "paused_until": iso(each.paused_until)} for each in top
        ]
        print(json.dumps(value))
        return
    print(f"{counted(counts.messages, 'message')}, {in_octets(counts.octets)}, oldest {when(counts.oldest)}")
    print(
        f"recipients: {counts.waiting} waiting ({counts.due} due now, {counts.deferred} tried in vain,"
        f" {counts.leased} being sent), {counts.held} held"
    )
    for each in top:
        paused = ""
        if each.paused_until > now:
            paused = f", paused until {when(each.paused_until)}: {each.reason}"
        print(printable(f"{each.waiting:8} {each.destination}{paused}"))


def _print(text: str, options: Namespace) -> None:
    print(text if options.json else "\n".join(map(printable, text.split("\n"))))
