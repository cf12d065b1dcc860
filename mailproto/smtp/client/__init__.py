"""SMTP and LMTP clients.

`send_mail` is one call for applications, `SMTPSender` for those that send a lot, and
`SMTPClient` the protocol under both.
"""

from mailproto.smtp.client._client import LMTPClient, SMTPClient
from mailproto.smtp.client._connect import connect
from mailproto.smtp.client._errors import (
    AuthenticationRefused,
    AuthenticationUnavailable,
    CommandRefused,
    ConnectFailed,
    ConnectionLost,
    GreetingRefused,
    ProtocolViolation,
    QueueTimeout,
    ServerTimeout,
    ServerUntrusted,
    ServiceClosing,
    SMTPClientError,
    TLSFailed,
    TLSUnavailable,
)
from mailproto.smtp.client._mail_server import MailServer
from mailproto.smtp.client._opening import open_client
from mailproto.smtp.client._send_mail import AllRefused, SendResult, send_mail
from mailproto.smtp.client._sender import SMTPSender
from mailproto.smtp.client._timeouts import ClientTimeouts
from mailproto.smtp.client._transaction import UNCERTAIN

__all__ = [
    "UNCERTAIN",
    "AllRefused",
    "AuthenticationRefused",
    "AuthenticationUnavailable",
    "ClientTimeouts",
    "CommandRefused",
    "ConnectFailed",
    "ConnectionLost",
    "GreetingRefused",
    "LMTPClient",
    "MailServer",
    "ProtocolViolation",
    "QueueTimeout",
    "SMTPClient",
    "SMTPClientError",
    "SMTPSender",
    "SendResult",
    "ServerTimeout",
    "ServerUntrusted",
    "ServiceClosing",
    "TLSFailed",
    "TLSUnavailable",
    "connect",
    "open_client",
    "send_mail",
]
