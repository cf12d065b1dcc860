"""What is announced (RFC 9051 7.2.2): exactly what works, here and now."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailproto.imap.server._server import IMAPServer

__all__ = ["EXTENSIONS", "capabilities"]

EXTENSIONS = (
    b"IMAP4rev1 LITERAL+ ID ENABLE IDLE NAMESPACE UNSELECT UIDPLUS MOVE CHILDREN ESEARCH"
    b" LIST-EXTENDED LIST-STATUS SPECIAL-USE CREATE-SPECIAL-USE STATUS=SIZE"
)
"""What does not depend on the connection.

Clients that ask only once, before login, must find it there, too.
"""


def capabilities(server: IMAPServer) -> bytes:
    """The capabilities in the session's state, parted by spaces.

    Until somebody is signed in: how to do that, here and now.
    """
    if server.account is not None:
        return EXTENSIONS
    offered = [EXTENSIONS]
    if mechanisms := server.sasl.mechanisms(server.channel):
        offered += [b"SASL-IR", *(b"AUTH=" + name.encode("ascii") for name in mechanisms)]
    if server.can_start_tls:
        offered.append(b"STARTTLS")
    if not (server.is_secure and server.sasl.takes_passwords):
        offered.append(b"LOGINDISABLED")
    return b" ".join(offered)
