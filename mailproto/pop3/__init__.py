"""POP3 (RFC 1939) with CAPA (RFC 2449), STLS (RFC 2595), AUTH (RFC 5034) and response codes (RFC 3206).

A server is a `POP3ServerFactory` over a ``twisted.cred`` portal that gives `IAccount`::

    endpoint.listen(POP3ServerFactory(portal, clock=reactor, hostname="mail.example.org"))

A session is a view of the account's INBOX as it was at login; what comes later is seen
by the next session.  Sessions do not lock one another out: a message that another one
removes in the meantime answers ``-ERR``, and its number stays its own.
"""

from mailproto.pop3.server._limits import POP3Limits
from mailproto.pop3.server._reader import READ_AHEAD_MESSAGES, READ_AHEAD_OCTETS
from mailproto.pop3.server._server import POP3Server, POP3ServerFactory

__all__ = [
    "READ_AHEAD_MESSAGES",
    "READ_AHEAD_OCTETS",
    "POP3Limits",
    "POP3Server",
    "POP3ServerFactory",
]
