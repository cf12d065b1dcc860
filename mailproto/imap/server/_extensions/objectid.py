"""OBJECTID (RFC 8474): ids of mailboxes, of messages, and of threads, which never change."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mailproto.awaiting import settle
from mailproto.imap.server._conditions import Batch, Column, Condition, Cost
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._matching import Search, SearchKeys
from mailproto.imap.server._options import StatusItem
from mailproto.imap.server._rows import Batch as Rows
from mailproto.imap.server._rows import FetchColumn
from mailproto.imap.server._session import Session
from mailproto.imap.server._view_writer import ViewWriter
from mailproto.imap.wire import IMAPWireError, KeyReader, SearchKey
from mailproto.interfaces import IObjectIds
from mailproto.model import MailboxStatus, MessageInfo, Part

__all__ = ["EXTENSION"]

_ID = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)


def _rendered(value: str | None) -> bytes:
    return b"NIL" if value is None else b"(%b)" % value.encode("ascii")


# -- mailboxes


async def _selected(session: Session, writer: ViewWriter, status: MailboxStatus) -> None:
    if status.mailbox_id is not None:
        session.respond(b"* OK [MAILBOXID %b] Id\r\n" % _rendered(status.mailbox_id))


async def _created(session: Session, name: str) -> bytes | None:
    status = (await settle(session.signed_in.status([name]))).get(name)
    if status is None or status.mailbox_id is None:
        return None
    return b"MAILBOXID %b" % _rendered(status.mailbox_id)


# -- messages


def _email_ids(batch: Rows) -> Sequence[Any]:
    return [_rendered(info.email_id) for info in batch.infos]


def _thread_ids(batch: Rows) -> Sequence[Any]:
    return [_rendered(info.thread_id) for info in batch.infos]


@dataclass(frozen=True, slots=True)
class ObjectId(SearchKey):
    """EMAILID and THREADID: messages with an id."""

    kind: Literal["EMAILID", "THREADID"]
    value: str


def _read(keys: KeyReader, kind: Literal["EMAILID", "THREADID"]) -> SearchKey:
    value = keys.value()
    if not _ID.fullmatch(value):
        raise IMAPWireError("Not an id")
    return ObjectId(kind, value)


def _condition(search: Search, key: ObjectId) -> Condition:
    def has_id(info: MessageInfo | None) -> bool:
        found = info and (info.email_id if key.kind == "EMAILID" else info.thread_id)
        return found == key.value

    def answer(batch: Batch) -> bytes:
        return bytes(map(has_id, batch.infos))

    return search.column(key, lambda: Column(Cost.METADATA, answer, Part.IDS))


EXTENSION = Extension(
    "OBJECTID",
    capabilities=("OBJECTID",),
    needs=frozenset({IObjectIds}),
    on_select=_selected,
    on_create=_created,
    status_items=(StatusItem("MAILBOXID", lambda session, status: _rendered(status.mailbox_id)),),
    fetch_columns=(
        FetchColumn("EMAILID", b"EMAILID %b", _email_ids, Part.IDS),
        FetchColumn("THREADID", b"THREADID %b", _thread_ids, Part.IDS),
    ),
    search_keys=(
        SearchKeys(
            ObjectId,
            _condition,
            readers={
                b"EMAILID": lambda keys: _read(keys, "EMAILID"),
                b"THREADID": lambda keys: _read(keys, "THREADID"),
            },
        ),
    ),
)
