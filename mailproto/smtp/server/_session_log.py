"""One SMTP session's lines in the mail log."""

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
"""The commands of events with other names."""


def command_of(event: Event) -> str:
    """The command that an event belongs to."""
    return _COMMANDS.get(type(event)) or type(event).__name__.upper()


class SessionLog:
    """Logs refusals with the data of the client and the transaction.

    :ivar taken: how many messages were accepted.
    :ivar last_error: the latest error reply.
    """

    __slots__ = ("_client", "_server", "last_error", "taken")

    def __init__(self, server: SMTPServer) -> None:
        self._server = server
        self._client: maillog.Client | None = None
        self.taken = 0
        self.last_error = b""

    @property
    def client(self) -> maillog.Client:
        """The client's data; the same value until `forget_client`."""
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
        """The client's data has changed."""
        self._client = None

    def refused(self, reply: Outcome | bytes, command: str, event: Event | None = None) -> None:
        """Log a refused command, with the message that it belongs to.

        :param event: the command; None if it could not be read.
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

    def client_refused(self, reply: bytes, detail: bytes = b"") -> None:
        """Log that the client was refused as a whole."""
        maillog.refused(self.client, _text(reply), detail=_text(detail))

    def counts(self) -> dict[str, str | int]:
        """The counts for the line about the session's end."""
        server = self._server
        counts: dict[str, str | int] = {"taken": self.taken, "errors": server.error_budget.errors}
        if isinstance(server.reception, Reception):
            counts["unfinished"] = server.reception.size
        return counts


def _text(reply: bytes) -> str:
    return reply.decode().rstrip()
