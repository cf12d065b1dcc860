"""Which messages of a view are marked: an octet for each message, and nothing while none is marked."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from typing import TypeVar

__all__ = ["Marks"]

T = TypeVar("T")

_INVERTED = bytes([1, 0]) + bytes(254)


class Marks:
    """A set of indexes.  A set of Python would take fifty times as much memory."""

    __slots__ = ("_marks", "_size")

    def __init__(self) -> None:
        self._marks = bytearray()
        self._size = 0

    def __bool__(self) -> bool:
        return bool(self._marks)

    def __contains__(self, at: object) -> bool:
        marks = self._marks
        return isinstance(at, int) and 0 <= at < len(marks) and bool(marks[at])

    def resize(self, size: int) -> None:
        """The view has ``size`` messages; to be called before any of them is marked."""
        self._size = size

    def mark(self, indexes: Iterable[int]) -> None:
        """Mark some messages."""
        marks = self._grown()
        if isinstance(indexes, range):
            marks[indexes.start : indexes.stop] = b"\1" * len(indexes)
            return
        for at in indexes:
            marks[at] = 1

    def clear(self) -> None:
        """Take away all marks."""
        self._marks = bytearray()

    def within(self, indexes: range) -> list[int]:
        """The marked ones among consecutive indexes."""
        return list(compress(indexes, self._marks[indexes.start : indexes.stop]))

    def without(self, indexes: Sequence[int]) -> Sequence[int]:
        """The unmarked ones among some indexes."""
        if not self._marks:
            return indexes
        marks = self._grown()
        if isinstance(indexes, range):
            return array("I", compress(indexes, self._kept(indexes)))
        return array("I", [at for at in indexes if not marks[at]])

    def unmarked(self, values: Sequence[T], indexes: range) -> Iterator[T]:
        """The values of those among consecutive indexes that are not marked; ``values[0]`` is the first's."""
        return compress(values, self._kept(indexes))

    def _kept(self, indexes: range) -> bytearray:
        return self._grown()[indexes.start : indexes.stop].translate(_INVERTED)

    def _grown(self) -> bytearray:
        missing = self._size - len(self._marks)
        if missing > 0:
            self._marks.extend(bytes(missing))
        return self._marks
