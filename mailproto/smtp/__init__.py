"""SMTP, submission and LMTP: servers that give arriving mail to an `IDelivery`, and clients.

`send_mail` sends one message.  `SMTPSender` sends many messages over a pool of connections.
`SMTPClient` is one connection.  `ServerAddress` and the errors (`ClientError`) are in
`mailproto.client`.
"""

from mailproto.smtp.client._client import LMTPClient, SMTPClient
from mailproto.smtp.client._outcomes import UNCERTAIN, outcome_of
from mailproto.smtp.client._send_mail import AllRefused, SendResult, send_mail
from mailproto.smtp.client._sender import SMTPSender
from mailproto.smtp.client._timeouts import SMTPTimeouts
from mailproto.smtp.server._factory import SMTPServerFactory
from mailproto.smtp.server._limits import MAX_MESSAGE_SIZE, TRUSTED_CLIENT_LIMITS, SMTPLimits
from mailproto.smtp.server._lmtp import LMTPServer, LMTPServerFactory
from mailproto.smtp.server._own_commands import SMTPCommandSession
from mailproto.smtp.server._server import SMTPServer

__all__ = [
    "MAX_MESSAGE_SIZE",
    "TRUSTED_CLIENT_LIMITS",
    "UNCERTAIN",
    "AllRefused",
    "LMTPClient",
    "LMTPServer",
    "LMTPServerFactory",
    "SMTPClient",
    "SMTPCommandSession",
    "SMTPLimits",
    "SMTPSender",
    "SMTPServer",
    "SMTPServerFactory",
    "SMTPTimeouts",
    "SendResult",
    "outcome_of",
    "send_mail",
]
