"""Sets of very many UIDs as ranges: (first, last), ascending, without overlaps."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

__all__ = ["Ranges", "common", "runs", "without"]

Ranges: TypeAlias = Iterator[tuple[int, int]]


def runs(numbers: Sequence[int]) -> Ranges:
    """The ranges of ascending numbers; a long run costs a few look-ups."""
    start, size = 0, len(numbers)
    while start < size:
        first = numbers[start]
        # How far do the numbers follow each other?  First by doubling the step, then by halving it.
        step = 1
        while start + step < size and numbers[start + step] == first + step:
            step *= 2
        low, high = step // 2, min(step, size - start)
        stop = bisect_right(range(low, high), 0, key=lambda at: numbers[start + at] - first - at)
        start += low + stop
        yield first, first + low + stop - 1


def common(left: Iterable[tuple[int, int]], right: Iterable[tuple[int, int]]) -> Ranges:
    """What is in both."""
    others = iter(right)
    other = next(others, None)
    for first, last in left:
        while other is not None and other[1] < first:
            other = next(others, None)
        while other is not None and other[0] <= last:
            yield max(first, other[0]), min(last, other[1])
            if other[1] > last:
                break
            other = next(others, None)


def without(ranges: Iterable[tuple[int, int]], numbers: Sequence[int]) -> Ranges:
    """What is in the ranges, but not among some ascending numbers."""
    for first, last in ranges:
        start, stop = bisect_left(numbers, first), bisect_right(numbers, last)
        for number in numbers[start:stop]:
            if first < number:
                yield first, number - 1
            first = number + 1
        if first <= last:
            yield first, last
