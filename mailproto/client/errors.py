"""The errors of clients, independent of the protocol.

All are `ClientError`s::

    ConnectFailed              no connection was made
    GreetingRefused            the server refused the client with its first words
    CommandRefused             the server refused a command; the connection goes on
    TLSUnavailable             TLS is not offered, or was refused
    AuthenticationUnavailable  the credentials cannot be used with what the server offers
    AuthenticationRefused      the credentials were refused
    QueueTimeout               no connection was free in time
    ConnectionLost             the connection has ended
        ServiceClosing         by the server, which said so
        ServerTimeout          by the client, because the server was silent
        ProtocolViolation      by the client, because of what the server sent
        TLSFailed              by the client: the handshake failed, or the certificate is not valid
        ServerUntrusted        by the client: the server did not prove that it knows the password
"""

from __future__ import annotations

from typing import ClassVar, Protocol

from mailproto.printable import printable

__all__ = [
    "AuthenticationRefused",
    "AuthenticationUnavailable",
    "ClientError",
    "CommandRefused",
    "ConnectFailed",
    "ConnectionLost",
    "GreetingRefused",
    "ProtocolViolation",
    "QueueTimeout",
    "ServerReply",
    "ServerTimeout",
    "ServerUntrusted",
    "ServiceClosing",
    "TLSFailed",
    "TLSUnavailable",
]


class ServerReply(Protocol):
    """A server's reply, in any protocol."""

    @property
    def summary(self) -> str:
        """The code and the text, on one line."""

    @property
    def is_permanent(self) -> bool:
        """Whether the reply reports a permanent failure."""


class ClientError(Exception):
    """The base of all errors of clients.

    :param text: what happened; by default the text of ``reply``.
    :param reply: the server's reply, if that was the error.

    :ivar text: one line, safe for a log (`mailproto.printable`).
    :ivar reply: None if the error is not a reply.
    """

    default: ClassVar[str] = "The server cannot be used"

    def __init__(self, text: str = "", *, reply: ServerReply | None = None) -> None:
        self.text = printable(text) or (self.default if reply is None else printable(reply.summary))
        self.reply = reply
        super().__init__(self.text)

    @property
    def is_permanent(self) -> bool:
        """Whether the server's reply reports a permanent failure."""
        return self.reply is not None and self.reply.is_permanent


class ConnectFailed(ClientError):
    """No connection could be made: the text has host, port, and the error of each address."""

    default = "Cannot connect"


class QueueTimeout(ClientError):
    """No connection of a pool was free for a job in time; nothing of the job was done."""

    default = "Waited too long for a connection"


class ConnectionLost(ClientError):
    """The connection ended, or is not open."""

    default = "Connection lost"


class ServiceClosing(ConnectionLost):
    """The server announced that it closes the connection (SMTP's 421, IMAP's BYE)."""

    default = "Service closing the connection"


class ServerTimeout(ConnectionLost):
    """The server did not answer, or did not read, within the `ClientTimeouts`."""

    default = "Timed out"


class ProtocolViolation(ConnectionLost):
    """The server broke the protocol, or sent something out of order; the connection has been closed.

    :ivar reply: the reply that was out of order; None if there was none.
    """

    default = "The server does not keep to the protocol"

    def __init__(self, text: str = "", *, reply: ServerReply | None = None) -> None:
        super().__init__(text)
        self.reply = reply

    @property
    def is_permanent(self) -> bool:
        """False: the code of such a reply has no meaning."""
        return False


class GreetingRefused(ClientError):
    """The server's greeting refused the client; the connection is closed."""


class CommandRefused(ClientError):
    """The server refused a command; the connection goes on."""


class TLSUnavailable(ClientError):
    """TLS is not offered, or was refused; the connection goes on in plaintext."""

    default = "STARTTLS is not offered"


class TLSFailed(ConnectionLost):
    """No TLS could be negotiated, or the certificate is not the server's; the connection is closed."""

    default = "TLS failed"


class AuthenticationUnavailable(ClientError):
    """The server offers no mechanism for these credentials, or none that is safe on this connection."""

    default = "No authentication mechanism that can be used"


class AuthenticationRefused(ClientError):
    """The server refused the credentials, or cannot check them now."""


class ServerUntrusted(ConnectionLost):
    """The server did not prove that it knows the password, or its messages were not valid.

    The connection is closed.
    """

    default = "The server has not proved who it is"
