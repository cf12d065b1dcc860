"""LMTP (RFC 2033): like SMTP, with an answer for each recipient after the content.

An MTA such as Postfix gives mail to an `LMTPServerFactory`, usually over a Unix socket.
"""

from mailproto.smtp.client._lmtp import LMTPClient
from mailproto.smtp.server._lmtp import LMTPServer, LMTPServerFactory

__all__ = [
    "LMTPClient",
    "LMTPServer",
    "LMTPServerFactory",
]
