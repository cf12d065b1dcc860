"""What one SMTP session tells its observer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mailproto.model import Address, Outcome
from mailproto.observing import Client, Refusal
from mailproto.smtp.server._reception import Reception
from mailproto.smtp.wire import AuthResponse, ChunkEnd, DataChunk, DataEnd, Event, Mail, OwnCommand, Rcpt

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
    if isinstance(event, OwnCommand):
        return event.verb
    return _COMMANDS.get(type(event)) or type(event).__name__.upper()


class SessionLog:
    """Tells of refusals, with the data of the client and the transaction.

    :ivar taken: how many messages were accepted.
    :ivar last_error: the latest error reply.
    """

    __slots__ = ("_client", "_server", "last_error", "taken")

    def __init__(self, server: SMTPServer) -> None:
        self._server = server
        self._client: Client | None = None
        self.taken = 0
        self.last_error = b""

    @property
    def client(self) -> Client:
        """The client's data; the same value until `forget_client`."""
        client = self._client
        if client is None:
            server = self._server
            client = Client(
                peer=str(server.peer),
                protocol=server.factory.service_name,
                helo=server.hello.name if server.hello else "",
                tls=server.tls_version,
                account=server.account,
                address=server.peer_address,
                connection=server.number,
                notes=server.notes,
            )
            if server.hello is not None:  # before, TLS may not be complete yet
                self._client = client
        return client

    def forget_client(self) -> None:
        """The client's data has changed."""
        self._client = None

    def refused(self, reply: Outcome | bytes, command: str, event: Event | None = None) -> None:
        """Tell of a refused command, with the message that it belongs to.

        :param event: the command; None if it could not be read.
        """
        transaction = self._server.transaction
        sender = None if transaction is None else transaction.sender
        recipient = None
        if isinstance(event, Mail):
            sender = event.path
        elif isinstance(event, Rcpt):
            recipient = event.path
        self._tell(reply, command, sender, recipient)

    def client_refused(self, reply: bytes, detail: bytes = b"") -> None:
        """Tell that the client was refused as a whole."""
        self._tell(reply, detail=detail.decode().rstrip())

    def _tell(
        self,
        reply: Outcome | bytes,
        command: str = "",
        sender: Address | None = None,
        recipient: Address | None = None,
        detail: str = "",
    ) -> None:
        outcome = reply if isinstance(reply, Outcome) else _read(reply)
        event = Refusal.of_outcome(
            self.client, outcome, command, sender=sender, recipient=recipient, detail=detail
        )
        self._server.observer.refused(event)

    def counts(self) -> dict[str, str | int]:
        """The counts for the event of the session's end."""
        server = self._server
        counts: dict[str, str | int] = {"taken": self.taken, "errors": server.error_budget.errors}
        if isinstance(server.reception, Reception):
            counts["unfinished"] = server.reception.size
        return counts


def _read(reply: bytes) -> Outcome:
    """A reply that `render_reply` has made, with its lines as one."""
    lines = [line[len("550 ") :] for line in reply.decode().splitlines()]
    enhanced = lines[0].partition(" ")[0]
    return Outcome(int(reply[:3]), enhanced, " ".join(line.removeprefix(f"{enhanced} ") for line in lines))
