"""Leaves out lines of a kind of which there are too many, and counts them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Final, Generic, TypeVar

__all__ = ["EVERY", "Sparing"]

EVERY: Final = 60
"""Seconds in which only so many lines of a kind are written."""

KindT = TypeVar("KindT", bound=Hashable)


class _Lines:
    """Those of one kind since its first one.

    :ivar began: when that was.
    """

    __slots__ = ("began", "unwritten", "written")

    def __init__(self, began: float) -> None:
        self.began = began
        self.written = self.unwritten = 0


class Sparing(Generic[KindT]):
    """Counts lines by their kind, which clients may choose.

    :param most: the lines of a kind that are written in `EVERY` seconds.
    :param kinds: how many kinds are known at a time; the one that began first is forgotten.
    """

    def __init__(self, most: int, kinds: int) -> None:
        self._most = most
        self._kinds = kinds
        self._lines: dict[KindT, _Lines] = {}  # by their beginning

    def __len__(self) -> int:
        """How many kinds are known."""
        return len(self._lines)

    def may_write(self, kind: KindT, now: float) -> bool:
        """Count a line; returns whether to write it.  `over` comes first."""
        lines = self._lines.get(kind)
        if lines is None:
            lines = self._lines[kind] = _Lines(now)
        if lines.written < self._most:
            lines.written += 1
            return True
        lines.unwritten += 1
        return False

    def over(self, now: float) -> Iterator[tuple[KindT, int]]:
        """Forget the kinds that began `EVERY` seconds ago, and those that are too many.

        :returns: those of which some lines were not written, and how many.
        """
        while self._lines:
            kind, lines = next(iter(self._lines.items()))
            if 0 <= now - lines.began < EVERY and len(self._lines) < self._kinds:
                return
            del self._lines[kind]
            if lines.unwritten:
                yield kind, lines.unwritten
