"""Commands on mailboxes: SELECT to UNSELECT, CREATE to UNSUBSCRIBE, STATUS (RFC 9051 6.3, 6.4.1, 6.4.2)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from contextlib import suppress

from mailproto.awaiting import settle
from mailproto.connection.commands import State
from mailproto.errors import NoPermission, NoSuchMailbox
from mailproto.imap.server._announcing import announce, announce_deleted
from mailproto.imap.server._errors import HasChildren, SessionOver
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._options import StatusItem
from mailproto.imap.server._registry import tables_of
from mailproto.imap.server._session import Session
from mailproto.imap.server._session_commands import noop
from mailproto.imap.server._spec import CommandSpec, Updates
from mailproto.imap.server._view import MailboxView
from mailproto.imap.server._view_writer import ViewWriter
from mailproto.imap.wire import (
    Command,
    Create,
    MailboxName,
    NoArguments,
    Rename,
    Respelled,
    Select,
    Status,
    grammars,
)
from mailproto.model import DELIMITER, MailboxStatus

__all__ = ["MAILBOXES", "prepare_status", "render_status"]


async def select(server: Session, command: Command[Select]) -> bytes:
    """SELECT and EXAMINE.  The previous mailbox is closed, even if the command fails."""
    arguments = command.arguments
    tables = tables_of(server)
    for name, value in arguments.parameters.items():
        if (prepare := tables.select_parameters[name].prepare) is not None:
            await prepare(server, value)
    await server.wait_turn()  # the mailbox may be large
    if server.view is not None:
        server.deselect()
        server.respond(b"* OK [CLOSED] Previous mailbox closed\r\n")
    mailbox = await settle(server.signed_in.open(arguments.mailbox))
    view = MailboxView(
        mailbox,
        read_only=command.name == "EXAMINE",
        pause=server.yield_turn,
        sharing=server.factory.shared.of(server.signed_in.name, mailbox.name, mailbox.uid_validity),
        failed=lambda error: server.tell_failed(command.name, error),
        recent=server.manner.recent,
        modseqs=server.manner.modseqs,
    )
    writer = ViewWriter(view, server.manner)
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
    for tell in tables.on_select:
        await tell(server, writer, status)
    await announce(server, arguments.mailbox)
    for name, value in arguments.parameters.items():
        await tables.select_parameters[name].apply(server, writer, status, value)
    access = "READ-ONLY" if view.read_only else "READ-WRITE"
    return f"[{access}] {command.name} completed".encode("ascii")


async def close(server: Session, command: Command[NoArguments]) -> None:
    """Expunge without EXPUNGE responses, unless the mailbox was opened by EXAMINE (RFC 9051 6.4.1)."""
    view = server.selected
    await server.wait_turn_for(len(view.uids))
    server.deselect()
    if not view.read_only:
        with suppress(NoPermission):  # the mailbox is closed all the same (RFC 4314 4)
            await settle(view.mailbox.expunge())


async def create(server: Session, command: Command[Create]) -> bytes | None:
    """CREATE.  A delimiter at the end only says that inferiors will follow (RFC 9051 6.3.4)."""
    arguments = command.arguments
    name = arguments.mailbox.removesuffix(DELIMITER)
    tables = tables_of(server)
    for parameter, value in arguments.parameters.items():
        await tables.create_parameters[parameter].create(server, name, value)
        break
    else:
        await settle(server.signed_in.create(name))
    if isinstance(arguments.mailbox, Respelled):
        await announce(server, name, arguments.mailbox)
    codes = [await tell(server, name) for tell in tables.on_create]
    return b"".join([b"[%b] " % code for code in codes if code][:1]) + b"CREATE completed"


async def delete(server: Session, command: Command[MailboxName]) -> None:
    """DELETE (RFC 9051 6.3.5).  The selected mailbox is closed if it is deleted."""
    name = command.arguments.mailbox
    try:
        await settle(server.signed_in.delete(name))
    except NoSuchMailbox:
        if await _only_holds_inferiors(server, name):
            raise HasChildren from None
        raise
    announce_deleted(server, name)
    if server.view is not None:
        # The selected mailbox may have been renamed, so the mailbox itself is asked.
        try:
            await settle(server.view.mailbox.status())
        except NoSuchMailbox:
            server.deselect()
            server.respond(b"* OK [CLOSED] Selected mailbox was deleted\r\n")


async def _only_holds_inferiors(server: Session, name: str) -> bool:
    entries = await settle(server.signed_in.list())
    at = bisect_left(range(len(entries)), name, key=lambda at: entries[at].name)
    return at < len(entries) and entries[at].name == name and entries[at].exists


async def rename(server: Session, command: Command[Rename]) -> None:
    """RENAME (RFC 9051 6.3.6)."""
    arguments = command.arguments
    new = arguments.new.removesuffix(DELIMITER)
    await settle(server.signed_in.rename(arguments.old, new))
    await announce(server, new, arguments.old)


async def subscribe(server: Session, command: Command[MailboxName]) -> None:
    """SUBSCRIBE (RFC 9051 6.3.7)."""
    await settle(server.signed_in.subscribe(command.arguments.mailbox))


async def unsubscribe(server: Session, command: Command[MailboxName]) -> None:
    """UNSUBSCRIBE (RFC 9051 6.3.8)."""
    await settle(server.signed_in.unsubscribe(command.arguments.mailbox))


async def status(server: Session, command: Command[Status]) -> None:
    """STATUS (RFC 9051 6.3.11), also of the selected mailbox."""
    arguments = command.arguments
    name = arguments.mailbox
    await prepare_status(server, arguments.items)
    found = (await settle(server.signed_in.status([name]))).get(name)
    if found is None:
        # The mailbox itself says why, such as NoPermission.
        found = await settle((await settle(server.signed_in.open(name))).status())
    server.respond(await render_status(server, name, found, arguments.items))


async def prepare_status(server: Session, items: Iterable[str]) -> None:
    """Do what must be done before these items are read."""
    known = tables_of(server).status_items
    for item in items:
        if (prepare := known[item].prepare) is not None:
            await prepare(server)


async def render_status(server: Session, name: str, status: MailboxStatus, items: Iterable[str]) -> bytes:
    """Render a STATUS response.

    :raises NoSuchMailbox, NoPermission: something more was to be found, and the mailbox is gone.
    """
    known = tables_of(server).status_items
    values = []
    for name_of_item in items:
        item = known[name_of_item]
        if item.look_up is not None:
            value = await item.look_up(server, name)
        else:
            value = item.value(server, status) if item.value is not None else b""
        values.append(b"%b %b" % (name_of_item.encode("ascii"), value))
    return b"* STATUS %b (%b)\r\n" % (server.encoded(name), b" ".join(values))


def _number(name: str, value: Callable[[MailboxStatus], int]) -> StatusItem:
    return StatusItem(name, lambda session, status: b"%d" % value(status))


_SELECTED = State.SELECTED

MAILBOXES = Extension(
    "the commands on mailboxes",
    commands=(
        CommandSpec("SELECT", grammars.select, select, updates=Updates.NOTHING),
        CommandSpec("EXAMINE", grammars.select, select, updates=Updates.NOTHING),
        CommandSpec("CREATE", grammars.create, create),
        CommandSpec("DELETE", grammars.mailbox_name, delete),
        CommandSpec("RENAME", grammars.rename, rename),
        CommandSpec("SUBSCRIBE", grammars.mailbox_name, subscribe),
        CommandSpec("UNSUBSCRIBE", grammars.mailbox_name, unsubscribe),
        CommandSpec("STATUS", grammars.status, status),
        CommandSpec("CHECK", grammars.no_arguments, noop, _SELECTED),
        CommandSpec("CLOSE", grammars.no_arguments, close, _SELECTED),
    ),
    status_items=(
        _number("MESSAGES", lambda status: status.messages),
        _number("RECENT", lambda status: status.recent),
        _number("UIDNEXT", lambda status: status.uid_next),
        _number("UIDVALIDITY", lambda status: status.uid_validity),
        _number("UNSEEN", lambda status: status.unseen),
        _number("DELETED", lambda status: status.deleted),
    ),
)
"""The commands of RFC 3501 on mailboxes."""
