"""Commands on mailboxes: SELECT to UNSELECT, CREATE to UNSUBSCRIBE, STATUS (RFC 9051 6.3, 6.4.1, 6.4.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from mailproto.awaiting import settle
from mailproto.errors import NoSuchMailbox
from mailproto.imap.server._errors import BadCommand, SessionOver
from mailproto.imap.server._view import MailboxView
from mailproto.imap.server._view_writer import ViewWriter
from mailproto.imap.wire import (
    Command,
    Create,
    MailboxName,
    NoArguments,
    Rename,
    Select,
    Status,
    encode_mailbox,
)
from mailproto.model import DELIMITER, MailboxStatus

if TYPE_CHECKING:
    from mailproto.imap.server._server import IMAPServer

__all__ = [
    "close",
    "create",
    "delete",
    "rename",
    "render_status",
    "select",
    "status",
    "subscribe",
    "unselect",
    "unsubscribe",
]


async def select(server: IMAPServer, command: Command[Select]) -> bytes:
    """SELECT and EXAMINE.  The previous mailbox is closed, even if the command fails."""
    arguments = command.arguments
    if arguments.parameters:
        raise BadCommand("Unknown parameter")
    await server.wait_turn()  # the mailbox may be large
    if server.view is not None:
        server.deselect()
        server.respond(b"* OK [CLOSED] Previous mailbox closed\r\n")
    mailbox = await settle(server.signed_in.open(arguments.mailbox))
    view = MailboxView(
        mailbox,
        read_only=command.name == "EXAMINE",
        pause=server.yield_turn,
        failed=lambda error: server.tell_failed(command.name, error),
    )
    writer = ViewWriter(view)
    status = await view.load()
    try:
        description = await writer.describe(status)
    except BaseException:
        view.close()
        raise
    if not server.is_open:
        view.close()
        raise SessionOver
    server.select(writer)
    server.respond(description)
    access = "READ-ONLY" if view.read_only else "READ-WRITE"
    return f"[{access}] {command.name} completed".encode("ascii")


async def close(server: IMAPServer, command: Command[NoArguments]) -> None:
    """Expunge without EXPUNGE responses, unless the mailbox was opened by EXAMINE (RFC 9051 6.4.1)."""
    view = server.selected
    await server.wait_turn_for(len(view.uids))
    server.deselect()
    if not view.read_only:
        await settle(view.mailbox.expunge())


async def unselect(server: IMAPServer, command: Command[NoArguments]) -> None:
    """UNSELECT (RFC 9051 6.4.2)."""
    server.deselect()


async def create(server: IMAPServer, command: Command[Create]) -> None:
    """CREATE.  A delimiter at the end only says that inferiors will follow (RFC 9051 6.3.4)."""
    arguments = command.arguments
    name = arguments.mailbox
    await settle(server.signed_in.create(name.removesuffix(DELIMITER), arguments.special_use))


async def delete(server: IMAPServer, command: Command[MailboxName]) -> None:
    """DELETE (RFC 9051 6.3.5).  The selected mailbox is closed if it is deleted."""
    await settle(server.signed_in.delete(command.arguments.mailbox))
    if server.view is not None:
        # The selected mailbox may have been renamed, so the mailbox itself is asked.
        try:
            await settle(server.view.mailbox.status())
        except NoSuchMailbox:
            server.deselect()
            server.respond(b"* OK [CLOSED] Selected mailbox was deleted\r\n")


async def rename(server: IMAPServer, command: Command[Rename]) -> None:
    """RENAME (RFC 9051 6.3.6)."""
    arguments = command.arguments
    await settle(server.signed_in.rename(arguments.old, arguments.new.removesuffix(DELIMITER)))


async def subscribe(server: IMAPServer, command: Command[MailboxName]) -> None:
    """SUBSCRIBE (RFC 9051 6.3.7)."""
    await settle(server.signed_in.subscribe(command.arguments.mailbox))


async def unsubscribe(server: IMAPServer, command: Command[MailboxName]) -> None:
    """UNSUBSCRIBE (RFC 9051 6.3.8)."""
    await settle(server.signed_in.unsubscribe(command.arguments.mailbox))


async def status(server: IMAPServer, command: Command[Status]) -> None:
    """STATUS (RFC 9051 6.3.11), also of the selected mailbox."""
    arguments = command.arguments
    name = arguments.mailbox
    found = (await settle(server.signed_in.status([name]))).get(name)
    if found is None:
        raise NoSuchMailbox
    server.respond(render_status(name, found, arguments.items))


_ITEMS: dict[str, Callable[[MailboxStatus], int]] = {
    "MESSAGES": lambda status: status.messages,
    "RECENT": lambda status: status.recent,
    "UIDNEXT": lambda status: status.uid_next,
    "UIDVALIDITY": lambda status: status.uid_validity,
    "UNSEEN": lambda status: status.unseen,
    "SIZE": lambda status: status.size,
    "DELETED": lambda status: status.deleted,
}


def render_status(name: str, status: MailboxStatus, items: Iterable[str]) -> bytes:
    """Render a STATUS response."""
    values = " ".join(f"{item} {_ITEMS[item](status)}" for item in items if item in _ITEMS)
    return b"* STATUS %b (%b)\r\n" % (encode_mailbox(name), values.encode("ascii"))
