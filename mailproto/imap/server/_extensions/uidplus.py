"""UIDPLUS (RFC 4315): UID EXPUNGE.  APPENDUID and COPYUID are always told."""

from __future__ import annotations

from mailproto.awaiting import settle
from mailproto.connection.commands import State
from mailproto.errors import ReadOnly
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._message_commands import removed
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec
from mailproto.imap.wire import Command, UidExpunge, grammars

__all__ = ["EXTENSION"]


async def expunge_uids(session: Session, command: Command[UidExpunge]) -> bytes | None:
    """UID EXPUNGE (RFC 4315 2.1)."""
    view = session.selected
    if view.read_only:
        raise ReadOnly
    await session.wait_turn_for(len(view.uids))
    uids = view.present(await view.indexes(command.arguments.sequence, uid=True))
    await session.yield_turn()
    expunged = await settle(view.mailbox.expunge(uids))
    await view.vanish(expunged)
    return await removed(session, command.full_name) if expunged else None


EXTENSION = Extension(
    "UIDPLUS",
    capabilities=("UIDPLUS",),
    commands=(CommandSpec("UID EXPUNGE", grammars.uid_expunge, expunge_uids, State.SELECTED),),
)
