"""What the mail log has of one SMTP session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mailproto import maillog
from mailproto.model import Outcome
from mailproto.smtp.server._reception import Reception
from mailproto.smtp.wire import AuthResponse, ChunkEnd, DataChunk, DataEnd, Event, Mail, Rcpt

if TYPE_CHECKING:
    from mailproto.smtp.server._server import SMTPServer

__all__ = ["SessionLog", "command_of"]

_COMMANDS: Mapping[type[Event], str] = {
    DataChunk: "DATA",
    DataEnd: "DATA",
    ChunkEnd: "BDAT",
    AuthResponse: "AUTH",
}
"""Of events that are not called as their command is."""


def command_of(event: Event) -> str:
    """The command that an event belongs to."""
    return _COMMANDS.get(type(event)) or type(event).__name__.upper()


class SessionLog:
    """Logs refusals, with what is known of the transaction, and knows who the client is.

    :ivar taken: how many messages were taken.
    :ivar last_error: the last reply to a command that was wrong.
    """

    __slots__ = ("_client", "_server", "last_error", "taken")

    def __init__(self, server: SMTPServer) -> None:
        self._server = server
        self._client: maillog.Client | None = None
        self.taken = 0
        self.last_error = b""

    @property
    def client(self) -> maillog.Client:
        """One value until `forget_client`."""
        client = self._client
        if client is None:
            server = self._server
            client = self._client = maillog.Client(
                peer=server.peer,
                protocol=server.factory.service_name,
                helo=server.hello.name if server.hello else "",
                tls=server.tls_version,
                account=server.account,
                refusals=server.refusals,
            )
        return client

    def forget_client(self) -> None:
        """What is known of the client has changed."""
        self._client = None

    def refused(self, reply: Outcome | bytes, command: str, event: Event | None = None) -> None:
        """Log that a command was refused, and of which message.

        :param event: the command itself, if it was understood.
        """
        transaction = self._server.transaction
        sender = None if transaction is None else transaction.sender
        recipient = None
        if isinstance(event, Mail):
            sender = event.path
        elif isinstance(event, Rcpt):
            recipient = event.path
        shown = _text(reply) if isinstance(reply, bytes) else reply
        maillog.refused(self.client, shown, command=command, sender=sender, recipient=recipient)

    def sent_away(self, reply: bytes, detail: bytes = b"") -> None:
        """Log that the client itself was refused."""
        maillog.refused(self.client, _text(reply), detail=_text(detail))

    def counts(self) -> dict[str, str | int]:
        """For the line about the end."""
        server = self._server
        counts: dict[str, str | int] = {"taken": self.taken, "errors": server.error_budget.errors}
        if isinstance(server.reception, Reception):
            counts["unfinished"] = server.reception.size
        return counts


def _text(reply: bytes) -> str:
    return reply.decode().rstrip()
