"""UNAUTHENTICATE (RFC 8437): sign out, and sign in again over the same connection."""

from __future__ import annotations

from collections.abc import Iterable

from mailproto.imap.server._errors import SessionOver
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._registry import tables_of
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec, Updates
from mailproto.imap.wire import Command, NoArguments, grammars

__all__ = ["EXTENSION"]


def _announce(session: Session) -> Iterable[str]:
    return () if session.account is None else ("UNAUTHENTICATE",)


async def unauthenticate(session: Session, command: Command[NoArguments]) -> None:
    """UNAUTHENTICATE: nothing of the account stays; of the connection, only TLS does."""
    session.sign_out(tables_of(session).syntax)
    session.write(
        b"%b OK [CAPABILITY %b] Signed out\r\n"
        % (command.tag.encode("ascii"), tables_of(session).capabilities(session))
    )
    if session.is_compressed:
        session.end_compression()
    raise SessionOver  # the answer was given


EXTENSION = Extension(
    "UNAUTHENTICATE",
    announce=_announce,
    commands=(CommandSpec("UNAUTHENTICATE", grammars.no_arguments, unauthenticate, updates=Updates.NOTHING),),
)
