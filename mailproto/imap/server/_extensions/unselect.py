"""UNSELECT (RFC 3691)."""

from __future__ import annotations

from mailproto.connection.commands import State
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec
from mailproto.imap.wire import Command, NoArguments, grammars

__all__ = ["EXTENSION"]


async def unselect(session: Session, command: Command[NoArguments]) -> None:
    """UNSELECT: close the mailbox, and expunge nothing (RFC 9051 6.4.2)."""
    session.deselect()


EXTENSION = Extension(
    "UNSELECT",
    capabilities=("UNSELECT",),
    commands=(CommandSpec("UNSELECT", grammars.no_arguments, unselect, State.SELECTED),),
)
