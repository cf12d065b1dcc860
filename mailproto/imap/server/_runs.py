"""Indexes of very many messages, as a client names them: ranges, which cost the same at any length."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain
from typing import overload

__all__ = ["Runs"]


class Runs(Sequence[int]):
    """Ascending numbers.

    :ivar ranges: not empty, ascending, and without overlaps.
    """

    __slots__ = ("_starts", "ranges")

    def __init__(self, ranges: Sequence[range]) -> None:
        self.ranges = [each for each in ranges if each]
        self._starts = list(accumulate(map(len, self.ranges), initial=0))

    def __len__(self) -> int:
        return self._starts[-1]

    def __iter__(self) -> Iterator[int]:
        return chain.from_iterable(self.ranges)

    @overload
    def __getitem__(self, at: int) -> int: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[int]: ...
    def __getitem__(self, at: int | slice) -> int | Sequence[int]:
        positions = range(len(self))[at]
        starts = self._starts
        if isinstance(positions, int):
            run = bisect_right(starts, positions) - 1
            return self.ranges[run][positions - starts[run]]
        if not positions or positions.step != 1:
            return [self[position] for position in positions]
        start, stop = positions.start, positions.stop
        first, last = bisect_right(starts, start) - 1, bisect_right(starts, stop - 1) - 1
        some = self.ranges[first : last + 1]
        some[-1] = some[-1][: stop - starts[last]]
        some[0] = some[0][start - starts[first] :]
        return some[0] if len(some) == 1 else Runs(some)
