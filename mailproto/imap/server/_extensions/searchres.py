"""SEARCHRES (RFC 5182, RFC 9051 6.4.4.1): SEARCH saves what it finds, and ``$`` stands for it."""

from __future__ import annotations

from collections.abc import Sequence

from mailproto.imap.server._extension import Extension
from mailproto.imap.server._extensions.partial import partial_of
from mailproto.imap.server._options import SearchReturn
from mailproto.imap.server._requests import SearchFound
from mailproto.imap.server._saved import SavedResult
from mailproto.imap.server._search import indexes_in
from mailproto.imap.server._session import Session
from mailproto.imap.wire import no_value

__all__ = ["EXTENSION"]

_AT_ONCE = 2000
"""Messages that are saved before others may have their turn: some 1 ms."""


async def _save(session: Session, found: SearchFound, value: None) -> None:
    view, pause = found.asked.view, session.yield_turn
    indexes = await indexes_in(pause, view, _chosen(found), uid=found.uid)
    saved = SavedResult()
    for start in range(0, len(indexes), _AT_ONCE):
        saved.add(view.uids, indexes[start : start + _AT_ONCE])
        await pause()
    view.saved = saved


async def _nothing(session: Session, found: SearchFound, value: None) -> None:
    """SAVE has no part of the answer."""


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
    search_returns=(
        SearchReturn(
            "SAVE", no_value, _nothing, is_silent=True, only_selected=True, finish=_save, refused=_refused
        ),
    ),
)
