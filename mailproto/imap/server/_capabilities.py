"""What is announced (RFC 9051 7.2.2): exactly what works, here and now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailproto.auth import MECHANISMS

if TYPE_CHECKING:
    from mailproto.imap.server.session import IMAPSession

__all__ = ["EXTENSIONS", "capabilities"]

EXTENSIONS = (
    b"IMAP4rev1 LITERAL+ ID ENABLE IDLE NAMESPACE UNSELECT UIDPLUS MOVE CHILDREN ESEARCH"
    b" LIST-EXTENDED LIST-STATUS SPECIAL-USE CREATE-SPECIAL-USE STATUS=SIZE"
)
"""What does not depend on the connection.

Clients that ask only once, before login, must find it there, too.
"""

_MECHANISMS = b"".join(b" AUTH=" + name.encode("ascii") for name in MECHANISMS)


def capabilities(session: IMAPSession) -> bytes:
    """The capabilities in the session's state, parted by spaces.

    Until somebody is signed in: how to do that.  In clear, only TLS is offered.
    """
    if session.account is not None:
        return EXTENSIONS
    starttls = b" STARTTLS" if session.can_start_tls else b""
    if session.is_secure:
        return EXTENSIONS + b" SASL-IR" + _MECHANISMS + starttls
    return EXTENSIONS + starttls + b" LOGINDISABLED"
