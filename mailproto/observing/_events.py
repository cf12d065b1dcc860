"""The events: frozen values, one class for each method of `IObserver`.

Sizes are in octets, times in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mailproto.errors import MailError, Unavailable
from mailproto.model import Address, Envelope, Outcome, Recipient
from mailproto.observing._client import Client

__all__ = [
    "Accepted",
    "Appended",
    "Connected",
    "Delivered",
    "Disconnected",
    "Refusal",
    "SignInRefused",
    "SignedIn",
    "Stalled",
    "TurnedAway",
]


@dataclass(frozen=True, slots=True)
class Connected:
    """A client has connected, and is served.

    If a proxy names its client only later (XCLIENT, and Twisted's ``haproxy:`` endpoints), this event has the
    proxy's address, and later ones have the client's.
    """

    client: Client


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """A client has connected, and is not served: there are too many, or the server is stopping."""

    client: Client
    reason: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A client has signed in.

    :ivar account: the account's name, as it is stored.
    :ivar mechanism: the SASL mechanism; or the command ``LOGIN`` (IMAP), ``USER`` (POP3) or ``XCLIENT``.
    """

    client: Client
    account: str
    mechanism: str


@dataclass(frozen=True, slots=True)
class SignInRefused:
    """A client has failed to sign in.

    :ivar mechanism: as in `SignedIn`.
    :ivar name: the name as the client gave it; "" if it gave none.  People type passwords there by mistake.
    :ivar error: why; its ``detail`` was not told to the client.
    """

    client: Client
    mechanism: str
    name: str
    error: MailError


class Accepted(NamedTuple):
    """The whole content of a message was received, and the delivery took it for at least one recipient.

    For SMTP, the client gets its 250 next.

    :ivar outcomes: one for each of ``envelope.recipients``; some may be refusals.
    :ivar size: of the content as the client sent it.
    :ivar message_id: the Message-ID field, or "".
    :ivar seconds: from the end of the content to the delivery's answer.
    """

    # A tuple, because there is one for each message: it is made in a fifth of a dataclass's time.
    client: Client
    envelope: Envelope
    outcomes: Sequence[Outcome]
    size: int
    message_id: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A command, a message or the client itself was refused; or a command failed.

    Failed sign-ins have their own event.  Lines that are no valid command have none, except MAIL, RCPT and
    XCLIENT: `Disconnected.counts` has their number.

    :ivar reply: what the client was told, in SMTP with its codes; or why the connection ended.
    :ivar code: the SMTP reply code.  In IMAP and POP3, it is that of the same error in SMTP: from 400 if
        the client may try again, from 500 if not.  0 if there is none.
    :ivar enhanced: the enhanced status code (RFC 3463); in IMAP and POP3 likewise.
    :ivar detail: what the client was not told.
    :ivar command: the command; "" if the client itself was refused.
    :ivar sender: of the transaction, if there is one.
    :ivar recipient: of a refused RCPT.
    :ivar envelope: of a message that was received, and was refused for all recipients; or else None.
    :ivar outcomes: then, one for each recipient.
    :ivar size: then, of the content as the client sent it; ``message_id`` and ``seconds`` as in `Accepted`.
    :ivar is_fault: whether the cause is a failure of this server, and not the client or the message.
    """

    client: Client
    reply: str
    code: int = 0
    enhanced: str = ""
    detail: str = ""
    command: str = ""
    sender: Address | None = None
    recipient: Address | None = None
    envelope: Envelope | None = None
    outcomes: Sequence[Outcome] = ()
    size: int = 0
    message_id: str = ""
    seconds: float = 0.0
    is_fault: bool = False

    @classmethod
    def of_error(cls, client: Client, command: str, error: MailError) -> Refusal:
        """The refusal of a command of IMAP or POP3."""
        is_fault = isinstance(error, Unavailable)
        return cls(client, error.text, error.code, error.enhanced, error.detail, command, is_fault=is_fault)

    @classmethod
    def of_outcome(
        cls,
        client: Client,
        outcome: Outcome,
        command: str,
        *,
        sender: Address | None = None,
        recipient: Address | None = None,
        detail: str = "",
    ) -> Refusal:
        """The refusal of a command of SMTP; X.3.X is a failure of the server (RFC 3463 3.4)."""
        return cls(
            client,
            f"{outcome.code} {outcome.enhanced} {outcome.text}",
            outcome.code,
            outcome.enhanced,
            detail or outcome.detail,
            command,
            sender,
            recipient,
            is_fault=outcome.enhanced.startswith("4.3."),
        )

    @classmethod
    def of_message(cls, message: Accepted, answer: Outcome) -> Refusal:
        """The refusal of a whole message.

        :param message: what it would be if it had been accepted.
        :param answer: the reply for all recipients together.
        """
        return cls(
            message.client,
            f"{answer.code} {answer.enhanced} {answer.text}",
            answer.code,
            answer.enhanced,
            answer.detail,
            "",
            message.envelope.sender,
            None,
            message.envelope,
            message.outcomes,
            message.size,
            message.message_id,
            message.seconds,
            answer.enhanced.startswith("4.3."),
        )


@dataclass(frozen=True, slots=True)
class Delivered:
    """The outcome of a received message for one recipient, good or bad.

    It comes after the `Accepted` or the `Refusal` of the message.

    :ivar outcome: ``accepted`` tells whether the delivery took the message for this recipient.
    :ivar is_told: False if the client does not learn of a refusal: SMTP has one reply for all recipients, and
        it was 250 because of others.  Then nobody tells the sender, unless the delivery does
        (`mailproto.delivery.bounce`); it does if it offers DSN, so this is True then.
    """

    client: Client
    envelope: Envelope
    recipient: Recipient
    outcome: Outcome
    is_told: bool = True


@dataclass(frozen=True, slots=True)
class Appended:
    """A client has put a message into a mailbox (IMAP's APPEND)."""

    client: Client
    mailbox: str
    uid: int
    size: int


@dataclass(frozen=True, slots=True)
class Stalled:
    """A connection has held the reactor for more than 50 ms at a time: all others had to wait.

    :ivar command: the command; "" if it was something else, such as a timer or the connection's end.
    :ivar seconds: how long.
    :ivar cpu_seconds: for how much of this the reactor's thread used a processor.  For the rest it waited:
        for a disk, for another thread, or because the machine was busy with other programs.
    """

    client: Client
    command: str
    seconds: float
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Disconnected:
    """A connection has ended.

    :ivar reason: such as ``quit``, ``closed by the client`` or ``idle too long``.
    :ivar seconds: how long it lasted.
    :ivar octets_in: what the client sent, inside TLS before encryption.
    :ivar octets_out: what was sent to it, likewise.
    :ivar counts: by name: ``taken``, ``errors`` and ``unfinished`` (SMTP), ``commands`` (IMAP),
        ``retrieved`` and ``removed`` (POP3).
    """

    client: Client
    reason: str
    seconds: float
    octets_in: int = 0
    octets_out: int = 0
    counts: Mapping[str, str | int] = field(default_factory=dict)
