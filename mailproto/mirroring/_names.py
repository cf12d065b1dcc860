"""What a mailbox is called on the other side: the same at all levels, as far as that is possible."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from typing import TypeAlias

__all__ = ["Levels", "careful", "free_name", "written"]

Levels: TypeAlias = tuple[str, ...]
"""The levels of a mailbox's name, from the top; they mean the same on all servers."""

_LONGEST = 60
"""Characters of a level of a careful name."""

_TRIED = 1000
"""Names that are tried before there is none."""

_UNUSUAL = re.compile(r"[^A-Za-z0-9 ._-]")


def written(levels: Levels, delimiter: str) -> str:
    """Levels with this delimiter, which no level can have in it."""
    if not delimiter:
        return "_".join(levels)
    return delimiter.join(level.replace(delimiter, "_") for level in levels)


def careful(levels: Levels) -> Levels:
    """Levels that any server should take: ASCII, not long, no odd characters, and none at their ends."""
    first, *others = levels
    kept = [] if first != "INBOX" or not others else [first]
    return (*kept, *(_careful(level) for level in (levels[1:] if kept else levels)))


def _careful(level: str) -> str:
    return _UNUSUAL.sub("_", level)[:_LONGEST].strip(" .") or "_"


def free_name(name: str, taken: Container[str]) -> str:
    """The name, or the first of ``NAME_2``, ``NAME_3`` and so on that is not taken."""
    return next(each for each in _numbered(name) if each not in taken)


def _numbered(name: str) -> Iterator[str]:
    yield name
    for number in range(2, _TRIED):
        yield f"{name}_{number}"
    raise ValueError(f"all names like {name} are taken")
