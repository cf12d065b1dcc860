"""Conditions on what is known of each message of a mailbox: sets, flags, sizes and dates."""

from __future__ import annotations

import datetime
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection
from typing import Literal

from mailproto.imap.server._conditions import Batch, Column, Cost
from mailproto.model import SYSTEM_FLAGS

__all__ = [
    "Spellings",
    "arrived",
    "between",
    "compared",
    "dated",
    "flagged",
    "in_ranges",
    "of_day",
    "recent",
    "sized",
]

_EPOCH_ORDINAL = 719_163
"""``datetime.date(1970, 1, 1).toordinal()``"""

_DAY = 86_400


def in_ranges(ranges: Collection[tuple[int, int]], *, uid: bool) -> Column:
    """Messages whose number is in one of the ranges.

    :param ranges: (first, last), in ascending order, without overlaps.
    :param uid: whether the numbers are UIDs.
    """
    firsts = array("Q", [first for first, _ in ranges])
    lasts = array("Q", [last for _, last in ranges])
    return between(firsts, lasts, uid=uid)


def between(firsts: array[int], lasts: array[int], *, uid: bool) -> Column:
    """As `in_ranges`; the numbers where ranges begin and end are in two arrays."""

    def answer(batch: Batch) -> bytes | bytearray:
        size = batch.size
        numbers = batch.uids if uid else range(batch.start + 1, batch.start + 1 + size)
        low, high = bisect_left(lasts, numbers[0]), bisect_right(firsts, numbers[-1])
        if high - low > size:
            nearest = [bisect_right(firsts, number) - 1 for number in numbers]
            return bytes(
                [at >= 0 and number <= lasts[at] for at, number in zip(nearest, numbers, strict=True)]
            )
        answers = bytearray(size)
        for at in range(low, high):
            start = bisect_left(numbers, firsts[at])
            stop = bisect_right(numbers, lasts[at], start)
            answers[start:stop] = b"\1" * (stop - start)
        return answers

    return Column(Cost.SET, answer)


def compared(flag: str) -> str:
    """The form of a flag in which it is compared: keywords have no case."""
    return flag if flag in SYSTEM_FLAGS else flag.casefold()


class Spellings:
    """The keywords of a mailbox by their compared form, as far as they were seen."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._spellings: dict[str, set[str]] = {}

    def of(self, name: str, batch: Batch) -> set[str]:
        """All spellings of a keyword in a batch."""
        for keyword in batch.keywords - self._seen:
            self._seen.add(keyword)
            self._spellings.setdefault(keyword.casefold(), set()).add(keyword)
        return self._spellings.get(name, set())


def flagged(name: str, spellings: Spellings) -> Column:
    """Messages with a flag, in its compared form."""

    def answer(batch: Batch) -> bytes:
        different = batch.different_flags
        names = {name} if name in SYSTEM_FLAGS else spellings.of(name, batch)
        answers = {flags: not names.isdisjoint(flags) for flags in different}
        return bytes(map(answers.__getitem__, batch.flags))

    return Column(Cost.FLAGS, answer)


def recent(is_recent: Callable[[int], bool]) -> Column:
    """Messages of which this session was told first, by their UIDs."""
    return Column(Cost.FLAGS, lambda batch: bytes(map(is_recent, batch.uids)))


def sized(op: Literal["LARGER", "SMALLER"], octets: int) -> Column:
    """Messages above or below a size."""
    matches = octets.__lt__ if op == "LARGER" else octets.__gt__
    return Column(Cost.METADATA, lambda batch: bytes(map(matches, batch.sizes)))


def arrived(op: Literal["OLDER", "YOUNGER"], seconds: int) -> Column:
    """Messages whose internal date is this time or before, or this time or after (RFC 5032)."""
    matches = seconds.__ge__ if op == "OLDER" else seconds.__le__
    return Column(Cost.METADATA, lambda batch: bytes(map(matches, batch.dates)))


def of_day(op: Literal["BEFORE", "ON", "SINCE"], date: datetime.date) -> Callable[[int], bool]:
    """A test of a time, by its day; SINCE includes its day (RFC 9051 6.4.4)."""
    begins = (date.toordinal() - _EPOCH_ORDINAL) * _DAY
    tests: dict[str, Callable[[int], bool]] = {
        "BEFORE": begins.__gt__,
        "ON": range(begins, begins + _DAY).__contains__,
        "SINCE": begins.__le__,
    }
    return tests[op]


def dated(op: Literal["BEFORE", "ON", "SINCE"], date: datetime.date) -> Column:
    """Messages by the day of their internal date, whatever its zone (RFC 9051 6.4.4)."""
    matches = of_day(op, date)
    return Column(Cost.METADATA, lambda batch: bytes(map(matches, batch.local_dates)))
