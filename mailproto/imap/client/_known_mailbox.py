"""What a program knows of a mailbox from before, and how SELECT tells it to the server (RFC 7162 3.2.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nlargest

from mailproto._arguments import check_bool, check_whole
from mailproto.imap.client._uid_set import Uids, UidSet, set_texts

__all__ = ["KnownMailbox"]

_MOST_KNOWN = 7000
"""Octets of the UIDs in QRESYNC's parameter: servers read lines of 8,192 octets (RFC 7162 4)."""


@dataclass(frozen=True, slots=True)
class KnownMailbox:
    """What a program knows of a mailbox, for a quick resynchronization (RFC 7162).

    :ivar uid_validity: as it was.
    :ivar modseq: up to which all changes are known.
    :ivar uids: that the program has; None for any.
    :ivar has_all: whether ``uids`` are all messages that there were.  Then the client also tells the server
        where some of them were, and a server that remembers few expunges has to name fewer UIDs.
    """

    uid_validity: int
    modseq: int
    uids: Uids | None = None
    has_all: bool = False

    def __post_init__(self) -> None:
        check_whole("uid_validity", self.uid_validity, 1)
        check_whole("modseq", self.modseq, 1)
        check_bool("has_all", self.has_all)
        if self.uids is not None and not isinstance(self.uids, (str, int, UidSet)):
            object.__setattr__(self, "uids", UidSet(self.uids))  # it may be an iterator
        if self.has_all and self.known is None:
            raise ValueError("has_all needs uids, without * and $")

    @property
    def known(self) -> UidSet | None:
        """The UIDs, if they are known."""
        if self.uids is None:
            return None
        parts = [known for _, known in set_texts(self.uids)]
        if None in parts:
            return None
        return UidSet.of_ranges(pair for part in parts if part is not None for pair in part.ranges)

    def parameter(self) -> str:
        """The parameter of SELECT."""
        words = [str(self.uid_validity), str(self.modseq)]
        known = self.known
        if known:
            words.append(_fitting(known))
            if self.has_all:
                words.append(_sample(known))
        return f"(QRESYNC ({' '.join(words)}))"


def _fitting(uids: UidSet) -> str:
    """The UIDs, or, if that is too long, those in the smallest gaps between them, too: they are no harm."""
    text = str(uids)
    if len(text) <= _MOST_KNOWN:
        return text
    ranges = list(uids.ranges)
    most = _MOST_KNOWN // (2 * len(str(ranges[-1][1])) + 2)

    def gap(place: int) -> int:
        return ranges[place][0] - ranges[place - 1][1]

    cuts = sorted(nlargest(most - 1, range(1, len(ranges)), key=gap))
    firsts, lasts = [0, *cuts], [*cuts, len(ranges)]
    return str(
        UidSet.of_ranges(
            (ranges[first][0], ranges[last - 1][1]) for first, last in zip(firsts, lasts, strict=True)
        )
    )


def _sample(uids: Sequence[int]) -> str:
    """The numbers and the UIDs of some messages, more of them near the end, where most are removed."""
    numbers = {1}
    distance = 1
    while distance <= len(uids):
        numbers.add(len(uids) - distance + 1)
        distance *= 2
    ascending = sorted(numbers)
    return f"({UidSet(ascending)} {UidSet(uids[number - 1] for number in ascending)})"
