"""LIST-MYRIGHTS (RFC 8440): the rights to the mailboxes that LIST finds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from mailproto.awaiting import settle
from mailproto.errors import NoPermission, NoSuchMailbox
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._extensions.acl import access_control, render_rights
from mailproto.imap.server._options import ListReturn
from mailproto.imap.server._session import Session
from mailproto.imap.wire import no_value
from mailproto.interfaces.add_ons import IAccessControl
from mailproto.model import MailboxEntry

__all__ = ["EXTENSION"]


async def _responses(session: Session, entries: Sequence[MailboxEntry], value: None) -> AsyncIterator[bytes]:
    account = access_control(session)
    for entry in entries:
        if entry.exists:
            await session.yield_turn()
            try:
                rights = await settle(account.my_rights(entry.name))
            except (NoSuchMailbox, NoPermission):  # it only holds others, or has just been removed
                continue
            yield b"* MYRIGHTS %b %b\r\n" % (session.encoded(entry.name), render_rights(rights))


EXTENSION = Extension(
    "LIST-MYRIGHTS",
    capabilities=("LIST-MYRIGHTS",),
    needs=frozenset({IAccessControl}),
    list_returns=(ListReturn("MYRIGHTS", no_value, responses=_responses),),
)
