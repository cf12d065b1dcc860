"""One call for applications."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from typing import Any

from mailproto.model import NO_PARAMETERS, Address, Outcome, Parameters
from mailproto.smtp.client._composing import Composed, compose
from mailproto.smtp.client._errors import SMTPClientError
from mailproto.smtp.client._mail_server import MailServer, open_client

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
    server: MailServer | str,
    message: str | bytes | Message[Any, Any],
    *,
    sender: Address | str | None = None,
    recipients: Sequence[Address | str] | Address | str | None = None,
    parameters: Parameters = NO_PARAMETERS,
) -> SendResult:
    """Send one message over a connection of its own; to send many, use `SMTPSender`::

        server = MailServer("mail.example.org", tls="implicit")
        result = await send_mail(reactor, server, message)

    :param server: a str is its name; then TLS is required.
    :param message: an `EmailMessage`, or a whole message, header and body, as str or bytes.
        Bcc is left out; an `EmailMessage` gets a Date and a Message-ID where they lack.
    :param sender: by default who stands in Sender or From; "" for a notification.
    :param recipients: by default those in To, Cc and Bcc.
    :param parameters: of MAIL, as of `SMTPClient.send`.
    :raises AllRefused: nobody gets it.
    :raises SMTPClientError: one of its kinds says what went wrong before.
    :raises ValueError: the message says not who it is from or to, or an address is none.
    """
    composed = compose(message, sender, recipients, reactor.seconds())
    client = await open_client(reactor, MailServer(server) if isinstance(server, str) else server)
    try:
        outcomes = await client.send(composed.sender, composed.recipients, composed.content, parameters)
    finally:
        await client.quit()
    return result_of(composed, outcomes)


def result_of(composed: Composed, outcomes: Sequence[Outcome]) -> SendResult:
    """:raises AllRefused:"""
    result = SendResult(dict(zip(map(str, composed.recipients), outcomes, strict=True)))
    if not result.accepted:
        raise AllRefused(result)
    return result
