"""NAMESPACE (RFC 2342)."""

from __future__ import annotations

from mailproto.imap.server._extension import Extension
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec
from mailproto.imap.wire import Command, NoArguments, grammars
from mailproto.interfaces.add_ons import IAccessControl
from mailproto.model import DELIMITER

__all__ = ["EXTENSION"]

_DELIMITER = DELIMITER.encode("ascii")


async def namespace(session: Session, command: Command[NoArguments]) -> None:
    """One personal namespace without a prefix, that of other users, and the shared one (RFC 2342 5)."""
    account = session.signed_in
    others = shared = ""
    if IAccessControl.providedBy(account):
        others, shared = account.other_users, account.shared
    words = _DELIMITER, _prefixed(session, others), _prefixed(session, shared)
    session.respond(b'* NAMESPACE (("" "%b")) %b %b\r\n' % words)


def _prefixed(session: Session, prefix: str) -> bytes:
    if not prefix:
        return b"NIL"
    name = session.encoded(prefix)
    name = name if name.startswith(b'"') else b'"%b"' % name
    return b'((%b "%b"))' % (name, _DELIMITER)


EXTENSION = Extension(
    "NAMESPACE",
    capabilities=("NAMESPACE",),
    commands=(CommandSpec("NAMESPACE", grammars.no_arguments, namespace),),
)
