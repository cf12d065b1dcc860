"""COPY and MOVE, both with UID, too (RFC 9051 6.4.7, 6.4.8; UIDPLUS, RFC 4315)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mailproto.errors import NoSuchMailbox, ReadOnly
from mailproto.imap.server._errors import ExpungeIssued, TryCreate
from mailproto.imap.wire import Command, Copy, format_set
from mailproto.interfaces import IMailbox

if TYPE_CHECKING:
    from mailproto.imap.server._server import IMAPServer

__all__ = ["copy", "move", "open_target"]

_AT_ONCE = 10_000
"""UIDs that are written before others may have their turn: some 2 ms."""


async def open_target(server: IMAPServer, name: str) -> IMailbox:
    """The mailbox that messages are to be put into.

    :raises TryCreate: when it is not there.
    :raises ReadOnly: when it takes none.
    """
    try:
        mailbox = await server.signed_in.open(name)
    except NoSuchMailbox:
        raise TryCreate from None
    if not mailbox.writable:
        raise ReadOnly
    return mailbox


async def copy(server: IMAPServer, command: Command[Copy]) -> bytes | None:
    """All of the messages or none (RFC 9051 6.4.7)."""
    uids = _messages(server, command)
    target = await open_target(server, command.arguments.mailbox)
    copied = await server.selected.mailbox.copy(uids, target) if uids else ()
    return b"[%b] COPY completed" % await _copyuid(server, target, copied) if copied else None


async def move(server: IMAPServer, command: Command[Copy]) -> None:
    """COPYUID first, untagged, then the EXPUNGEs with all else that happened (RFC 6851 4.3)."""
    view = server.selected
    if view.read_only:
        raise ReadOnly
    uids = _messages(server, command)
    target = await open_target(server, command.arguments.mailbox)
    moved = await view.mailbox.move(uids, target) if uids else ()
    if moved:
        server.respond(b"* OK [%b] Moved\r\n" % await _copyuid(server, target, moved))
        await view.vanish([uid for uid, _ in moved])


def _messages(server: IMAPServer, command: Command[Copy]) -> list[int]:
    """The UIDs that the client means.

    :raises ExpungeIssued: when some that it counts are gone, and it could not know.
    """
    view = server.selected
    indexes = view.indexes(command.arguments.sequence, uid=command.uid)
    uids = view.present(indexes)
    if len(uids) != len(indexes) and not command.uid:
        raise ExpungeIssued
    return uids


async def _copyuid(server: IMAPServer, target: IMailbox, pairs: Sequence[tuple[int, int]]) -> bytes:
    sources = await _set(server, [source for source, _ in pairs])
    targets = await _set(server, [there for _, there in pairs])
    return b"COPYUID %d %b %b" % (target.uid_validity, sources, targets)


async def _set(server: IMAPServer, numbers: Sequence[int]) -> bytes:
    """`format_set` of many numbers, between which others have their turn."""
    if numbers[-1] - numbers[0] == len(numbers) - 1:
        return format_set(numbers)
    sets = []
    for start in range(0, len(numbers), _AT_ONCE):
        sets.append(format_set(numbers[start : start + _AT_ONCE]))
        await server.yield_turn()
    return b",".join(sets)
