"""MOVE (RFC 6851)."""

from __future__ import annotations

from mailproto.connection.commands import State
from mailproto.errors import ReadOnly
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._message_commands import AT_ONCE, copyuid, named_messages, open_target, removed
from mailproto.imap.server._message_limit import completed
from mailproto.imap.server._progress import working
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec
from mailproto.imap.wire import Command, Copy, grammars

__all__ = ["EXTENSION"]


async def move(session: Session, command: Command[Copy]) -> bytes | None:
    """MOVE: an untagged COPYUID comes first, then the EXPUNGEs and other updates (RFC 6851 4.3)."""
    view = session.selected
    if view.read_only:
        raise ReadOnly
    uids, code = await named_messages(session, command, limited=True)
    target = await open_target(session, command.arguments.mailbox)
    moving = view.mailbox.move(uids, target) if uids else ()
    moved = await working(session, moving, len(uids))
    if moved:
        if copied := await copyuid(session, target, moved):
            session.respond(b"* OK %bMoved\r\n" % copied)
        for start in range(0, len(moved), AT_ONCE):
            await view.vanish([uid for uid, _ in moved[start : start + AT_ONCE]])
        if target.uid_validity == view.mailbox.uid_validity:
            # The same messages come again: they go first, so that EXISTS never counts them twice.
            await session.tell_removed()
    text = await removed(session, command.full_name) if moved else None
    return completed(session, code, command.full_name, text)


EXTENSION = Extension(
    "MOVE",
    capabilities=("MOVE",),
    commands=(CommandSpec("MOVE", grammars.copy, move, State.SELECTED, uid=True),),
)
