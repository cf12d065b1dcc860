"""Sets of very many UIDs, made in steps."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import Final

from mailproto.awaiting import turn
from mailproto.imap.values import UidSet

__all__ = ["AT_ONCE", "in_parts", "uid_set"]

AT_ONCE: Final = 2000
"""Messages about which one command is, or that are looked at before others have their turn: some 1 ms."""


async def uid_set(uids: Sequence[int], among: Container[int] | None = None) -> UidSet:
    """A set of ascending UIDs, or of those that are ``among`` others, too."""
    if isinstance(uids, UidSet) and among is None:
        return uids
    ranges: list[tuple[int, int]] = []
    for some in in_parts(uids):
        if among is None and some[-1] - some[0] == len(some) - 1:
            ranges.append((some[0], some[-1]))
        else:
            ranges += UidSet(some if among is None else [uid for uid in some if uid in among]).ranges
        await turn()
    return UidSet.of_ranges(ranges)


def in_parts(uids: Sequence[int]) -> Iterator[Sequence[int]]:
    """UIDs, some at a time."""
    for start in range(0, len(uids), AT_ONCE):
        yield uids[start : start + AT_ONCE]
