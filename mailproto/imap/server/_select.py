"""SELECT, EXAMINE, CLOSE, UNSELECT (RFC 9051 6.3.2, 6.3.3, 6.4.1, 6.4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailproto import maillog
from mailproto.imap.server._errors import BadCommand, SessionOver
from mailproto.imap.server._view import MailboxView
from mailproto.imap.wire import Command, NoArguments, Select

if TYPE_CHECKING:
    from mailproto.imap.server._server import IMAPServer

__all__ = ["close", "select", "unselect"]


async def select(server: IMAPServer, command: Command[Select]) -> bytes:
    """SELECT and EXAMINE.  What was selected is not, even if this fails."""
    arguments = command.arguments
    if arguments.parameters:
        raise BadCommand("Unknown parameter")
    if server.view is not None:
        server.deselect()
        server.respond(b"* OK [CLOSED] Previous mailbox closed\r\n")
    mailbox = await server.signed_in.open(arguments.mailbox)
    view = MailboxView(
        mailbox,
        read_only=command.name == "EXAMINE",
        pause=server.yield_turn,
        failed=lambda error: maillog.failed(server.client, command.name, error),
    )
    description = await view.describe(await view.load())
    if not server.is_open:
        view.close()
        raise SessionOver
    server.select(view)
    server.respond(description)
    access = "READ-ONLY" if view.read_only else "READ-WRITE"
    return f"[{access}] {command.name} completed".encode("ascii")


async def close(server: IMAPServer, command: Command[NoArguments]) -> None:
    """Expunge without a word, unless the mailbox was selected by EXAMINE (RFC 9051 6.4.1)."""
    view = server.selected
    server.deselect()
    if not view.read_only:
        await view.mailbox.expunge()


async def unselect(server: IMAPServer, command: Command[NoArguments]) -> None:
    """RFC 9051 6.4.2."""
    server.deselect()
