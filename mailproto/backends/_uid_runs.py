"""Sequences of very many UIDs that take little memory: a Python integer takes 32 octets, and a pair 120."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from typing import overload

__all__ = ["UidPairs", "UidRuns"]


class UidRuns(Sequence[int]):
    """Ascending UIDs, kept as runs of consecutive ones; a slice within one run is a ``range``."""

    __slots__ = ("_firsts", "_length", "_starts")

    def __init__(self) -> None:
        self._firsts = array("I")  # of each run
        self._starts = array("Q")  # its first UID's position in the sequence
        self._length = 0

    def add(self, first: int, last: int) -> None:
        """Append the UIDs from ``first`` to ``last``; none, if the one is above the other."""
        if first > last:
            return
        self._firsts.append(first)
        self._starts.append(self._length)
        self._length += last - first + 1

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # lists have none, either

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, at: int) -> int: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[int]: ...
    def __getitem__(self, at: int | slice) -> int | Sequence[int]:
        if not isinstance(at, slice):
            position = range(self._length)[at]
            run = bisect_right(self._starts, position) - 1
            return self._firsts[run] + position - self._starts[run]
        positions = range(self._length)[at]
        if positions.step != 1:
            return [self[position] for position in positions]
        uids = array("I")
        start, stop = positions.start, positions.stop
        run = bisect_right(self._starts, start) - 1
        while start < stop:
            end = min(stop, self._starts[run + 1] if run + 1 < len(self._starts) else self._length)
            first = self._firsts[run] + start - self._starts[run]
            some = range(first, first + end - start)
            if len(some) == len(positions):
                return some
            uids.extend(some)
            start, run = end, run + 1
        return uids


class UidPairs(Sequence[tuple[int, int]]):
    """Pairs of UIDs, ascending in both columns.

    :ivar sources: the first of each pair.
    :ivar targets: the second of each pair.
    """

    __slots__ = ("sources", "targets")

    def __init__(self, sources: Sequence[int], targets: Sequence[int]) -> None:
        self.sources = array("I", sources)
        self.targets = array("I", targets)

    @classmethod
    def join(cls, parts: Sequence[UidPairs]) -> UidPairs:
        """The pairs of all ``parts``, one part after another."""
        joined = cls((), ())
        for part in parts:
            joined.sources += part.sources
            joined.targets += part.targets
        return joined

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # lists have none, either

    def __len__(self) -> int:
        return len(self.sources)

    @overload
    def __getitem__(self, at: int) -> tuple[int, int]: ...
    @overload
    def __getitem__(self, at: slice) -> UidPairs: ...
    def __getitem__(self, at: int | slice) -> tuple[int, int] | UidPairs:
        if isinstance(at, slice):
            return UidPairs(self.sources[at], self.targets[at])
        return self.sources[at], self.targets[at]
