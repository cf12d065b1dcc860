"""SMTP, submission and LMTP servers that hand what arrives to an `IDelivery`."""

from mailproto.smtp._limits import UNHURRIED_LIMITS, SMTPLimits
from mailproto.smtp.client import (
    UNCERTAIN,
    AuthenticationRefused,
    ClientTimeouts,
    CommandRefused,
    ConnectFailed,
    ConnectionLost,
    GreetingRefused,
    LMTPClient,
    ProtocolViolation,
    ServerTimeout,
    ServiceClosing,
    SMTPClient,
    SMTPClientError,
    TLSFailed,
    TLSUnavailable,
    connect,
)
from mailproto.smtp.factory import MAX_MESSAGE_SIZE, SMTPServerFactory
from mailproto.smtp.lmtp import LMTPServer, LMTPServerFactory
from mailproto.smtp.server import SMTPServer

__all__ = [
    "MAX_MESSAGE_SIZE",
    "UNCERTAIN",
    "UNHURRIED_LIMITS",
    "AuthenticationRefused",
    "ClientTimeouts",
    "CommandRefused",
    "ConnectFailed",
    "ConnectionLost",
    "GreetingRefused",
    "LMTPClient",
    "LMTPServer",
    "LMTPServerFactory",
    "ProtocolViolation",
    "SMTPClient",
    "SMTPClientError",
    "SMTPLimits",
    "SMTPServer",
    "SMTPServerFactory",
    "ServerTimeout",
    "ServiceClosing",
    "TLSFailed",
    "TLSUnavailable",
    "connect",
]
