"""POP3 (RFC 1939) with CAPA (RFC 2449), STLS (RFC 2595), AUTH (RFC 5034) and response codes (RFC 3206).

A server is a `POP3ServerFactory` with a ``twisted.cred`` portal that gives `IAccount`::

    endpoint.listen(POP3ServerFactory(portal, clock=reactor, hostname="mail.example.org"))

A session shows the account's INBOX as it was at login; the next session shows what comes later.
Sessions do not lock each other out.  If another session removes a message, requests for it are
answered ``-ERR``, and no other message gets its number.
"""

from mailproto.pop3.server._limits import READ_AHEAD_MESSAGES, READ_AHEAD_OCTETS, POP3Limits
from mailproto.pop3.server._own_commands import POP3CommandSession
from mailproto.pop3.server._server import POP3Server, POP3ServerFactory

__all__ = [
    "READ_AHEAD_MESSAGES",
    "READ_AHEAD_OCTETS",
    "POP3CommandSession",
    "POP3Limits",
    "POP3Server",
    "POP3ServerFactory",
]
