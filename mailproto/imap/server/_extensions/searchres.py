"""SEARCHRES (RFC 5182, RFC 9051 6.4.4.1): SEARCH saves what it finds, and ``$`` stands for it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import compress

from mailproto.imap.server._extension import Extension
from mailproto.imap.server._extensions.partial import partial_of
from mailproto.imap.server._options import SearchReturn
from mailproto.imap.server._requests import SearchFound
from mailproto.imap.server._saved import SavedResult
from mailproto.imap.server._session import Session
from mailproto.imap.wire import no_value

__all__ = ["EXTENSION"]

_AT_ONCE = 2000
"""Messages that are looked up before others may have their turn: some 1 ms."""


async def _save(session: Session, found: SearchFound, value: None) -> None:
    view = found.asked.view
    known, numbers = view.uids, _chosen(found)
    marks = bytearray(len(known))
    for start in range(0, len(numbers), _AT_ONCE):
        some = numbers[start : start + _AT_ONCE]
        for at in [bisect_left(known, uid) for uid in some] if found.uid else [each - 1 for each in some]:
            marks[at] = 1
        await session.yield_turn()
    saved = SavedResult()
    for start in range(0, len(marks), _AT_ONCE):
        stop = start + _AT_ONCE
        saved.add(known, compress(range(start, stop), marks[start:stop]))
        await session.yield_turn()
    view.saved = saved


def _chosen(found: SearchFound) -> Sequence[int]:
    """The numbers that are saved: all, unless only some of them are told (RFC 5182 2.4, RFC 9394 3.2)."""
    numbers, returns = found.numbers, found.returns
    told = {"MIN": numbers[:1], "MAX": numbers[-1:], "PARTIAL": partial_of(found) or ()}
    if "ALL" in returns or "COUNT" in returns or not any(name in returns for name in told):
        return numbers
    return [number for name, some in told.items() if name in returns for number in some]


def _refused(session: Session) -> None:
    """A search that fails saves nothing, in place of what was saved (RFC 5182 2.1)."""
    if session.view is not None:
        session.view.saved = SavedResult()


EXTENSION = Extension(
    "SEARCHRES",
    capabilities=("SEARCHRES",),
    search_returns=(SearchReturn("SAVE", no_value, _save, is_silent=True, refused=_refused),),
)
