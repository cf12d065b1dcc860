"""Flags in the database: the bits of the system flags, and the keywords in one string."""

from __future__ import annotations

from collections.abc import Sequence

from mailproto.model import DELETED, SEEN, SYSTEM_FLAGS

__all__ = ["DELETED_BIT", "SEEN_BIT", "Columns", "columns_of", "flags_column", "flags_of"]

Columns = tuple[int, str]

_BITS = {flag: 1 << position for position, flag in enumerate(SYSTEM_FLAGS)}
SEEN_BIT, DELETED_BIT = _BITS[SEEN], _BITS[DELETED]

_MAX_KNOWN = 10_000  # combinations in the cache; a mailbox has a few dozen


class _Known(dict[Columns, frozenset[str]]):
    """A cache: the set for each combination of columns, one object for all messages with it."""

    def __missing__(self, columns: Columns) -> frozenset[str]:
        bits, keywords = columns
        flags = frozenset(
            [*(flag for flag, bit in _BITS.items() if bits & bit), *keywords.split()],
        )
        if len(self) >= _MAX_KNOWN:
            self.clear()
        self[columns] = flags
        return flags


flags_of = _Known()
"""``flags_of[bits, keywords]`` is the set of flags."""


def flags_column(bits: Sequence[int], keywords: Sequence[str] | None) -> list[frozenset[str]]:
    """The flags of many messages, from their columns; ``keywords`` is None if no message has any."""
    if keywords is not None:
        return list(map(flags_of.__getitem__, zip(bits, keywords, strict=True)))
    sets = {each: flags_of[each, ""] for each in set(bits)}
    return list(map(sets.__getitem__, bits))


def columns_of(flags: frozenset[str]) -> Columns:
    """The columns for ``flags``."""
    if not flags:
        return 0, ""
    bits = sum(_BITS.get(flag, 0) for flag in flags)
    return bits, " ".join(sorted(flag for flag in flags if flag not in _BITS))
