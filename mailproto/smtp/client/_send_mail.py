"""One call for applications."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import Message as EmailPackageMessage
from typing import Any

from twisted.internet.defer import CancelledError

from mailproto.model import NO_PARAMETERS, Address, Outcome, Parameters
from mailproto.smtp.client._client import SMTPClient
from mailproto.smtp.client._composing import Composed, Recipients
from mailproto.smtp.client._composing_apart import compose_apart
from mailproto.smtp.client._connect import aborting
from mailproto.smtp.client._errors import SMTPClientError
from mailproto.smtp.client._job import Job
from mailproto.smtp.client._message import Message
from mailproto.smtp.client._opening import open_client
from mailproto.smtp.client._server_address import ServerAddress

__all__ = ["AllRefused", "SendResult", "result_of", "send_mail"]


@dataclass(frozen=True, slots=True)
class SendResult:
    """What became of a message.

    :ivar outcomes: by address, in the order in which they were given, without duplicates.
    """

    outcomes: Mapping[str, Outcome]

    @property
    def accepted(self) -> list[str]:
        """The addresses for which the server took the message."""
        return [address for address, outcome in self.outcomes.items() if outcome.accepted]

    @property
    def refused(self) -> dict[str, Outcome]:
        """Why it did not, for each of the others."""
        return {address: outcome for address, outcome in self.outcomes.items() if not outcome.accepted}


class AllRefused(SMTPClientError):
    """The server took the message for nobody.

    The code is the first recipient's that asks to try again, or else the first one's.

    :ivar result: who was refused, and why.
    """

    def __init__(self, result: SendResult) -> None:
        outcomes = result.outcomes.values()
        self.result = result
        self.default = min(outcomes, key=lambda outcome: outcome.code >= 500)  # type: ignore[misc]
        super().__init__()


async def send_mail(
    reactor: Any,
    server: ServerAddress | str,
    message: str | bytes | EmailPackageMessage[Any, Any],
    *,
    sender: Address | str | None = None,
    recipients: Recipients | None = None,
    parameters: Parameters = NO_PARAMETERS,
) -> SendResult:
    """Send one message over a connection of its own; to send many, use `SMTPSender`::

        server = ServerAddress("mail.example.org", tls="implicit")
        result = await send_mail(reactor, server, message)

    :param server: a str is its name; then TLS is required.
    :param message: an `EmailMessage`, or a whole message, header and body, as str or bytes.
        Bcc is left out; an `EmailMessage` gets a Date and a Message-ID where they lack.
    :param sender: by default who stands in Sender or From; "" for a notification.
    :param recipients: by default those in To, Cc and Bcc, all of them, however many; a
        `Recipient` has ESMTP parameters.
    :param parameters: of MAIL, as of `SMTPClient.send`.
    :raises AllRefused: nobody gets it.
    :raises SMTPClientError: one of its kinds says what went wrong before.
    :raises ValueError: the message says not who it is from or to, an address is none, what
        stands among those of the header is none, or a line of an `EmailMessage` would be longer
        than 998 octets.

    What takes longer than milliseconds to make ready is made ready in one of the reactor's
    threads; ``message`` and ``recipients`` may be changed meanwhile.
    """
    composed = await compose_apart(reactor, message, sender, recipients)
    if isinstance(server, str):
        server = ServerAddress(server)
    job = Job(Message(composed.sender, composed.recipients, composed.content, parameters))
    while True:
        made = job.message
        try:
            client = await open_client(reactor, server)
            is_done = job.take(await _send(client, made))
        except SMTPClientError as error:
            if not job.give_up(error):
                raise
            is_done = True
        if is_done or made.error is not None:  # what is lost now, its sender may try later
            return result_of(composed, job.outcomes)


async def _send(client: SMTPClient, message: Message) -> list[Outcome]:
    """Over a connection that is closed in any case, at once if nobody waits any more."""
    with aborting(client):
        outcomes = await client.submit(message)
    try:
        await client.quit()
    except CancelledError:
        client.abort()  # what the server has answered is true all the same
    return outcomes


def result_of(composed: Composed, outcomes: Sequence[Outcome]) -> SendResult:
    """:raises AllRefused:"""
    result = SendResult(dict(zip(composed.names, outcomes, strict=True)))
    if not result.accepted:
        raise AllRefused(result)
    return result
