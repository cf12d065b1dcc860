"""ID (RFC 2971)."""

from __future__ import annotations

from mailproto.connection.commands import State
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec
from mailproto.imap.wire import Command, Id, grammars

__all__ = ["EXTENSION"]


async def identify(session: Session, command: Command[Id]) -> None:
    """ID: our name without a version, which would help attackers only (RFC 2971 4)."""
    session.respond(b'* ID ("name" "mailproto")\r\n')


EXTENSION = Extension(
    "ID", capabilities=("ID",), commands=(CommandSpec("ID", grammars.identify, identify, State.ANY),)
)
