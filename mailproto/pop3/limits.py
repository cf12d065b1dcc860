"""The limits of POP3 servers, and the timeouts of clients.

What answers a client takes: `mailproto.pop3.wire.POP3ReplyLimits`.
"""

from mailproto.pop3.client._session import MAX_UNANSWERED
from mailproto.pop3.client._timeouts import POP3Timeouts
from mailproto.pop3.server._limits import READ_AHEAD_MESSAGES, READ_AHEAD_OCTETS, POP3Limits

__all__ = [
    "MAX_UNANSWERED",
    "READ_AHEAD_MESSAGES",
    "READ_AHEAD_OCTETS",
    "POP3Limits",
    "POP3Timeouts",
]
