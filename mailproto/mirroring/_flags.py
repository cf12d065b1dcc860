"""Flags of a message on both sides, and what they shall be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from mailproto.model import SYSTEM_FLAGS

__all__ = ["Flags", "changed_flags", "common_flags", "flags_text", "keeps", "merged_flags", "read_flags"]

Flags = frozenset[str]

_ATOM = re.compile(r"[!#$&\'+-\[^-z|}~]+")  # RFC 9051 9: ATOM-CHAR
_SYSTEM = {flag.casefold(): flag for flag in SYSTEM_FLAGS}


def keeps(permanent: Flags, flag: str) -> bool:
    """Whether a mailbox keeps a flag for good.

    :param permanent: its permanent flags, with ``\\*`` if it takes new keywords.
    """
    if flag.startswith("\\"):
        return flag in _SYSTEM.values() and flag in permanent
    folded = flag.casefold()
    return bool(_ATOM.fullmatch(flag)) and (
        "\\*" in permanent or any(each.casefold() == folded for each in permanent)
    )


def flags_text(flags: Iterable[str]) -> str:
    """Flags as the state keeps them: without ``\\Recent``, in one order, separated by spaces."""
    return _text(frozenset(flags))


@lru_cache(1024)
def _text(flags: Flags) -> str:
    kept = {flag.casefold(): flag for flag in sorted(flags)}
    return " ".join(_SYSTEM.get(folded, kept[folded]) for folded in sorted(kept) if folded != "\\recent")


@lru_cache(1024)
def read_flags(text: str) -> Flags:
    """What `flags_text` has written."""
    return frozenset(text.split())


def merged_flags(agreed: Flags, one: Flags, other: Flags) -> Flags:
    """Flags with the changes of both sides since they agreed; names are compared without case."""
    before = _folded(agreed)
    first, second = _folded(one), _folded(other)
    spelling = {**second, **first, **before}
    return frozenset(
        name
        for folded, name in spelling.items()
        if (
            folded in first
            if (folded in first) == (folded in second)
            else folded not in before  # one side has changed it
        )
    )


def changed_flags(now: Flags, wanted: Flags) -> tuple[Flags, Flags]:
    """The flags to add and to remove, so that ``now`` becomes ``wanted``."""
    have, want = _folded(now), _folded(wanted)
    return (
        frozenset(name for folded, name in want.items() if folded not in have),
        frozenset(name for folded, name in have.items() if folded not in want),
    )


def common_flags(one: Flags, other: Flags) -> Flags:
    """The flags that both have."""
    second = _folded(other)
    return frozenset(name for folded, name in _folded(one).items() if folded in second)


def _folded(flags: Flags) -> Mapping[str, str]:
    return {flag.casefold(): flag for flag in sorted(flags)}
