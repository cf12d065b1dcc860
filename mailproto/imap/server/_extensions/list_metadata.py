"""LIST-METADATA (RFC 9590): annotations of the mailboxes that LIST finds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final

from mailproto.errors import NoPermission, NoSuchMailbox
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._extensions.metadata import (
    ENTRIES_AT_ONCE,
    SPECIAL_USE,
    read_annotations,
    read_entries,
    render_entries,
    render_use,
)
from mailproto.imap.server._options import ListReturn
from mailproto.imap.server._session import Session
from mailproto.imap.wire import ArgumentReader
from mailproto.interfaces.add_ons import IAnnotations
from mailproto.model import MailboxEntry

__all__ = ["EXTENSION"]

ENTRIES: Final = 100
"""The most entries, because each is told of each mailbox."""


def _entries(arguments: ArgumentReader) -> tuple[str, ...]:
    return read_entries(arguments, ENTRIES)


async def _responses(
    session: Session, entries: Sequence[MailboxEntry], names: tuple[str, ...]
) -> AsyncIterator[bytes]:
    """METADATA of those that exist; a value that is not there is NIL."""
    for entry in entries:
        for start in range(0, len(names), ENTRIES_AT_ONCE):
            some = names[start : start + ENTRIES_AT_ONCE]
            await session.yield_turn()
            values: dict[str, bytes | None] = dict.fromkeys(some)
            try:
                values.update(await read_annotations(session, entry.name, some))
            except (NoSuchMailbox, NoPermission):  # it only holds others, or has just been removed
                break
            if SPECIAL_USE in values and entry.special_use:
                values[SPECIAL_USE] = render_use(entry)
            yield render_entries(session, entry.name, values)


EXTENSION = Extension(
    "LIST-METADATA",
    capabilities=("LIST-METADATA",),
    needs=frozenset({IAnnotations}),
    list_returns=(ListReturn("METADATA", _entries, responses=_responses),),
)
