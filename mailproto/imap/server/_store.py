"""STORE and UID STORE (RFC 9051 6.4.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailproto.errors import ReadOnly
from mailproto.imap.server._errors import BadCommand, ExpungeIssued
from mailproto.imap.wire import Command, Store
from mailproto.model import FlagColumns

if TYPE_CHECKING:
    from mailproto.imap.server._server import IMAPServer

__all__ = ["store"]

_BATCH = 1000


async def store(server: IMAPServer, command: Command[Store]) -> None:
    """Change flags in one transaction, and answer with what they are now.

    The mailbox hints at this very change.  It is not asked what the answer has already
    told, so that many STOREs in a row are no more than that; the next command that looks
    at the mailbox does ask.
    """
    arguments = command.arguments
    view = server.selected
    if arguments.unchanged_since is not None:
        raise BadCommand("CONDSTORE is not available")
    if view.read_only:
        raise ReadOnly
    indexes = view.indexes(arguments.sequence, uid=command.uid)
    uids = view.present(indexes)
    stored = (await view.mailbox.store(uids, arguments.change)).changed if uids else FlagColumns()
    answered = await view.apply(arguments.change, stored, silent=arguments.silent)
    if news := view.announce_keywords():
        server.respond(news)
    for start in range(0, len(answered), _BATCH):
        server.respond(view.render_flags(answered[start : start + _BATCH], uid=command.uid))
        await server.flush()
    if len(stored) != len(indexes) and not command.uid:
        raise ExpungeIssued
