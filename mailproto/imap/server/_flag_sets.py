"""The different sets of flags in one view, each of them one object; and the keywords in them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from mailproto.model import SYSTEM_FLAGS

__all__ = ["KEYWORDS", "FlagSets"]

KEYWORDS: Final = 1000
"""The most keywords of one mailbox that a session tells in FLAGS; a message may have others."""

_OCTETS: Final = 1 << 20
"""How much the known sets may take, as `_weight` estimates it; then they are forgotten."""


class FlagSets:
    """Messages share few sets of flags; a backend may make an object for each message nevertheless.

    :ivar keywords: those that were seen, in that order; at most `KEYWORDS`.
    """

    __slots__ = ("_keywords", "_sets", "_weight")

    def __init__(self) -> None:
        self._sets: dict[frozenset[str], frozenset[str]] = {}
        self._weight = 0
        self._keywords: dict[str, None] = {}

    @property
    def keywords(self) -> Collection[str]:
        """See above."""
        return self._keywords.keys()

    def shared(self, flags: Sequence[frozenset[str]]) -> list[frozenset[str]]:
        """The sets of many messages, with one object for equal sets."""
        known = self._sets
        if len(flags) == 1 and (found := known.get(flags[0])) is not None:
            return [found]
        distinct = set(flags)
        if not known.keys() >= distinct:
            self._learn(distinct.difference(known))
        return [known[each] for each in flags]

    def _learn(self, sets: Iterable[frozenset[str]]) -> None:
        known = self._sets
        if self._weight > _OCTETS:
            known.clear()
            self._weight = 0
        unknown: set[str] = set()
        for flags in sets:
            known[flags] = flags
            self._weight += _weight(flags)
            unknown |= flags
        unknown = unknown.difference(SYSTEM_FLAGS, self._keywords)
        for keyword in sorted(unknown)[: KEYWORDS - len(self._keywords)]:
            self._keywords[keyword] = None


def _weight(flags: frozenset[str]) -> int:
    """The octets of a set and its keywords, roughly."""
    return 250 + sum([100 + len(flag) for flag in flags])
