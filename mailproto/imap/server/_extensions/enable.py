"""ENABLE (RFC 5161): what it takes is in the table of all extensions."""

from __future__ import annotations

from mailproto.imap.server._extension import Extension
from mailproto.imap.server._registry import tables_of
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec
from mailproto.imap.wire import Command, Enable, grammars

__all__ = ["EXTENSION"]


async def enable(session: Session, command: Command[Enable]) -> None:
    """ENABLE: unknown names are ignored, and so are those that are enabled already (RFC 5161 3.1)."""
    known = tables_of(session).enables
    enabled = []
    for name in command.arguments.names:
        if name in known and name not in session.enabled:
            session.enabled.add(name)
            await known[name](session)
            enabled.append(b" " + name.encode("ascii"))
    session.respond(b"* ENABLED%b\r\n" % b"".join(enabled))


EXTENSION = Extension(
    "ENABLE", capabilities=("ENABLE",), commands=(CommandSpec("ENABLE", grammars.enable, enable),)
)
