"""SMTP, submission and LMTP: servers that hand what arrives to an `IDelivery`, and clients."""

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
from mailproto.smtp.client._opening import open_client
from mailproto.smtp.client._send_mail import AllRefused, SendResult, send_mail
from mailproto.smtp.client._sender import SMTPSender
from mailproto.smtp.client._server_address import ServerAddress
from mailproto.smtp.client._timeouts import ClientTimeouts
from mailproto.smtp.client._transaction import UNCERTAIN
from mailproto.smtp.server._factory import MAX_MESSAGE_SIZE, SMTPServerFactory
from mailproto.smtp.server._limits import TRUSTED_CLIENT_LIMITS, SMTPLimits
from mailproto.smtp.server._lmtp import LMTPServer, LMTPServerFactory
from mailproto.smtp.server._server import SMTPServer

__all__ = [
    "MAX_MESSAGE_SIZE",
    "TRUSTED_CLIENT_LIMITS",
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
    "LMTPServer",
    "LMTPServerFactory",
    "ProtocolViolation",
    "QueueTimeout",
    "SMTPClient",
    "SMTPClientError",
    "SMTPLimits",
    "SMTPSender",
    "SMTPServer",
    "SMTPServerFactory",
    "SendResult",
    "ServerAddress",
    "ServerTimeout",
    "ServerUntrusted",
    "ServiceClosing",
    "TLSFailed",
    "TLSUnavailable",
    "connect",
    "open_client",
    "send_mail",
]
