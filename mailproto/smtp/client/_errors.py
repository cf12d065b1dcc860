"""What can go wrong between a client and its server, each with a reply's worth of meaning."""

from __future__ import annotations

from typing import ClassVar

from mailproto.model import Outcome
from mailproto.printable import printable
from mailproto.smtp.wire import Reply

__all__ = [
    "AuthenticationRefused",
    "AuthenticationUnavailable",
    "CommandRefused",
    "ConnectFailed",
    "ConnectionLost",
    "GreetingRefused",
    "ProtocolViolation",
    "QueueTimeout",
    "SMTPClientError",
    "ServerTimeout",
    "ServerUntrusted",
    "ServiceClosing",
    "TLSFailed",
    "TLSUnavailable",
]


class SMTPClientError(Exception):
    """What a client's user is told.

    :param text: what happened; of a `reply`, its own text by default.
    :param reply: what the server said, if that is what went wrong.

    :ivar code: the server's, or one of ours that fits: 4yz for what may work later, 5yz else.
    :ivar enhanced: RFC 3463 code of the same class.
    :ivar text: one line, fit for a log (`mailproto.printable`) whatever the server put into it.
    :ivar reply: None where the server said nothing.
    """

    default: ClassVar[Outcome] = Outcome(451, "4.4.0", "SMTP failed")

    def __init__(self, text: str = "", *, reply: Reply | None = None) -> None:
        outcome = self.default if reply is None or reply.code < 400 else reply.outcome()
        self.code = outcome.code
        self.enhanced = outcome.enhanced
        self.text = printable(text) or outcome.text or self.default.text
        self.reply = reply
        super().__init__(f"{self.code} {self.enhanced} {self.text}")

    @property
    def is_permanent(self) -> bool:
        """Whether trying again is of no use."""
        return self.code >= 500

    def outcome(self) -> Outcome:
        """The same as it is said of a recipient."""
        return Outcome(self.code, self.enhanced, self.text)


class ConnectFailed(SMTPClientError):
    """No connection: the text has host, port, and each address with what happened there."""

    default = Outcome(451, "4.4.1", "Cannot connect")


class QueueTimeout(SMTPClientError):
    """No connection of a pool was free for a message in time; nothing of it was sent."""

    default = Outcome(451, "4.4.7", "Waited too long for a connection")


class ConnectionLost(SMTPClientError):
    """The connection ended, or is not open (any more)."""

    default = Outcome(451, "4.4.2", "Connection lost")


class ServiceClosing(ConnectionLost):
    """The server answered with 421: it ends the connection (RFC 5321 3.8)."""

    default = Outcome(421, "4.4.2", "Service closing the connection")


class ServerTimeout(ConnectionLost):
    """The server was silent, or did not read, for longer than `ClientTimeouts` has it."""

    default = Outcome(451, "4.4.2", "Timed out")


class ProtocolViolation(ConnectionLost):
    """What the server sent is not SMTP, or not in its place; the connection has been closed.

    :ivar reply: to something that it cannot answer; None where nothing was answered.
    """

    default = Outcome(451, "4.5.0", "The server does not keep to the protocol")

    def __init__(self, text: str = "", *, reply: Reply | None = None) -> None:
        super().__init__(text)
        self.reply = reply  # whose code means nothing


class GreetingRefused(SMTPClientError):
    """The server greeted with 521, 554 or the like: it takes no mail now or ever (RFC 7504)."""


class CommandRefused(SMTPClientError):
    """A command was answered with 4yz or 5yz."""


class TLSUnavailable(SMTPClientError):
    """STARTTLS is not offered, or was refused (RFC 3207 4.1); the connection goes on in plaintext."""

    default = Outcome(451, "4.7.4", "STARTTLS is not offered")


class TLSFailed(ConnectionLost):
    """No TLS could be negotiated, or the certificate is not the server's; the connection is closed."""

    default = Outcome(451, "4.7.5", "TLS failed")


class AuthenticationUnavailable(SMTPClientError):
    """The server offers no mechanism that the credentials are for, or none that is safe here."""

    default = Outcome(451, "4.7.4", "No authentication mechanism that can be used")


class AuthenticationRefused(SMTPClientError):
    """The server does not take the credentials (535), or cannot look at them now (454; RFC 4954 6)."""


class ServerUntrusted(ConnectionLost):
    """The server did not prove that it knows the password, or its part of the exchange makes no sense.

    The connection is closed.
    """

    default = Outcome(451, "4.7.0", "The server has not proved who it is")
