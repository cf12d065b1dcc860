"""CONDSTORE (RFC 7162 3.1): the modseq of each message, which tells when it has changed."""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from mailproto.imap.server._conditional import store_again
from mailproto.imap.server._conditions import Batch, Column, Condition, Cost
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._matching import Search, SearchKeys, mentions
from mailproto.imap.server._options import FetchModifier, SelectParameter, StatusItem, StoreModifier
from mailproto.imap.server._requests import FetchRequest, SearchFound, StoreRequest
from mailproto.imap.server._rows import Batch as Rows
from mailproto.imap.server._rows import FetchColumn
from mailproto.imap.server._session import Session
from mailproto.imap.server._view import MailboxView
from mailproto.imap.server._view_writer import ViewWriter
from mailproto.imap.wire import (
    ArgumentReader,
    FetchAttribute,
    IMAPWireError,
    KeyReader,
    SearchKey,
    no_value,
    set_pieces,
)
from mailproto.model import FlagOperation, MailboxStatus, StoreResult

__all__ = ["CHANGED_SINCE", "EXTENSION", "become_aware", "modseq"]

_MODSEQ = FetchAttribute("MODSEQ")

_ENTRY = re.compile(rb' "/flags/[^"\r\n]++" (?:all|priv|shared)(?= )', re.IGNORECASE)
"""What SEARCH may name; it is ignored, because a message has one modseq (RFC 7162 3.1.5)."""

_AT_ONCE = 5000
"""Messages whose modseqs are compared, or that are written, before others have their turn."""


def modseq(arguments: ArgumentReader) -> int:
    """``SP mod-sequence-value``: from 1 on."""
    if not (value := arguments.number()):
        raise IMAPWireError("A modseq is at least 1")
    return value


# -- enabling


async def become_aware(session: Session) -> None:
    """Tell the client of modseqs from now on (RFC 7162 3.1)."""
    writer = session.writer
    if writer is not None and writer.view.modseqs is None:
        writer.view.expect_changes(writer.view.mailbox)
        await session.catch_up(expunges=False)
        await writer.view.keep_modseqs()
        session.respond(writer.highest_modseq())
    session.manner.modseqs = True
    session.enabled.add("CONDSTORE")


async def _selected(session: Session, writer: ViewWriter, status: MailboxStatus) -> None:
    if session.manner.modseqs:
        session.respond(writer.highest_modseq())


async def _parameter(session: Session, writer: ViewWriter, status: MailboxStatus, value: None) -> None:
    """All was done before."""


async def _prepare(session: Session, value: None) -> None:
    session.manner.modseqs = True
    session.enabled.add("CONDSTORE")


# -- FETCH


def _modseqs(batch: Rows) -> Sequence[Any]:
    modseqs = batch.view.modseqs or ()
    return [modseqs[at] for at in batch.indexes]


async def _on_fetch(session: Session, request: FetchRequest) -> None:
    if _MODSEQ in request.items:
        await become_aware(session)


async def _changed_since(session: Session, request: FetchRequest, since: int) -> None:
    await become_aware(session)
    if _MODSEQ not in request.items:
        request.items = (*request.items, _MODSEQ)
    request.indexes = await session.selected.changed_since(since, request.indexes)


CHANGED_SINCE = FetchModifier("CHANGEDSINCE", modseq, _changed_since)
"""Only messages that have changed since then (RFC 7162 3.1.4.1)."""


# -- STORE


async def _unchanged_since(session: Session, request: StoreRequest, since: int) -> None:
    await become_aware(session)
    request.unchanged_since = since
    view = session.selected

    async def finish(result: StoreResult) -> bytes | None:
        numbers = result.refused
        if not numbers:
            return None
        if not request.uid:
            numbers = array("I", [at + 1 for at in map(view.index, numbers) if at is not None])
        pieces = []
        for piece in set_pieces(numbers, _AT_ONCE):
            pieces.append(piece)
            await session.yield_turn()
        return b"[MODIFIED %b] Conditional STORE failed" % b"".join(pieces)

    request.finish = finish
    if request.change.operation is not FlagOperation.SET:
        request.again = partial(store_again, session, request.change, since)


# -- SEARCH


@dataclass(frozen=True, slots=True)
class Modseq(SearchKey):
    """MODSEQ: messages with this modseq or a greater one."""

    modseq: int


def _read_key(keys: KeyReader) -> SearchKey:
    keys.arguments.match(_ENTRY)
    return Modseq(keys.arguments.number())


def _condition(search: Search, key: Modseq) -> Condition:
    view, least = search.view, key.modseq

    async def prepare(session: Session) -> None:
        await become_aware(session)
        await view.keep_modseqs()  # it may be of another mailbox

    search.before.append(prepare)

    def answer(batch: Batch) -> bytes:
        some = (view.modseqs or ())[batch.start : batch.start + batch.size]
        return bytes(map(least.__le__, some))

    return search.column(key, lambda: Column(Cost.FLAGS, answer))


async def _on_search(session: Session, key: SearchKey, found: SearchFound) -> bytes:
    """The greatest modseq of what is returned (RFC 7162 3.1.6, RFC 4731 3.2)."""
    numbers: Sequence[int] = found.numbers
    if not numbers or not mentions(key, lambda each: isinstance(each, Modseq)):
        return b""
    returned = found.returns.keys() - {"SAVE"}
    if returned and returned <= {"MIN", "MAX"}:
        numbers = [(min if name == "MIN" else max)(numbers) for name in returned]
    highest = await _highest(session, found.asked.view, numbers, uid=found.uid)
    return b" MODSEQ %d" % highest if found.extended else b" (MODSEQ %d)" % highest


async def _highest(session: Session, view: MailboxView, numbers: Sequence[int], *, uid: bool) -> int:
    modseqs = view.modseqs or array("Q", [0])
    highest = 0
    for start in range(0, len(numbers), _AT_ONCE):
        some = numbers[start : start + _AT_ONCE]
        indexes = map(view.index, some) if uid else (number - 1 for number in some)
        highest = max(highest, *[modseqs[at] for at in indexes if at is not None])
        await session.yield_turn()
    return highest


EXTENSION = Extension(
    "CONDSTORE",
    capabilities=("CONDSTORE",),
    enables={"CONDSTORE": become_aware},
    on_select=_selected,
    on_fetch=_on_fetch,
    on_search=_on_search,
    select_parameters=(SelectParameter("CONDSTORE", no_value, _parameter, _prepare),),
    status_items=(
        StatusItem("HIGHESTMODSEQ", lambda session, status: b"%d" % status.modseq, prepare=become_aware),
    ),
    fetch_columns=(FetchColumn("MODSEQ", b"MODSEQ (%d)", _modseqs),),
    fetch_modifiers=(CHANGED_SINCE,),
    store_modifiers=(StoreModifier("UNCHANGEDSINCE", ArgumentReader.number, _unchanged_since),),
    search_keys=(SearchKeys(Modseq, _condition, readers={b"MODSEQ": _read_key}),),
)
