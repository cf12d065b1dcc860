"""SAVEDATE (RFC 8514): when a message was put into its mailbox."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mailproto.imap.server._conditions import All, Batch, Column, Condition, Cost
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._matching import Search, SearchKeys
from mailproto.imap.server._rows import Batch as Rows
from mailproto.imap.server._rows import FetchColumn
from mailproto.imap.server._search_columns import of_day
from mailproto.imap.wire import KeyReader, SearchKey, grammars, internal_date
from mailproto.interfaces.add_ons import ISaveDates
from mailproto.model import Part

__all__ = ["EXTENSION"]


def _save_dates(batch: Rows) -> Sequence[Any]:
    return [b"NIL" if info.save_date is None else internal_date(info.save_date) for info in batch.infos]


@dataclass(frozen=True, slots=True)
class SaveDateKey(SearchKey):
    """SAVEDBEFORE, SAVEDON and SAVEDSINCE; times and zones do not matter."""

    op: Literal["BEFORE", "ON", "SINCE"]
    date: datetime.date


@dataclass(frozen=True, slots=True)
class SaveDateSupported(SearchKey):
    """SAVEDATESUPPORTED: all messages, because every mailbox here has save dates."""


def _read(keys: KeyReader, op: Literal["BEFORE", "ON", "SINCE"]) -> SearchKey:
    keys.arguments.space()
    return SaveDateKey(op, grammars.date(keys.arguments))


def _condition(search: Search, key: SaveDateKey) -> Condition:
    matches = of_day(key.op, key.date)

    def answer(batch: Batch) -> bytes:
        # A message whose save date is not known has that of its arrival (RFC 8514 4.3).
        return bytes(
            info is not None and matches(info.save_date or info.internal_date or 0) for info in batch.infos
        )

    return search.column(key, lambda: Column(Cost.METADATA, answer, Part.SAVE_DATE | Part.INTERNAL_DATE))


EXTENSION = Extension(
    "SAVEDATE",
    capabilities=("SAVEDATE",),
    needs=frozenset({ISaveDates}),
    fetch_columns=(FetchColumn("SAVEDATE", b"SAVEDATE %b", _save_dates, Part.SAVE_DATE),),
    search_keys=(
        SearchKeys(
            SaveDateKey,
            _condition,
            readers={
                b"SAVEDBEFORE": lambda keys: _read(keys, "BEFORE"),
                b"SAVEDON": lambda keys: _read(keys, "ON"),
                b"SAVEDSINCE": lambda keys: _read(keys, "SINCE"),
            },
        ),
        SearchKeys(
            SaveDateSupported, lambda search, key: All(()), {b"SAVEDATESUPPORTED": SaveDateSupported()}
        ),
    ),
)
