"""`send_mail`: one call that sends one message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message as EmailPackageMessage
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from mailproto._arguments import check_bool, check_parameters, check_type
from mailproto._twisted_arguments import check_clock
from mailproto.client import ServerAddress
from mailproto.client.base import Job, aborting
from mailproto.client.errors import ClientError
from mailproto.model import NO_PARAMETERS, Address, Outcome, Parameters
from mailproto.smtp.client._client import SMTPClient
from mailproto.smtp.client._composing import Composed, Recipients, compose_in_thread
from mailproto.smtp.client._lmtp import LMTPClient
from mailproto.smtp.client._message import Message
from mailproto.smtp.client._outcomes import outcome_of
from mailproto.smtp.client._own_name import check_own_name
from mailproto.smtp.client._timeouts import SMTPTimeouts, checked_timeouts
from mailproto.typing import Reactor

__all__ = ["AllRefused", "SendJob", "SendResult", "checked_server", "result_of", "send_mail"]


@dataclass(frozen=True, slots=True)
class SendResult:
    """The result of sending a message.

    :ivar outcomes: an outcome for each address, in the order in which they were given, without duplicates.
    """

    outcomes: Mapping[str, Outcome]

    @property
    def accepted(self) -> list[str]:
        """The addresses for which the server took the message."""
        return [address for address, outcome in self.outcomes.items() if outcome.accepted]

    @property
    def refused(self) -> dict[str, Outcome]:
        """The addresses for which the server did not take the message, each with the reason."""
        return {address: outcome for address, outcome in self.outcomes.items() if not outcome.accepted}


class AllRefused(ClientError):
    """The server took the message for none of the recipients.

    :ivar outcome: the first temporary failure, or else the first failure.
    :ivar result: the outcomes of all recipients.
    """

    def __init__(self, result: SendResult) -> None:
        self.result = result
        self.outcome = min(result.outcomes.values(), key=lambda outcome: outcome.code >= 500)
        outcome = self.outcome
        super().__init__(f"{outcome.code} {outcome.enhanced} {outcome.text}")
        self.code, self.enhanced, self.text, self.detail = outcome.code, outcome.enhanced, outcome.text, ""

    @property
    def is_permanent(self) -> bool:
        """Whether all failures are permanent, so that sending again would fail, too."""
        return self.outcome.code >= 500


class SendJob(Job[SMTPClient]):
    """A message that may need several connections.

    :ivar message: the message for the next connection.
    """

    __slots__ = ("_indexes", "_is_begun", "_loss", "_outcomes", "message")

    def __init__(self, message: Message) -> None:
        super().__init__()
        self.message = message
        self._loss: ClientError | None = None
        self._outcomes: list[Outcome | None] = [None] * len(message.recipients)
        self._is_begun = False  # whether some recipients have outcomes
        # The indexes of the message's recipients among all recipients.
        self._indexes: Sequence[int] = range(len(message.recipients))

    @property
    def outcomes(self) -> list[Outcome]:
        """The outcomes of all recipients that have one."""
        return [each for each in self._outcomes if each is not None]

    def begin(self, client: SMTPClient) -> Deferred[list[Outcome]]:
        """Send the message to the recipients without outcomes."""
        return client._session.submit(self.message)

    def note(self, outcomes: Sequence[Outcome]) -> bool:
        """Note the outcomes from one connection; False if another connection may send to the rest."""
        for index, outcome in zip(self._indexes, outcomes, strict=True):
            self._outcomes[index] = outcome
        self._loss = self.message.error
        left = self.message.untried
        if not left:
            return True
        self._is_begun = self._is_begun or len(left) < len(outcomes)
        self._indexes = [self._indexes[at] for at in left]
        self.message = self.message.retry(left)
        return False

    def take(self, value: list[Outcome]) -> bool:
        """`note` the outcomes, and give the result if there are all."""
        if not self.note(value):
            return False
        self.complete()
        return True

    @property
    def is_answered(self) -> bool:
        """Whether there was a reply about the message."""
        return self.message.is_answered

    @property
    def loss(self) -> ClientError | None:
        """The error with which the last connection was lost before the content was sent, or None."""
        return self._loss

    def may_be_repeated(self) -> bool:
        """True: a message that may have been delivered has outcomes, and does not fail."""
        return True

    def withdraw(self, client: SMTPClient) -> bool:
        """Stop the message; False if it may still be delivered."""
        return client._session.withdraw(self.message)

    @property
    def is_owed(self) -> bool:
        """Whether the server still owes replies to the commands of the withdrawn message."""
        return self.message.is_withdrawn

    def renew(self) -> None:
        """Make a new message for another connection."""
        self.message = self.message.retry()

    def settle(self, error: ClientError) -> bool:
        """Give the remaining recipients an outcome for the error; False if no recipient has another."""
        if self._is_begun:
            for index in self._indexes:
                self._outcomes[index] = outcome_of(error)
        return self._is_begun

    def complete(self) -> None:
        """Give the outcomes; each recipient has one."""
        self.finish(self.outcomes)


async def send_mail(
    reactor: Reactor,
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

    :param reactor: the reactor; its threads are used for large messages.
    :param server: the server's address; a str is a host name, and TLS is required then.
    :param message: an `EmailMessage`, or a whole message, header and body, as str or bytes.
        Bcc is left out; an `EmailMessage` gets a Date and a Message-ID if they are missing.
    :param sender: by default, the address in Sender or From; "" for a notification.
    :param recipients: by default, all addresses in To, Cc and Bcc; a `Recipient` has ESMTP parameters.
    :param parameters: the parameters of MAIL, as in `SMTPClient.send`.
    :param lmtp: whether the server speaks LMTP.
    :param hostname: this client's name in EHLO; by default, this machine's name or address.
    :param timeouts: how long the server may take for each step; by default, `SMTPTimeouts` as they are.
    :returns: the outcome of each recipient; at least one was accepted.
    :raises AllRefused: the server took the message for no recipient.
    :raises ClientError: no message could be sent; the subclass says why.
    :raises ValueError: there is no sender or no recipient, something is not an address (also in the
        header), or a line of an `EmailMessage` would be longer than 998 octets.
    :raises TypeError: an argument is of the wrong type.

    A message that takes longer than milliseconds to prepare is prepared in one of the reactor's
    threads.  The caller may change ``message`` and ``recipients`` while this waits.
    """
    check_clock("reactor", reactor)
    server = checked_server(server)
    check_own_name(hostname)
    timeouts = checked_timeouts(timeouts)
    check_bool("lmtp", lmtp)
    check_parameters("parameters", parameters)
    composed = await compose_in_thread(reactor, message, sender, recipients)
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
        if is_done or made.error is not None:  # an interrupted message is left to the caller to send again
            return result_of(composed, job.outcomes)


def checked_server(server: ServerAddress | str) -> ServerAddress:
    """The value of a parameter; a str is a host's name.

    :raises TypeError: it is neither.
    :raises ValueError: the str is no host's name.
    """
    if isinstance(server, str):
        return ServerAddress(server)
    check_type("server", server, ServerAddress, "a ServerAddress or a host's name")
    return server


async def _send(client: SMTPClient, job: SendJob) -> list[Outcome]:
    """Send over a connection, and close it in any case; at once if the caller has cancelled."""
    with aborting(client):
        outcomes = await job.begin(client)
    with suppress(CancelledError), aborting(client):
        await client.quit()  # if the caller cancels now, the server's replies stay valid
    return outcomes


def result_of(composed: Composed, outcomes: Sequence[Outcome]) -> SendResult:
    """:raises AllRefused:"""
    result = SendResult(dict(zip(composed.names, outcomes, strict=True)))
    if not result.accepted:
        raise AllRefused(result)
    return result
