"""Sets of very many UIDs as ranges: (first, last), ascending, without overlaps."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

__all__ = ["Ranges", "common", "runs", "without"]

Ranges: TypeAlias = Iterable[tuple[int, int]]

_AT_ONCE = 1000

_MORE_THAN_ANY = 1 << 64


def runs(numbers: Sequence[int]) -> Iterator[list[tuple[int, int]]]:
    """The ranges of ascending numbers, in lists for about a thousand numbers each, or one long range."""
    start, size = 0, len(numbers)
    while start < size:
        some = numbers[start : start + _AT_ONCE]
        first = some[0]
        if some[-1] - first == len(some) - 1:
            length = _length(numbers, start)
            yield [(first, first + length - 1)]
            start += length
            continue
        ranges = []
        last = first - 1
        for number in some:
            if number != last + 1:
                ranges.append((first, last))
                first = number
            last = number
        ranges.append((first, last))
        yield ranges
        start += len(some)


def _length(numbers: Sequence[int], start: int) -> int:
    """How many numbers from ``start`` on follow each other; found by halving, since it may be very many."""
    first = numbers[start]
    return bisect_right(range(len(numbers) - start), 0, key=lambda at: numbers[start + at] - first - at)


def common(ranges: Ranges, others: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """What is in both."""
    for first, last in ranges:
        at = max(bisect_right(others, (first, _MORE_THAN_ANY)) - 1, 0)
        while at < len(others) and others[at][0] <= last:
            low, high = max(first, others[at][0]), min(last, others[at][1])
            if low <= high:
                yield low, high
            at += 1


def without(ranges: Ranges, numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """What is in the ranges, but not among some ascending numbers."""
    for first, last in ranges:
        start, stop = bisect_left(numbers, first), bisect_right(numbers, last)
        for number in numbers[start:stop]:
            if first < number:
                yield first, number - 1
            first = number + 1
        if first <= last:
            yield first, last
