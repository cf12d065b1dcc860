"""Sets of UIDs, kept as ranges: a server may send ``1:4294967295``."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import TypeAlias, overload

from mailproto._arguments import wrong_type, wrong_value

__all__ = ["UidSet", "Uids", "range_count", "set_texts"]

_LARGEST = (1 << 32) - 1
_RANGES = re.compile(rb"[0-9]{1,10}(?::[0-9]{1,10})?(?:,[0-9]{1,10}(?::[0-9]{1,10})?)*")
_ONE = r"(?:[1-9][0-9]{0,9}|\*)(?::(?:[1-9][0-9]{0,9}|\*))?"
_REQUESTED = re.compile(rf"\$|{_ONE}(?:,{_ONE})*")
_COMMAND_ROOM = 7000
"""Octets of a set in one command: servers read lines of 8,192 octets (RFC 7162 4)."""


class UidSet(Sequence[int]):
    """Some UIDs in ascending order: a sequence of ints, which takes memory for each range only.

    :param uids: in any order.
    :raises ValueError: one of them is not from 1 to 2**32 - 1.
    """

    __slots__ = ("_before", "_highs", "_lows")

    _lows: array[int]
    _highs: array[int]
    _before: array[int]

    def __init__(self, uids: Iterable[int] = ()) -> None:
        if isinstance(uids, UidSet):
            self._lows, self._highs, self._before = uids._lows, uids._highs, uids._before
            return
        try:
            numbers = sorted(uids)
            array("I", numbers)
        except (TypeError, OverflowError):
            raise wrong_value("uids", uids, "UIDs, from 1 to 2**32 - 1") from None
        if numbers and numbers[0] < 1:
            raise wrong_value("uids", numbers[0], "UIDs, from 1 to 2**32 - 1")
        lows, highs = array("I"), array("I")
        last = -1
        for number in numbers:
            if number == last + 1 and highs:
                highs[-1] = number
            elif number != last:
                lows.append(number)
                highs.append(number)
            last = number
        self._set(lows, highs)

    def _set(self, lows: array[int], highs: array[int]) -> None:
        self._lows, self._highs = lows, highs
        # How many are in the ranges before each.
        sizes = (high - low + 1 for low, high in zip(lows, highs, strict=True))
        self._before = array("Q", accumulate(sizes, initial=0))

    @classmethod
    def of_ranges(cls, ranges: Iterable[tuple[int, int]]) -> UidSet:
        """A set of ranges, each with its first and last UID, in any order."""
        lows, highs = array("I"), array("I")
        for low, high in sorted((low, high) if low <= high else (high, low) for low, high in ranges):
            if highs and low <= highs[-1] + 1:
                highs[-1] = max(high, highs[-1])
            else:
                lows.append(low)
                highs.append(high)
        made = cls.__new__(cls)
        made._set(lows, highs)
        return made

    @classmethod
    def read(cls, octets: bytes) -> UidSet | None:
        """A set as a server writes it, such as ``1:3,7``; None if it is none."""
        ranges = ranges_of(octets)
        return None if ranges is None else cls.of_ranges(ranges)

    @property
    def ranges(self) -> Iterator[tuple[int, int]]:
        """The first and the last UID of each range."""
        return zip(self._lows, self._highs, strict=True)

    def __len__(self) -> int:
        return self._before[-1]

    def __contains__(self, uid: object) -> bool:
        if not isinstance(uid, int):
            return False
        at = bisect_right(self._lows, uid) - 1
        return at >= 0 and uid <= self._highs[at]

    def __iter__(self) -> Iterator[int]:
        for low, high in self.ranges:
            yield from range(low, high + 1)

    def __reversed__(self) -> Iterator[int]:
        for low, high in zip(reversed(self._lows), reversed(self._highs), strict=True):
            yield from range(high, low - 1, -1)

    @overload
    def __getitem__(self, at: int) -> int: ...
    @overload
    def __getitem__(self, at: slice) -> UidSet: ...
    def __getitem__(self, at: int | slice) -> int | UidSet:
        places = range(len(self))[at]
        if isinstance(places, int):
            place = bisect_right(self._before, places) - 1
            return self._lows[place] + places - self._before[place]
        if places.step == 1:
            return UidSet.of_ranges(self._ranges_at(places.start, places.stop))
        return UidSet(self[place] for place in places)

    def _ranges_at(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """The ranges of the UIDs at these places."""
        at = bisect_right(self._before, start) - 1
        while start < stop:
            low = self._lows[at] + start - self._before[at]
            high = min(self._highs[at], low + stop - start - 1)
            yield low, high
            start += high - low + 1
            at += 1

    def __eq__(self, other: object) -> bool:
        if isinstance(other, UidSet):
            return self._lows == other._lows and self._highs == other._highs
        if isinstance(other, (list, tuple)):
            return len(self) == len(other) and all(one == two for one, two in zip(self, other, strict=True))
        return NotImplemented

    def __hash__(self) -> int:
        return hash((self._lows.tobytes(), self._highs.tobytes()))

    def __str__(self) -> str:
        """As IMAP writes it: ``1:3,7``; empty for no UIDs."""
        return ",".join(_range(low, high) for low, high in self.ranges)

    def __repr__(self) -> str:
        text = str(self)
        return f"UidSet({text if len(text) <= 100 else text[:97] + '...'})"

    def range_of(self, uid: int) -> tuple[int, int] | None:
        """The first and the last UID of the range that has ``uid``; None if there is none."""
        at = bisect_right(self._lows, uid) - 1
        return (self._lows[at], self._highs[at]) if at >= 0 and uid <= self._highs[at] else None

    def index_of(self, uid: int) -> int | None:
        """The place of ``uid`` in the sequence, from 0 on; None if it is not there."""
        at = bisect_right(self._lows, uid) - 1
        if at < 0 or uid > self._highs[at]:
            return None
        return self._before[at] + uid - self._lows[at]

    def __sub__(self, other: UidSet) -> UidSet:
        """The UIDs that are not in ``other``."""
        left: list[tuple[int, int]] = []
        for low, high in self.ranges:
            at = bisect_left(other._highs, low)
            while low <= high and at < len(other._lows) and other._lows[at] <= high:
                if other._lows[at] > low:
                    left.append((low, other._lows[at] - 1))
                low = other._highs[at] + 1
                at += 1
            if low <= high:
                left.append((low, high))
        return UidSet.of_ranges(left)

    def __or__(self, other: UidSet) -> UidSet:
        """The UIDs of both sets."""
        return UidSet.of_ranges([*self.ranges, *other.ranges])

    def __and__(self, other: UidSet) -> UidSet:
        """The UIDs that are in both sets."""
        return self - (self - other)

    def overlaps(self, other: UidSet) -> bool:
        """Whether some UID is in both."""
        shorter, longer = (self, other) if len(self._lows) <= len(other._lows) else (other, self)
        for low, high in shorter.ranges:
            at = bisect_left(longer._highs, low)
            if at < len(longer._lows) and longer._lows[at] <= high:
                return True
        return False


def range_count(uids: UidSet) -> int:
    """How many ranges are in the set: what it takes in memory."""
    return len(uids._lows)


Uids: TypeAlias = int | str | Iterable[int]
"""What methods take: a UID, some UIDs, or a set as IMAP writes it, such as ``"1:3,7"`` or ``"1:*"``."""


def ranges_of(octets: bytes) -> list[tuple[int, int]] | None:
    """The ranges of a set as a server writes it, in its order; None if it is none."""
    if not _RANGES.fullmatch(octets):
        return None
    ranges = []
    for item in octets.split(b","):
        low, colon, high = item.partition(b":")
        one = int(low)
        other = int(high) if colon else one
        if not (0 < one <= _LARGEST and 0 < other <= _LARGEST):
            return None
        ranges.append((one, other))
    return ranges


def set_texts(uids: Uids) -> list[tuple[str, UidSet | None]]:
    """What to write for ``uids``, in texts that fit into a command each, and the UIDs if they are known.

    :raises TypeError, ValueError: they are no UIDs.
    """
    if isinstance(uids, str):
        if not _REQUESTED.fullmatch(uids):
            raise wrong_value("uids", uids, "a set such as '1:3,7' or '1:*'")
        if "*" in uids or "$" in uids:
            return [(uids, None)]
        known = UidSet.read(uids.encode("ascii"))
        if known is None:
            raise wrong_value("uids", uids, "UIDs, from 1 to 2**32 - 1")
    elif isinstance(uids, int) and not isinstance(uids, bool):
        known = UidSet([uids])
    elif isinstance(uids, Iterable) and not isinstance(uids, (bytes, bytearray)):
        known = UidSet(uids)
    else:
        raise wrong_type("uids", uids, "a UID, some UIDs, or a set such as '1:3,7'")
    return list(_texts(known))


def _texts(uids: UidSet) -> Iterator[tuple[str, UidSet]]:
    texts: list[str] = []
    ranges: list[tuple[int, int]] = []
    room = _COMMAND_ROOM
    for low, high in uids.ranges:
        text = _range(low, high)
        if len(text) + 1 > room:
            yield ",".join(texts), UidSet.of_ranges(ranges)
            texts, ranges, room = [], [], _COMMAND_ROOM
        texts.append(text)
        ranges.append((low, high))
        room -= len(text) + 1
    if texts:
        yield ",".join(texts), UidSet.of_ranges(ranges)


def _range(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}:{high}"
