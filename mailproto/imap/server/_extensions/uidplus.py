"""UIDPLUS (RFC 4315): UID EXPUNGE.  APPENDUID and COPYUID are always told."""

from __future__ import annotations

from array import array

from mailproto.connection.commands import State
from mailproto.errors import ReadOnly
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._message_commands import AT_ONCE, removed
from mailproto.imap.server._message_limit import completed, last_of
from mailproto.imap.server._progress import working
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec
from mailproto.imap.wire import Command, UidExpunge, grammars
from mailproto.model import DELETED

__all__ = ["EXTENSION"]


async def expunge_uids(session: Session, command: Command[UidExpunge]) -> bytes | None:
    """UID EXPUNGE (RFC 4315 2.1)."""
    view = session.selected
    if view.read_only:
        raise ReadOnly
    await session.wait_turn_for(len(view.uids))
    indexes = await view.indexes(command.arguments.sequence, uid=True)
    code = b""
    if session.limits.command_messages is not None:
        await session.catch_up(expunges=True)
        indexes = await view.indexes(command.arguments.sequence, uid=True)
        deleted = array("I")
        for start in range(0, len(indexes), AT_ONCE):
            some = view.there(indexes[start : start + AT_ONCE])
            deleted.extend([at for at in some if DELETED in view.flags[at]])
            await session.yield_turn()
        indexes, code = last_of(session, view, deleted)
    uids = view.present(indexes)
    await session.yield_turn()
    expunged = await working(session, view.mailbox.expunge(uids), len(uids))
    await view.vanish(expunged)
    text = await removed(session, command.full_name) if expunged else None
    return completed(session, code, command.full_name, text)


EXTENSION = Extension(
    "UIDPLUS",
    capabilities=("UIDPLUS",),
    commands=(CommandSpec("UID EXPUNGE", grammars.uid_expunge, expunge_uids, State.SELECTED),),
)
