"""One call for applications."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import Message as EmailPackageMessage
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from mailproto.client import ClientError, Job, ServerAddress, aborting
from mailproto.model import NO_PARAMETERS, Address, Outcome, Parameters
from mailproto.smtp.client._client import LMTPClient, SMTPClient
from mailproto.smtp.client._composing import Composed, Recipients, compose_in_thread
from mailproto.smtp.client._message import Message
from mailproto.smtp.client._outcomes import outcome_of
from mailproto.smtp.client._own_name import check_own_name
from mailproto.smtp.client._timeouts import SMTPTimeouts

__all__ = ["AllRefused", "SendJob", "SendResult", "result_of", "send_mail"]


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


class AllRefused(ClientError):
    """The server took the message for no recipient.

    :ivar outcome: the first one that asks to try again, or else the first one.
    :ivar result: who was refused, and why.
    """

    def __init__(self, result: SendResult) -> None:
        self.result = result
        self.outcome = min(result.outcomes.values(), key=lambda outcome: outcome.code >= 500)
        super().__init__(f"{self.outcome.code} {self.outcome.enhanced} {self.outcome.text}")

    @property
    def is_permanent(self) -> bool:
        """Whether trying again is of no use for any recipient."""
        return self.outcome.code >= 500


class SendJob(Job[SMTPClient]):
    """A message that may need more than one connection.

    :ivar message: what the next connection is given.
    """

    __slots__ = ("_is_begun", "_loss", "_outcomes", "_places", "message")

    def __init__(self, message: Message) -> None:
        super().__init__()
        self.message = message
        self._loss: ClientError | None = None
        self._outcomes: list[Outcome | None] = [None] * len(message.recipients)
        self._is_begun = False  # some have an outcome
        self._places: Sequence[int] = range(len(message.recipients))  # of the message's, in those

    @property
    def outcomes(self) -> list[Outcome]:
        """Of all recipients that have one."""
        return [each for each in self._outcomes if each is not None]

    def begin(self, client: SMTPClient) -> Deferred[list[Outcome]]:
        """Send the message, or what is left of its recipients."""
        return client._session.submit(self.message)

    def note(self, outcomes: Sequence[Outcome]) -> bool:
        """Note what one connection has achieved; False if another one may go on with what is left."""
        for place, outcome in zip(self._places, outcomes, strict=True):
            self._outcomes[place] = outcome
        self._loss = self.message.error
        left = self.message.untried
        if not left:
            return True
        self._is_begun = self._is_begun or len(left) < len(outcomes)
        self._places = [self._places[at] for at in left]
        self.message = self.message.retry(left)
        return False

    def take(self, value: list[Outcome]) -> bool:
        """`note` it, and tell if it is all."""
        if not self.note(value):
            return False
        self.complete()
        return True

    @property
    def is_answered(self) -> bool:
        """Whether the server has said anything about the message."""
        return self.message.is_answered

    @property
    def loss(self) -> ClientError | None:
        """What the last connection was lost with, before the content was sent."""
        return self._loss

    def may_be_repeated(self) -> bool:
        """True: a message of which something may have been delivered has outcomes instead."""
        return True

    def withdraw(self, client: SMTPClient) -> bool:
        """Have it not sent; False if it may be delivered all the same."""
        return client._session.withdraw(self.message)

    @property
    def is_owed(self) -> bool:
        """Whether the server owes answers to the commands of a message that was withdrawn."""
        return self.message.is_withdrawn

    def renew(self) -> None:
        """Another connection needs a message of which nothing was heard."""
        self.message = self.message.retry()

    def settle(self, error: ClientError) -> bool:
        """Have the error for an outcome of those who are left; False if they are all."""
        if self._is_begun:
            for place in self._places:
                self._outcomes[place] = outcome_of(error)
        return self._is_begun

    def complete(self) -> None:
        """Tell the outcomes; all are there."""
        self.finish(self.outcomes)


async def send_mail(
    reactor: Any,
    server: ServerAddress | str,
    message: str | bytes | EmailPackageMessage[Any, Any],
    *,
    sender: Address | str | None = None,
    recipients: Recipients | None = None,
    parameters: Parameters = NO_PARAMETERS,
    lmtp: bool = False,
    hostname: str = "",
    timeouts: SMTPTimeouts | None = None,
) -> SendResult:
    """Send one message over a connection of its own; to send many, use `SMTPSender`::

        server = ServerAddress("mail.example.org", tls="implicit")
        result = await send_mail(reactor, server, message)

    :param server: a str is its name; then TLS is required.
    :param message: an `EmailMessage`, or a whole message, header and body, as str or bytes.
        Bcc is left out; an `EmailMessage` gets a Date and a Message-ID where they are missing.
    :param sender: by default who stands in Sender or From; "" for a notification.
    :param recipients: by default those in To, Cc and Bcc, all of them, however many; a
        `Recipient` has ESMTP parameters.
    :param parameters: of MAIL, as of `SMTPClient.send`.
    :param lmtp: whether the server speaks LMTP.
    :param hostname: what we call ourselves; by default this machine's name or address.
    :raises AllRefused: no recipient gets it.
    :raises ClientError: one of its kinds says what went wrong before.
    :raises ValueError: the message says not who it is from or to, an address is none, what
        stands among those of the header is none, or a line of an `EmailMessage` would be longer
        than 998 octets.

    What takes longer than milliseconds to make ready is made ready in one of the reactor's
    threads; ``message`` and ``recipients`` may be changed meanwhile.
    """
    check_own_name(hostname)
    composed = await compose_in_thread(reactor, message, sender, recipients)
    if isinstance(server, str):
        server = ServerAddress(server)
    job = SendJob(Message(composed.sender, composed.recipients, composed.content, parameters))
    kind = LMTPClient if lmtp else SMTPClient
    while True:
        made = job.message
        try:
            client = await kind.open(reactor, server, hostname=hostname, timeouts=timeouts)
            is_done = job.note(await _send(client, job))
        except ClientError as error:
            if not job.settle(error):
                raise
            is_done = True
        if is_done or made.error is not None:  # what is lost now, its sender may try later
            return result_of(composed, job.outcomes)


async def _send(client: SMTPClient, job: SendJob) -> list[Outcome]:
    """Over a connection that is closed in any case, at once if the result is not waited for any more."""
    with aborting(client):
        outcomes = await job.begin(client)
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
