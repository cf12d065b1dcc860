"""Inserts many rows with few statements, because each statement gives up the interpreter lock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

__all__ = ["insert"]

_ROWS = 64  # rows of one INSERT; powers of two for the rest, so that few statements are prepared
_FEW = 8  # as few as that are one INSERT, because most batches are small


def insert(
    execute: Callable[..., object], into: str, rows: Sequence[Sequence[Any]], values: str = ""
) -> None:
    """Insert ``rows``.

    :param into: ``INSERT INTO table (columns)``.
    :param values: ``(?, ...)`` for one row, with its parameters; by default each column has one.
    """
    at, count = 0, _ROWS
    while at < len(rows):
        left = len(rows) - at
        if left <= _FEW:
            count = left
        while count > left:
            count //= 2
        values = values or "(" + ",".join("?" * len(rows[0])) + ")"
        execute(
            f"{into} VALUES " + ",".join([values] * count), list(chain.from_iterable(rows[at : at + count]))
        )
        at += count
