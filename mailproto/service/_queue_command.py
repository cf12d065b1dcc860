"""``mailproto queue``: what waits for other servers, and what an operator can do with it."""

from __future__ import annotations

import json
import re
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeAlias

from tqdm import tqdm

from mailproto.awaiting import settle
from mailproto.errors import NoSuchQueued
from mailproto.interfaces import IQueue, IQueueStore, IStore
from mailproto.model import (
    DestinationState,
    QueueChange,
    QueuedMessage,
    QueuedRecipient,
    QueueFilter,
    QueueState,
)
from mailproto.printable import printable
from mailproto.service._command_error import CommandError

__all__ = ["add_queue_actions"]

_PAGE = 500
"""Messages that are read together."""

_TOP = 20
"""Destinations that ``stats`` shows."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_STATES = ("waiting", "deferred", "held")

Paused: TypeAlias = Mapping[str, DestinationState]
"""The destinations that are paused, by name."""


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
        _add_filters(options, is_change=action not in ("list", "show"))
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


def _add_filters(options: ArgumentParser, *, is_change: bool) -> None:
    options.add_argument("ids", type=int, nargs="*", metavar="ID", help="a message's number in the queue")
    options.add_argument("--sender", default="", help="a part of the sender's address; '<>' for reports")
    options.add_argument("--recipient", default="", help="a part of a recipient's address")
    options.add_argument("--domain", default="", help="the domain of a recipient")
    options.add_argument("--age", type=_seconds, help="at least so old: 90, 5m, 2h, 1d")
    options.add_argument("--status", choices=_STATES, help="of a recipient; deferred: tried in vain")
    if is_change:
        options.add_argument("--all", action="store_true", help="all messages, if nothing else says which")


def _seconds(text: str) -> int:
    match = re.fullmatch(r"([0-9]{1,9})([smhd]?)", text)
    if match is None:
        raise ArgumentTypeError(f"not an age: {text!r}; one is 90, 5m, 2h or 1d")
    return int(match[1]) * _UNITS[match[2] or "s"]


def _queue_of(store: IStore) -> IQueue:
    if not IQueueStore.providedBy(store):
        raise CommandError("this store keeps no queue")
    return store.queue


def _filter(options: Namespace) -> QueueFilter:
    status = options.status
    return QueueFilter(
        ids=options.ids or None,
        sender=options.sender,
        recipient=options.recipient,
        domain=options.domain,
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


async def _list(store: IStore, options: Namespace) -> None:
    queue = _queue_of(store)
    number = octets = 0
    paused = await _paused(queue)
    async for page in _pages(queue, _filter(options)):
        for message in page:
            number += 1
            octets += message.size
            _print(_as_json(message, paused) if options.json else "\n".join(_lines(message, paused)), options)
    if not options.json:
        print(f"{_count(number, 'message')}, {_octets(octets)}")


async def _show(store: IStore, options: Namespace) -> None:
    queue, wanted = _queue_of(store), _filter(options)
    if wanted == QueueFilter():
        raise CommandError("name messages by their numbers, or by --sender, --recipient, ...")
    shown = 0
    paused = await _paused(queue)
    async for page in _pages(queue, wanted):
        for found in page:
            try:
                message = await settle(queue.get(found.id))
            except NoSuchQueued:  # sent a moment ago
                continue
            shown += 1
            text = _as_json(message, paused) if options.json else "\n".join(_all_lines(message, paused))
            _print(text, options)
    if not shown:
        raise CommandError("no such message is in the queue")


def _change(change: QueueChange) -> Callable[[IStore, Namespace], Any]:
    async def run(store: IStore, options: Namespace) -> None:
        queue, wanted = _queue_of(store), _filter(options)
        if wanted == QueueFilter() and not options.all:
            raise CommandError(f"name messages to {change.value} by their numbers or a filter, or say --all")
        total = (await settle(queue.counts(time.time()))).messages
        done = 0
        with tqdm(total=total, unit=" messages", leave=False, disable=not sys.stderr.isatty()) as progress:
            async for page in _pages(queue, wanted):
                changed = await settle(queue.change([message.id for message in page], change))
                done += len(changed)
                progress.update(len(page))
                if options.json:
                    for number in changed:
                        _print(json.dumps({"id": number, "change": change.value}), options)
        if not options.json:
            print(f"{change.value}: {_count(done, 'message')}")

    return run


async def _stats(store: IStore, options: Namespace) -> None:
    queue, now = _queue_of(store), time.time()
    counts = await settle(queue.counts(now))
    top: list[DestinationState] = []
    after = ""
    while page := await settle(queue.destinations(after=after, limit=_PAGE)):
        after = page[-1].destination
        top = list(islice(sorted([*top, *page], key=lambda each: -each.waiting), _TOP))
    if options.json:
        value: dict[str, Any] = asdict(counts)
        value["oldest"] = _iso(counts.oldest)
        value["destinations"] = [
            {**asdict(each), "due": _iso(each.due), "paused_until": _iso(each.paused_until)} for each in top
        ]
        print(json.dumps(value))
        return
    print(f"{_count(counts.messages, 'message')}, {_octets(counts.octets)}, oldest {_when(counts.oldest)}")
    print(
        f"recipients: {counts.waiting} waiting ({counts.due} due now, {counts.deferred} tried in vain,"
        f" {counts.leased} being sent), {counts.held} held"
    )
    for each in top:
        paused = ""
        if each.paused_until > now:
            paused = f", paused until {_when(each.paused_until)}: {each.reason}"
        print(printable(f"{each.waiting:8} {each.destination}{paused}"))


# -- how it looks


def _print(text: str, options: Namespace) -> None:
    print(text if options.json else "\n".join(map(printable, text.split("\n"))))


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def _octets(number: int) -> str:
    size, unit = float(number), "octets"
    for larger in ("KB", "MB", "GB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{number} octets" if unit == "octets" else f"{size:.1f} {unit}"


def _when(seconds: float | None) -> str:
    """Local time, as in twistd's log."""
    return "-" if not seconds else datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S")


def _iso(seconds: float | None) -> str | None:
    return datetime.fromtimestamp(seconds, UTC).isoformat() if seconds else None


def _lines(message: QueuedMessage, paused: Paused) -> list[str]:
    head = f"{message.id} {_when(message.arrived)} {_octets(message.size)} from <{message.envelope.sender}>"
    return [head, *(f"    <{each.recipient.address}> {_state(each, paused)}" for each in message.recipients)]


def _next_try(recipient: QueuedRecipient, paused: Paused) -> str:
    due = recipient.due
    if (state := paused.get(recipient.destination)) is not None:
        due = max(due, state.paused_until)
    return _when(due) if due > time.time() else "now"


def _state(recipient: QueuedRecipient, paused: Paused) -> str:
    words = [recipient.state.value]
    if recipient.state is QueueState.WAITING:
        words.append(f"next try {_next_try(recipient, paused)}")
        if (state := paused.get(recipient.destination)) is not None:
            words.append(f"{state.destination} is paused: {state.reason}")
    if recipient.attempts:
        words.append(f"tried {_count(recipient.attempts, 'time')}")
    if recipient.outcome is not None:
        reply = f"{recipient.outcome.code} {recipient.outcome.enhanced} {recipient.outcome.text}"
        words.append(f"{recipient.host}: {reply}" if recipient.host else reply)
    return ", ".join(words)


def _all_lines(message: QueuedMessage, paused: Paused) -> list[str]:
    envelope = message.envelope
    account = f", account {envelope.session.account}" if envelope.session.account else ""
    lines = [
        f"message {message.id}, in the log: {envelope.id}",
        f"    from <{envelope.sender}>, by {envelope.session.peer or 'this server'}{account}",
        f"    {_octets(message.size)}, arrived {_when(message.arrived)}, given up {_when(message.expires)}",
    ]
    if message.priority:
        lines.append(f"    priority {message.priority}")
    for recipient in message.recipients:
        lines += [
            f"    to <{recipient.recipient.address}>: {recipient.state.value}",
            f"        destination {recipient.destination}, {_count(recipient.attempts, 'attempt')}",
        ]
        if recipient.outcome is not None:
            outcome = recipient.outcome
            lines.append(
                f"        at {_when(recipient.attempted)} {recipient.host or 'this server'} said: "
                f"{outcome.code} {outcome.enhanced} {outcome.text}"
            )
            if outcome.detail:
                lines.append(f"        {outcome.detail}")
        if recipient.state is QueueState.WAITING:
            lines.append(f"        next try: {_next_try(recipient, paused)}")
            if (state := paused.get(recipient.destination)) is not None:
                lines.append(
                    f"        the destination is paused until {_when(state.paused_until)}, after"
                    f" {_count(state.failures, 'failure')} in a row: {state.reason}"
                )
    return lines


def _paused_as_json(destination: str, paused: Paused) -> dict[str, Any] | None:
    if (state := paused.get(destination)) is None:
        return None
    return {"until": _iso(state.paused_until), "failures": state.failures, "reason": state.reason}


def _as_json(message: QueuedMessage, paused: Paused) -> str:
    envelope = message.envelope
    return json.dumps(
        {
            "id": message.id,
            "log_id": envelope.id,
            "sender": str(envelope.sender),
            "peer": envelope.session.peer,
            "account": envelope.session.account,
            "size": message.size,
            "arrived": _iso(message.arrived),
            "expires": _iso(message.expires),
            "priority": message.priority,
            "recipients": [
                {
                    "address": str(each.recipient.address),
                    "destination": each.destination,
                    "paused": _paused_as_json(each.destination, paused),
                    "state": each.state.value,
                    "due": _iso(each.due),
                    "attempts": each.attempts,
                    "attempted": _iso(each.attempted),
                    "host": each.host,
                    "reply": None
                    if each.outcome is None
                    else {
                        "code": each.outcome.code,
                        "enhanced": each.outcome.enhanced,
                        "text": each.outcome.text,
                        "detail": each.outcome.detail,
                    },
                }
                for each in message.recipients
            ],
        }
    )
