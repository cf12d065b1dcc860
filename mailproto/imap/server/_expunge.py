"""EXPUNGE and UID EXPUNGE (RFC 9051 6.4.3, 6.4.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailproto.errors import ReadOnly
from mailproto.imap.wire import Command, NoArguments, UidExpunge

if TYPE_CHECKING:
    from mailproto.imap.server._server import IMAPServer

__all__ = ["expunge"]


async def expunge(server: IMAPServer, command: Command[NoArguments | UidExpunge]) -> None:
    """The EXPUNGE responses come with all else that happened, before the tagged OK."""
    view = server.selected
    if view.read_only:
        raise ReadOnly
    arguments = command.arguments
    if isinstance(arguments, UidExpunge):
        uids = view.present(view.indexes(arguments.sequence, uid=True))
        await view.vanish(await view.mailbox.expunge(uids))
    else:
        await view.vanish(await view.mailbox.expunge())
