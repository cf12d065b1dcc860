"""SMTP and LMTP clients: `SMTPClient` speaks to one server."""

from mailproto.smtp.client._client import LMTPClient, SMTPClient
from mailproto.smtp.client._connect import connect
from mailproto.smtp.client._errors import (
    AuthenticationRefused,
    CommandRefused,
    ConnectFailed,
    ConnectionLost,
    GreetingRefused,
    ProtocolViolation,
    ServerTimeout,
    ServiceClosing,
    SMTPClientError,
    TLSFailed,
    TLSUnavailable,
)
from mailproto.smtp.client._timeouts import ClientTimeouts
from mailproto.smtp.client._transaction import UNCERTAIN

__all__ = [
    "UNCERTAIN",
    "AuthenticationRefused",
    "ClientTimeouts",
    "CommandRefused",
    "ConnectFailed",
    "ConnectionLost",
    "GreetingRefused",
    "LMTPClient",
    "ProtocolViolation",
    "SMTPClient",
    "SMTPClientError",
    "ServerTimeout",
    "ServiceClosing",
    "TLSFailed",
    "TLSUnavailable",
    "connect",
]
