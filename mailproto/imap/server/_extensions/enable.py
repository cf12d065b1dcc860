"""ENABLE (RFC 5161): what it takes is in the table of all extensions."""

from __future__ import annotations

from mailproto.imap.server._extension import Extension
from mailproto.imap.server._registry import tables_of
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec
from mailproto.imap.wire import Command, Enable, grammars

__all__ = ["EXTENSION"]


async def enable(session: Session, command: Command[Enable]) -> None:
    """ENABLE: unknown names are ignored, and so are those that are enabled already (RFC 5161 3.1).

    What one of the names enables as well is told if it is named, too: clients look for CONDSTORE beside
    QRESYNC.
    """
    known, before = tables_of(session).enables, set(session.enabled)
    names = dict.fromkeys(command.arguments.names)
    named = [name for name in names if name in known and name not in before]
    for name in named:
        if name not in session.enabled:
            session.enabled.add(name)
            await known[name](session)
    session.respond(b"* ENABLED%b\r\n" % b"".join([b" " + name.encode("ascii") for name in named]))


EXTENSION = Extension(
    "ENABLE", capabilities=("ENABLE",), commands=(CommandSpec("ENABLE", grammars.enable, enable),)
)
