"""EXPUNGE and UID EXPUNGE (RFC 9051 6.4.3, 6.4.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from mailproto.errors import ReadOnly
from mailproto.imap.wire import Command, UidExpunge

if TYPE_CHECKING:
    from mailproto.imap.server._server import IMAPServer

__all__ = ["expunge"]


async def expunge(server: IMAPServer, command: Command) -> None:
    """The EXPUNGE responses come with all else that happened, before the tagged OK."""
    view = server.selected
    if view.read_only:
        raise ReadOnly
    if command.uid:
        sequence = cast(UidExpunge, command.arguments).sequence
        uids = view.present(view.indexes(sequence, uid=True))
        view.vanish(await view.mailbox.expunge(uids))
    else:
        view.vanish(await view.mailbox.expunge())
