"""A fault in a store, and what looks for some."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

__all__ = ["Fault", "Look"]


class Fault(NamedTuple):
    """A fault in the store.

    :ivar kind: the plural name of faults of this kind.
    :ivar text: a description in one line.
    :ivar mending: the statement that repairs it, with its values; None if it cannot be repaired.
    :ivar file: a file to remove instead.
    """

    kind: str
    text: str
    mending: tuple[str, Sequence[Any]] | None = None
    file: str | None = None


Look = Callable[[sqlite3.Connection], Iterator[Fault]]
