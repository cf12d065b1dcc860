"""Flags in the database: the bits of the system flags, and the keywords in one string."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from mailproto.model import DELETED, SEEN, SYSTEM_FLAGS

__all__ = ["DELETED_BIT", "SEEN_BIT", "Columns", "columns_of", "flags_column", "flags_of"]

Columns = tuple[int, str]

_BITS = {flag: 1 << position for position, flag in enumerate(SYSTEM_FLAGS)}
SEEN_BIT, DELETED_BIT = _BITS[SEEN], _BITS[DELETED]

KNOWN = 1 << 22
"""The octets of the combinations in the cache, roughly; those of a usual mailbox take some thousand."""


class _Known(dict[Columns, frozenset[str]]):
    """A cache: the set for each combination of columns, one object for all messages with it."""

    def __init__(self) -> None:
        self._octets = 0

    def __missing__(self, columns: Columns) -> frozenset[str]:
        bits, keywords = columns
        names = list(map(sys.intern, keywords.split()))  # the same name has one object in all sets
        flags = frozenset([*(flag for flag, bit in _BITS.items() if bits & bit), *names])
        self._octets += 400 + 2 * len(keywords) + sys.getsizeof(flags)
        if self._octets > KNOWN:
            self.clear()
            self._octets = 0
        self[columns] = flags
        return flags


flags_of = _Known()
"""``flags_of[bits, keywords]`` is the set of flags."""


def flags_column(bits: Sequence[int]) -> list[frozenset[str]]:
    """The flags of many messages without keywords."""
    sets = {each: flags_of[each, ""] for each in set(bits)}
    return [sets[each] for each in bits]


def columns_of(flags: frozenset[str]) -> Columns:
    """The columns for ``flags``."""
    if not flags:
        return 0, ""
    bits = sum(_BITS.get(flag, 0) for flag in flags)
    return bits, " ".join(sorted(flag for flag in flags if flag not in _BITS))
