"""NOTIFY (RFC 5465): a client says of which events it wants to be told, whatever it does."""

from __future__ import annotations

from mailproto.imap.server._errors import RefusedWithCode
from mailproto.imap.server._events_wanted import EVENTS, Notify, notify
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._notifying import Notifier
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec
from mailproto.imap.wire import Command
from mailproto.interfaces.add_ons import IMailboxChanges

__all__ = ["EXTENSION"]


async def set_notices(session: Session, command: Command[Notify]) -> None:
    """NOTIFY: the new events take the place of the old ones."""
    wanted = command.arguments
    if wanted.unknown:
        names = " ".join(EVENTS.values())
        raise RefusedWithCode(f"BADEVENT ({names})", "Some of the events are not supported")
    await session.catch_up(expunges=True)
    if wanted.groups:
        await session.wait_turn()
        await Notifier(session, wanted).begin(tells_status=wanted.tells_status)
    else:
        session.stop_notices()


EXTENSION = Extension(
    "NOTIFY",
    capabilities=("NOTIFY",),
    needs=frozenset({IMailboxChanges}),
    commands=(CommandSpec("NOTIFY", notify, set_notices),),
)
