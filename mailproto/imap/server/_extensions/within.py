"""WITHIN (RFC 5032): messages that came so many seconds ago."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

from mailproto.imap.server._conditions import Condition
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._matching import Search, SearchKeys
from mailproto.imap.server._search_columns import arrived
from mailproto.imap.wire import IMAPWireError, KeyReader, SearchKey

__all__ = ["EXTENSION"]

now = time.time
"""Internal dates are by the system's clock; a reactor's may have another beginning."""


@dataclass(frozen=True, slots=True)
class Within(SearchKey):
    """OLDER and YOUNGER."""

    op: Literal["OLDER", "YOUNGER"]
    seconds: int


def _reader(keys: KeyReader, op: Literal["OLDER", "YOUNGER"]) -> Within:
    seconds = keys.arguments.number()
    if not seconds:
        raise IMAPWireError("Expected a number above 0")
    return Within(op, seconds)


def _condition(search: Search, key: Within) -> Condition:
    return search.column(key, lambda: arrived(key.op, int(now()) - key.seconds))


EXTENSION = Extension(
    "WITHIN",
    capabilities=("WITHIN",),
    search_keys=(
        SearchKeys(
            Within,
            _condition,
            readers={
                b"OLDER": lambda keys: _reader(keys, "OLDER"),
                b"YOUNGER": lambda keys: _reader(keys, "YOUNGER"),
            },
        ),
    ),
)
