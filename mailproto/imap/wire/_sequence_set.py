"""Sequence sets (RFC 9051 9): parsing, resolving to the messages of a mailbox, and writing."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mailproto.imap.wire._errors import IMAPWireError

__all__ = ["SAVED", "SequenceSet", "format_set", "ordered_set_pieces", "set_pieces"]

_MAX_NUMBER = (1 << 32) - 1
_SET = re.compile(
    rb"(?:[1-9][0-9]{0,9}+|\*)(?::(?:[1-9][0-9]{0,9}+|\*))?"
    rb"(?:,(?:[1-9][0-9]{0,9}+|\*)(?::(?:[1-9][0-9]{0,9}+|\*))?)*"
)
_NUMBERS = re.compile(rb"[0-9,]*+")


@dataclass(frozen=True, slots=True)
class SequenceSet:
    """Ranges of UIDs or sequence numbers, as the client wrote them.

    :ivar ranges: pairs (low, high) with low <= high.  ``*`` is None and comes last: ``5:3`` is
        ``(3, 5)``, ``*:7`` is ``(7, None)`` and ``*`` is ``(None, None)``.  There are none in `SAVED`.
    """

    ranges: tuple[tuple[int | None, int | None], ...]

    @classmethod
    def parse(cls, text: bytes) -> SequenceSet:
        """Parse a set such as ``1,3:5,9:*``.

        :raises IMAPWireError: it is not a set, or has 0 or a number above 2**32 - 1.
        """
        if not _SET.fullmatch(text):
            raise IMAPWireError("Invalid sequence set")
        ranges: list[tuple[int | None, int | None]]
        if _NUMBERS.fullmatch(text):
            ranges = [(number, number) for number in map(int, text.split(b","))]
        else:
            ranges = [_range(item) for item in text.split(b",")]
        if max((high or low or 0) for low, high in ranges) > _MAX_NUMBER:
            raise IMAPWireError("Number too large in sequence set")
        return cls(tuple(ranges))

    def merged(self, last: int) -> list[tuple[int, int]]:
        """The ranges in ascending order and without overlaps.

        Without this, each range of ``1:*,1:*,...`` would cost the mailbox's length.

        :param last: the number for ``*``; 0 for an empty mailbox, in which ``*`` is no message.
        """
        concrete = []
        for low, high in self.ranges:
            if high is not None and low is not None:
                concrete.append((low, high))
            elif low is None or low == last:
                concrete.append((last, last))
            else:
                concrete.append((low, last) if low < last else (last, low))
        if len(concrete) < 2:
            return concrete
        concrete.sort()
        merged = []
        low, high = concrete[0]
        for next_low, next_high in concrete:
            if next_low > high + 1:
                merged.append((low, high))
                low, high = next_low, next_high
            elif next_high > high:
                high = next_high
        merged.append((low, high))
        return merged


SAVED = SequenceSet(())
"""``$``: the messages that a SEARCH has saved (RFC 5182), whatever their numbers are."""


def _range(item: bytes) -> tuple[int | None, int | None]:
    left, colon, right = item.partition(b":")
    low = None if left == b"*" else int(left)
    if not colon:
        return low, low
    high = None if right == b"*" else int(right)
    if low is None or (high is not None and low > high):
        return high, low
    return low, high


def format_set(numbers: Sequence[int]) -> bytes:
    """Write ascending numbers as the shortest set, such as ``1:3,7``; empty for no numbers."""
    return b"".join(set_pieces(numbers, len(numbers) + 1))


def set_pieces(numbers: Sequence[int], size: int) -> Iterator[bytes]:
    """As `format_set`, in pieces for about ``size`` numbers each."""
    start = 0
    comma = b""
    while start < len(numbers):
        if numbers[-1] - numbers[start] == len(numbers) - 1 - start:  # all that are left are one range
            yield comma + _format_range(numbers[start], numbers[-1])
            return
        stop = min(start + size, len(numbers))
        ranges: list[bytes] = []
        first = last = numbers[start]
        for number in numbers[start + 1 : stop]:
            if number != last + 1:
                ranges.append(_format_range(first, last))
                first = number
            last = number
        if stop < len(numbers) and numbers[stop] == last + 1:
            stop += _length_of_range(numbers, stop)
            last = numbers[stop - 1]
        ranges.append(_format_range(first, last))
        yield comma + b",".join(ranges)
        start, comma = stop, b","


def _length_of_range(numbers: Sequence[int], start: int) -> int:
    """How many numbers from ``start`` on follow each other; found by halving, since it may be very many."""
    first = numbers[start]
    return bisect_right(range(len(numbers) - start), 0, key=lambda at: numbers[start + at] - first - at)


def _format_range(first: int, last: int) -> bytes:
    return b"%d" % first if first == last else b"%d:%d" % (first, last)


def ordered_set_pieces(numbers: Sequence[int], size: int) -> Iterator[bytes]:
    """Write numbers in their order as a set, in pieces for about ``size`` numbers each.

    Only ascending neighbours become ranges, so that the set has the same order for all who read it
    (RFC 5267 3.2).
    """
    comma = b""
    start = 0
    while start < len(numbers):
        stop = min(start + size, len(numbers))
        ranges: list[bytes] = []
        first = last = numbers[start]
        for number in numbers[start + 1 : stop]:
            if number != last + 1:
                ranges.append(_format_range(first, last))
                first = number
            last = number
        ranges.append(_format_range(first, last))
        yield comma + b",".join(ranges)
        comma = b","
        start = stop
