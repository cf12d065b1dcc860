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
    """One personal namespace, without a prefix, and that of other users, if there is one (RFC 2342 5).

    What is shared with everybody is among the mailboxes of those who share it.
    """
    account = session.signed_in
    others = b"NIL"
    if IAccessControl.providedBy(account):
        others = b'((%b "%b"))' % (_quoted(session, account.other_users), _DELIMITER)
    session.respond(b'* NAMESPACE (("" "%b")) %b NIL\r\n' % (_DELIMITER, others))


def _quoted(session: Session, prefix: str) -> bytes:
    name = session.encoded(prefix)
    return name if name.startswith(b'"') else b'"%b"' % name


EXTENSION = Extension(
    "NAMESPACE",
    capabilities=("NAMESPACE",),
    commands=(CommandSpec("NAMESPACE", grammars.no_arguments, namespace),),
)
