"""LIST-STATUS (RFC 5819): the status of the mailboxes that LIST finds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from mailproto.awaiting import settle
from mailproto.errors import NoPermission, NoSuchMailbox
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._mailbox_commands import prepare_status, render_status
from mailproto.imap.server._options import ListReturn
from mailproto.imap.server._session import Session
from mailproto.imap.wire import ArgumentReader, grammars
from mailproto.model import MailboxEntry

__all__ = ["EXTENSION"]


def _items(arguments: ArgumentReader) -> tuple[str, ...]:
    arguments.space()
    return grammars.status_items(arguments)


async def _responses(
    session: Session, entries: Sequence[MailboxEntry], items: tuple[str, ...]
) -> AsyncIterator[bytes]:
    """STATUS of those that can be selected, with one query (RFC 5819 2)."""
    await prepare_status(session, items)
    names = [entry.name for entry in entries if entry.selectable]
    found = await settle(session.signed_in.status(names))
    for name in names:
        if name in found:
            await session.yield_turn()
            try:
                response = await render_status(session, name, found[name], items)
            except (NoSuchMailbox, NoPermission):  # it has just been removed
                continue
            yield response


EXTENSION = Extension(
    "LIST-STATUS",
    capabilities=("LIST-STATUS",),
    list_returns=(ListReturn("STATUS", _items, responses=_responses),),
)
