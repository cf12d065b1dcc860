"""Searching, sorting and threads of mailboxes in memory; it defines what `IFinding` means.

Header values are kept for each content.  Texts are not, because they would take as much memory as the mail:
who searches them reads the messages.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterable, Sequence
from heapq import merge
from itertools import compress
from typing import Any, TypeAlias

from mailproto.awaiting import turn
from mailproto.backends._near_words import NearWords
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
    search_texts_steps,
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

__all__ = ["Values", "find", "near_words", "passes", "sorted_uids", "threads"]

_AT_ONCE = 100
"""Small messages whose header is read, or of which threads are made, before others have their turn."""

_TESTED = 4000
"""Values that are compared before others have their turn: some 1 ms."""

_SMALL = 1 << 13

_NEAR = 1000
"""So many messages are read to find near words."""

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


async def find(
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
    work = 0
    for test in tests:
        if isinstance(test, InText):
            found.append(Found((), uids))
            continue
        passing, unknown = array("I"), array("I")
        for start in range(0, len(there), _TESTED):
            some = there[start : start + _TESTED]
            answers = [passes(each, test) for each in values[start : start + _TESTED]]
            passing.extend(compress(some, answers))
            if None in answers:
                unknown.extend(uid for uid, answer in zip(some, answers, strict=True) if answer is None)
            work += len(some)
            if work >= _TESTED:
                work = 0
                await turn()
        found.append(Found(passing, array("I", sorted([*unknown, *gone])) if gone else unknown))
    return found


_Row: TypeAlias = tuple[Message, HeaderValues]

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


async def sorted_uids(
    messages: Sequence[Message], values: Sequence[HeaderValues], orders: Sequence[SortOrder]
) -> list[int]:
    """See `IFinding.sort`; ``messages`` are by ascending UID."""
    rows = list(zip(messages, values, strict=True))
    for order in reversed(orders):
        rows = await _sorted(rows, _KEYS[order.key], reverse=order.reverse)
    return [message.info.uid for message, _ in rows]


async def _sorted(
    rows: list[_Row], key: Callable[[Message, HeaderValues], Any], *, reverse: bool
) -> list[_Row]:
    """The rows in the order of a key; equal ones stay as they are.  Short pieces are sorted, and merged."""
    pieces = []
    for start in range(0, len(rows), _TESTED):
        if start:
            await turn()
        pieces.append(sorted(rows[start : start + _TESTED], key=lambda row: key(*row), reverse=reverse))
    if len(pieces) < 2:
        return pieces[0] if pieces else []
    found: list[_Row] = []
    for row in merge(*pieces, key=lambda row: key(*row), reverse=reverse):
        found.append(row)
        if not len(found) % _TESTED:
            await turn()
    return found


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


async def near_words(messages: Sequence[Message], words: Sequence[str]) -> list[list[str]]:
    """See `INearWords.near_words`; only the latest messages count."""
    missing = set(words)
    near = NearWords(words)
    for message in messages[-_NEAR:]:
        work = Working(_words_steps(message.content, missing, near))
        for _ in work:
            await turn()
        if not missing:
            break
    return [found if word in missing else [] for word, found in zip(words, near.found(), strict=True)]


def _words_steps(content: bytes, missing: set[str], near: NearWords) -> Steps[None]:
    """Compare the words of a message; those that it has are not ``missing`` any more."""
    texts = yield from search_texts_steps(content, (yield from scan_steps(content)))
    for text in texts or ():
        missing.difference_update([word for word in missing if word in text])
        yield from near.read(text)


def _sent(message: Message, values: HeaderValues) -> int:
    return (message.info.internal_date or 0) if values.sent is None else values.sent
