"""SELECT, EXAMINE, CLOSE, UNSELECT (RFC 9051 6.3.2, 6.3.3, 6.4.1, 6.4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from mailproto.imap.server._errors import BadCommand, SessionOver
from mailproto.imap.server.view import MailboxView
from mailproto.imap.wire import Command, Select

if TYPE_CHECKING:
    from mailproto.imap.server.session import IMAPSession

__all__ = ["close", "select", "unselect"]


async def select(session: IMAPSession, command: Command) -> bytes:
    """SELECT and EXAMINE.  What was selected is not, even if this fails."""
    arguments = cast(Select, command.arguments)
    if arguments.parameters:
        raise BadCommand("Unknown parameter")
    if session.view is not None:
        session.deselect()
        session.respond(b"* OK [CLOSED] Previous mailbox closed\r\n")
    mailbox = await session.signed_in.open(arguments.mailbox)
    view = MailboxView(mailbox, read_only=command.name == "EXAMINE")
    status = await view.load()
    if not session.is_open:
        view.close()
        raise SessionOver
    session.select(view)
    session.respond(view.describe(status))
    access = "READ-ONLY" if view.read_only else "READ-WRITE"
    return f"[{access}] {command.name} completed".encode("ascii")


async def close(session: IMAPSession, command: Command) -> None:
    """Expunge without a word, unless the mailbox was selected by EXAMINE (RFC 9051 6.4.1)."""
    view = session.selected
    session.deselect()
    if not view.read_only:
        await view.mailbox.expunge()


async def unselect(session: IMAPSession, command: Command) -> None:
    """RFC 9051 6.4.2."""
    session.deselect()
