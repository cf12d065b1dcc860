"""COPY and MOVE, both with UID, too (RFC 9051 6.4.7, 6.4.8; UIDPLUS, RFC 4315)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from mailproto.errors import NoSuchMailbox, ReadOnly
from mailproto.imap.server._errors import ExpungeIssued, TryCreate
from mailproto.imap.wire import Command, Copy, format_set
from mailproto.interfaces import IMailbox

if TYPE_CHECKING:
    from mailproto.imap.server.session import IMAPSession

__all__ = ["copy", "move", "open_target"]


async def open_target(session: IMAPSession, name: str) -> IMailbox:
    """The mailbox that messages are to be put into.

    :raises TryCreate: when it is not there.
    :raises ReadOnly: when it takes none.
    """
    try:
        mailbox = await session.signed_in.open(name)
    except NoSuchMailbox:
        raise TryCreate from None
    if not mailbox.writable:
        raise ReadOnly
    return mailbox


async def copy(session: IMAPSession, command: Command) -> bytes | None:
    """All of the messages or none (RFC 9051 6.4.7)."""
    uids = _messages(session, command)
    target = await open_target(session, cast(Copy, command.arguments).mailbox)
    copied = await session.selected.mailbox.copy(uids, target) if uids else ()
    return b"[%b] COPY completed" % _copyuid(target, copied) if copied else None


async def move(session: IMAPSession, command: Command) -> None:
    """COPYUID first, untagged, then the EXPUNGEs with all else that happened (RFC 6851 4.3)."""
    view = session.selected
    if view.read_only:
        raise ReadOnly
    uids = _messages(session, command)
    target = await open_target(session, cast(Copy, command.arguments).mailbox)
    moved = await view.mailbox.move(uids, target) if uids else ()
    if moved:
        session.respond(b"* OK [%b] Moved\r\n" % _copyuid(target, moved))
        view.vanish(uid for uid, _ in moved)


def _messages(session: IMAPSession, command: Command) -> list[int]:
    """The UIDs that the client means.

    :raises ExpungeIssued: when some that it counts are gone, and it could not know.
    """
    view = session.selected
    indexes = view.indexes(cast(Copy, command.arguments).sequence, uid=command.uid)
    uids = view.present(indexes)
    if len(uids) != len(indexes) and not command.uid:
        raise ExpungeIssued
    return uids


def _copyuid(target: IMailbox, pairs: Sequence[tuple[int, int]]) -> bytes:
    sources, targets = zip(*pairs, strict=True)
    return b"COPYUID %d %b %b" % (target.uid_validity, format_set(sources), format_set(targets))
