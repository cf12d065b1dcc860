"""The messages that are ``\\Recent`` in one session (RFC 3501 2.3.2), as ranges of UIDs."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right

__all__ = ["RecentRanges"]


class RecentRanges:
    """Ranges of UIDs in ascending order.

    Other sessions may claim the messages in between, so there may be many.

    :ivar first: the lowest recent UID; 2**32 if there is none.
    """

    __slots__ = ("_firsts", "_lasts", "first")

    def __init__(self) -> None:
        self._firsts = array("I")
        self._lasts = array("I")
        self.first = 1 << 32

    def __contains__(self, uid: int) -> bool:
        at = bisect_right(self._firsts, uid) - 1
        return at >= 0 and uid <= self._lasts[at]

    def __len__(self) -> int:
        """How many ranges there are."""
        return len(self._firsts)

    def add(self, first: int, last: int, before: int) -> None:
        """Add a range above all others.

        :param before: the UID of the message before it, or 0: if that is recent, the ranges become one.
        """
        if self._firsts and before <= self._lasts[-1]:
            self._lasts[-1] = last
            return
        self._firsts.append(first)
        self._lasts.append(last)
        self.first = self._firsts[0]

    def count(self, uids: array[int]) -> int:
        """How many of ``uids`` are recent."""
        ranges = zip(self._firsts, self._lasts, strict=True)
        return sum(bisect_right(uids, last) - bisect_left(uids, first) for first, last in ranges)
