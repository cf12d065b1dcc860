"""What can go wrong between a client and its server, whatever they speak."""

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
    """What a server answered, in whichever protocol."""

    @property
    def summary(self) -> str:
        """Its code and text, on one line."""

    @property
    def is_permanent(self) -> bool:
        """Whether it says that trying again is of no use."""


class ClientError(Exception):
    """What a client's user is told.

    :param text: what happened; of a `reply`, its own text by default.
    :param reply: what the server said, if that is what went wrong.

    :ivar text: one line, fit for a log (`mailproto.printable`) whatever the server put into it.
    :ivar reply: None where the server said nothing.
    """

    default: ClassVar[str] = "The server cannot be used"

    def __init__(self, text: str = "", *, reply: ServerReply | None = None) -> None:
        self.text = printable(text) or (self.default if reply is None else printable(reply.summary))
        self.reply = reply
        super().__init__(self.text)

    @property
    def is_permanent(self) -> bool:
        """Whether trying again is of no use, as far as the server said."""
        return self.reply is not None and self.reply.is_permanent


class ConnectFailed(ClientError):
    """No connection: the text has host, port, and each address with what happened there."""

    default = "Cannot connect"


class QueueTimeout(ClientError):
    """No connection of a pool was free for a job in time; nothing of it was done."""

    default = "Waited too long for a connection"


class ConnectionLost(ClientError):
    """The connection ended, or is not open (any more)."""

    default = "Connection lost"


class ServiceClosing(ConnectionLost):
    """The server said that it ends the connection (SMTP's 421, IMAP's BYE)."""

    default = "Service closing the connection"


class ServerTimeout(ConnectionLost):
    """The server was silent, or did not read, for longer than `ClientTimeouts` has it."""

    default = "Timed out"


class ProtocolViolation(ConnectionLost):
    """What the server sent is not the protocol, or not in its place; the connection has been closed.

    :ivar reply: to something that it cannot answer; None where nothing was answered.
    """

    default = "The server does not keep to the protocol"

    def __init__(self, text: str = "", *, reply: ServerReply | None = None) -> None:
        super().__init__(text)
        self.reply = reply

    @property
    def is_permanent(self) -> bool:
        """False: the code of such a reply means nothing."""
        return False


class GreetingRefused(ClientError):
    """The server's first words were no welcome; the connection is closed."""


class CommandRefused(ClientError):
    """The server refused a command; the connection goes on."""


class TLSUnavailable(ClientError):
    """TLS is not offered, or was refused; the connection goes on in plaintext."""

    default = "STARTTLS is not offered"


class TLSFailed(ConnectionLost):
    """No TLS could be negotiated, or the certificate is not the server's; the connection is closed."""

    default = "TLS failed"


class AuthenticationUnavailable(ClientError):
    """The server offers no mechanism that the credentials are for, or none that is safe here."""

    default = "No authentication mechanism that can be used"


class AuthenticationRefused(ClientError):
    """The server does not take the credentials, or cannot look at them now."""


class ServerUntrusted(ConnectionLost):
    """The server did not prove that it knows the password, or its part of the exchange makes no sense.

    The connection is closed.
    """

    default = "The server has not proved who it is"
