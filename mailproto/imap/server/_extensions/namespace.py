"""NAMESPACE (RFC 2342)."""

from __future__ import annotations

from mailproto.imap.server._extension import Extension
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec
from mailproto.imap.wire import Command, NoArguments, grammars
from mailproto.model import DELIMITER

__all__ = ["EXTENSION"]


async def namespace(session: Session, command: Command[NoArguments]) -> None:
    """One personal namespace, without a prefix (RFC 2342 5)."""
    session.respond(b'* NAMESPACE (("" "%b")) NIL NIL\r\n' % DELIMITER.encode("ascii"))


EXTENSION = Extension(
    "NAMESPACE",
    capabilities=("NAMESPACE",),
    commands=(CommandSpec("NAMESPACE", grammars.no_arguments, namespace),),
)
