"""The limits of IMAP servers and clients, and the timeouts of clients."""

from mailproto.imap.client._timeouts import IMAPTimeouts
from mailproto.imap.server._limits import IMAPLimits
from mailproto.imap.wire._client_limits import IMAPClientLimits

__all__ = [
    "IMAPClientLimits",
    "IMAPLimits",
    "IMAPTimeouts",
]
