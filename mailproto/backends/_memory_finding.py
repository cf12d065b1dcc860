"""Searching, sorting and threads of mailboxes in memory; it defines what `IFinding` means.

Header values are kept for each content.  Texts are not, because they would take as much memory as the mail:
who searches them reads the messages.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from mailproto.awaiting import turn
from mailproto.backends._simple_state import Message
from mailproto.message import (
    HeaderValues,
    Steps,
    ThreadMessage,
    Working,
    finish,
    forest_steps,
    header_values,
    header_values_steps,
    scan,
    scan_steps,
)
from mailproto.model import (
    ContentTest,
    Found,
    InAddresses,
    InText,
    SentOn,
    SortKey,
    SortOrder,
    ThreadAlgorithm,
    Threads,
)

__all__ = ["Values", "find", "passes", "sorted_uids", "threads"]

_AT_ONCE = 100
"""Small messages whose header is read, or of which threads are made, before others have their turn."""

_SMALL = 1 << 13

_COLUMNS: dict[str, Callable[[HeaderValues], str | None]] = {
    "from": lambda values: values.from_,
    "to": lambda values: values.to,
    "cc": lambda values: values.cc,
    "bcc": lambda values: values.bcc,
    "subject": lambda values: values.subject,
    "message-id": lambda values: values.message_id,
}


def passes(values: HeaderValues, test: ContentTest) -> bool | None:
    """Whether a message with these values passes a test; None if the values do not tell."""
    if isinstance(test, SentOn):
        if values.day is None:
            return False
        day, wanted = values.day, test.date.toordinal()
        return day < wanted if test.op == "BEFORE" else day == wanted if test.op == "ON" else day >= wanted
    if isinstance(test, InText) or "\0" in test.key or test.name not in _COLUMNS:
        return None
    text = _COLUMNS[test.name](values)
    if text is None or test.key not in text:
        return False
    # The texts of address fields have the addresses, too.
    is_address = test.name in ("from", "to", "cc", "bcc")
    return True if not test.key or isinstance(test, InAddresses) or not is_address else None


class Values:
    """The header values of messages, made when they are first needed."""

    def __init__(self) -> None:
        self._made: dict[int, HeaderValues] = {}  # by UID

    async def of(self, messages: Sequence[Message]) -> list[HeaderValues]:
        """The values of ``messages``, in their order."""
        made = self._made
        found = []
        new = 0
        for message in messages:
            values = made.get(message.info.uid)
            if values is None:
                values = made[message.info.uid] = await _values(message.content)
                new += 1
                if not new % _AT_ONCE:
                    await turn()
            found.append(values)
        return found

    def forget(self, uids: Iterable[int]) -> None:
        """Forget removed messages."""
        for uid in uids:
            self._made.pop(uid, None)


async def _values(content: bytes) -> HeaderValues:
    if len(content) <= _SMALL:
        return header_values(content, scan(content))
    work = Working(_values_steps(content))
    for _ in work:
        await turn()
    return work.result


def _values_steps(content: bytes) -> Steps[HeaderValues]:
    index = yield from scan_steps(content)
    return (yield from header_values_steps(content, index))


def find(
    uids: Sequence[int],
    messages: Sequence[Message],
    values: Sequence[HeaderValues],
    tests: Sequence[ContentTest],
) -> list[Found]:
    """See `IFinding.find`.

    :param messages: those of ``uids`` that exist, with their ``values``.
    """
    there = [message.info.uid for message in messages]
    gone = sorted(set(uids).difference(there))
    found = []
    for test in tests:
        answers = [passes(each, test) for each in values]
        passing = array("I", [uid for uid, answer in zip(there, answers, strict=True) if answer])
        unknown = [uid for uid, answer in zip(there, answers, strict=True) if answer is None]
        found.append(Found(passing, array("I", sorted(unknown + gone))))
    return found


_KEYS: dict[SortKey, Callable[[Message, HeaderValues], Any]] = {
    SortKey.ARRIVAL: lambda message, values: message.info.internal_date,
    SortKey.CC: lambda message, values: values.sort_cc,
    SortKey.DATE: lambda message, values: _sent(message, values),
    SortKey.FROM: lambda message, values: values.sort_from,
    SortKey.SIZE: lambda message, values: message.info.size,
    SortKey.SUBJECT: lambda message, values: values.base_subject,
    SortKey.TO: lambda message, values: values.sort_to,
    SortKey.DISPLAYFROM: lambda message, values: values.display_from,
    SortKey.DISPLAYTO: lambda message, values: values.display_to,
}


def sorted_uids(
    messages: Sequence[Message], values: Sequence[HeaderValues], orders: Sequence[SortOrder]
) -> list[int]:
    """See `IFinding.sort`; ``messages`` are by ascending UID."""
    rows = list(zip(messages, values, strict=True))
    for order in reversed(orders):
        key = _KEYS[order.key]
        rows.sort(key=lambda row: key(*row), reverse=order.reverse)
    return [message.info.uid for message, _ in rows]


async def threads(
    messages: Sequence[Message], values: Sequence[HeaderValues], algorithm: ThreadAlgorithm
) -> Threads:
    """See `IFinding.thread`; ``messages`` are by ascending UID."""
    rows = [
        ThreadMessage(
            message.info.uid,
            _sent(message, each),
            each.id or None,
            struct.unpack(f">{len(each.references) // 8}Q", each.references),
            each.base_subject,
            each.is_reply,
            message.info.internal_date or 0,
        )
        for message, each in zip(messages, values, strict=True)
    ]
    steps = forest_steps(algorithm.value, rows)
    if len(rows) <= _AT_ONCE:
        return Threads(*finish(steps))
    work = Working(steps)
    for _ in work:
        await turn()
    return Threads(*work.result)


def _sent(message: Message, values: HeaderValues) -> int:
    return (message.info.internal_date or 0) if values.sent is None else values.sent
