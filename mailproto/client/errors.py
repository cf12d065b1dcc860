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

from typing import ClassVar, Protocol, runtime_checkable

from mailproto.errors import MailError
from mailproto.model import Outcome
from mailproto.printable import printable

__all__ = [
    "AuthenticationRefused",
    "AuthenticationUnavailable",
    "ClientError",
    "CommandRefused",
    "ConnectFailed",
    "ConnectionLost",
    "GreetingRefused",
    "NotOffered",
    "OutOfOrder",
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


@runtime_checkable
class PassableReply(Protocol):
    """A reply that an SMTP server can give to its own client."""

    def passed_on(self) -> Outcome:
        """The reply with its code, enhanced code and whole text."""


class ClientError(MailError):
    """The base of all errors of clients.

    ``str()`` of it says what happened: one line, safe for a log (`mailproto.printable`).

    It is a `MailError`, so a server can answer with it.  A delivery that talks to another server, such as
    a proxy, need not catch it.  If the other server refused the command, the client gets that very reply.
    For anything else the client is asked to try again, and only the log tells what happened.

    :param text: what happened; by default the text of ``reply``.
    :param reply: the server's reply, if that was the error.

    :ivar reply: None if the error is not a reply.
    :cvar is_answer: whether ``reply`` answers what was asked for, and so may be passed on.  A refusal of
        TLS or of the credentials is no answer to a client of ours.
    """

    enhanced = "4.4.0"
    imap, pop3 = "UNAVAILABLE", "SYS/TEMP"
    default_text = "Temporary failure, try again later"
    default: ClassVar[str] = "The server cannot be used"
    is_answer: ClassVar[bool] = False

    def __init__(self, text: str = "", *, reply: ServerReply | None = None) -> None:
        said = printable(text) or (self.default if reply is None else printable(reply.summary))
        self._said = said
        self.reply = reply
        answer = reply.passed_on() if self.is_answer and isinstance(reply, PassableReply) else None
        if answer is None or answer.code < 400:
            super().__init__(detail=said)
        else:
            super().__init__(detail=said if text else "")
            self.code, self.enhanced, self.text = answer.code, answer.enhanced, answer.text

    def __str__(self) -> str:
        return self._said

    @property
    def is_permanent(self) -> bool:
        """Whether the server's reply reports a permanent failure."""
        return self.reply is not None and self.reply.is_permanent


class ConnectFailed(ClientError):
    """No connection could be made: the text has host, port, and the error of each address.

    :param reason: why, without host and port; by default the text.

    :ivar reason: the same.
    """

    enhanced = "4.4.1"
    default = "Cannot connect"

    def __init__(self, text: str = "", *, reply: ServerReply | None = None, reason: str = "") -> None:
        super().__init__(text, reply=reply)
        self.reason = printable(reason) or str(self)


class QueueTimeout(ClientError):
    """No connection of a pool was free for a job in time; nothing of the job was done."""

    enhanced = "4.4.7"
    default = "Waited too long for a connection"


class ConnectionLost(ClientError):
    """The connection ended, or is not open."""

    enhanced = "4.4.2"
    default = "Connection lost"


class ServiceClosing(ConnectionLost):
    """The server announced that it closes the connection (SMTP's 421, IMAP's BYE)."""

    is_answer = True
    default = "Service closing the connection"


class ServerTimeout(ConnectionLost):
    """The server did not answer, or did not read, within the `ClientTimeouts`."""

    default = "Timed out"


class ProtocolViolation(ConnectionLost):
    """The server broke the protocol, or sent something out of order; the connection has been closed.

    :ivar reply: the reply that was out of order; None if there was none.
    """

    enhanced = "4.5.0"
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

    is_answer = True


class CommandRefused(ClientError):
    """The server refused a command; the connection goes on."""

    is_answer = True


class OutOfOrder(ClientError):
    """A command does not fit the state of the session, such as RCPT before MAIL; it was not sent."""

    enhanced = "4.5.0"
    default = "The command does not fit here"


class NotOffered(ClientError):
    """The server does not offer what a command needs, such as an extension; it was not sent.

    :param outcome: the codes and the text, also for a client of ours.
    :param text: what happened; by default the outcome, as SMTP writes it.
    """

    def __init__(self, outcome: Outcome, text: str = "") -> None:
        super().__init__(text or f"{outcome.code} {outcome.enhanced} {outcome.text}")
        self.code, self.enhanced, self.text, self.detail = outcome.code, outcome.enhanced, outcome.text, ""

    @property
    def is_permanent(self) -> bool:
        """Whether the same command would fail on another connection, too."""
        return self.code >= 500


class TLSUnavailable(ClientError):
    """TLS is not offered, or was refused; the connection goes on in plaintext."""

    enhanced = "4.7.4"
    default = "STARTTLS is not offered"


class TLSFailed(ConnectionLost):
    """No TLS could be negotiated, or the certificate is not the server's; the connection is closed."""

    enhanced = "4.7.5"
    default = "TLS failed"


class AuthenticationUnavailable(ClientError):
    """The server offers no mechanism for these credentials, or none that is safe on this connection."""

    enhanced = "4.7.4"
    default = "No authentication mechanism that can be used"


class AuthenticationRefused(ClientError):
    """The server refused the credentials, or cannot check them now."""

    enhanced = "4.7.0"


class ServerUntrusted(ConnectionLost):
    """The server did not prove that it knows the password, or its messages were not valid.

    The connection is closed.
    """

    enhanced = "4.7.0"
    default = "The server has not proved who it is"
