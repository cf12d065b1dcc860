"""The values of the queue: messages on their way to other servers (RFC 5321 4.5.4)."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from mailproto.content import Content, Octets
from mailproto.model._messages import Placement
from mailproto.model._transactions import Envelope, Outcome, Recipient

__all__ = [
    "DestinationState",
    "Lease",
    "NewQueued",
    "QueueChange",
    "QueueCounts",
    "QueueFilter",
    "QueueState",
    "QueuedMessage",
    "QueuedRecipient",
    "RecipientResult",
]


class QueueState(enum.Enum):
    """What happens with a message for one recipient."""

    WAITING = "waiting"
    """It will be tried when it is due."""

    HELD = "held"
    """It waits until an operator releases it."""

    SENT = "sent"
    """Another server has taken responsibility for it."""

    FAILED = "failed"
    """It was given up."""


@dataclass(frozen=True, slots=True)
class NewQueued:
    """A message for the queue, for mailboxes here, or for both: all of it is accepted, or nothing.

    :ivar content: octets with CRLF line ends.
    :ivar envelope: with all recipients of the message.
    :ivar destinations: for each of the envelope's recipients the destination to which it goes: recipients
        with the same one may share transactions; None for one that needs no other server.
    :ivar placements: the copies for mailboxes here.
    :ivar skip: how many octets at the beginning of ``content`` are for the mailboxes only, such as a
        Return-Path field; the queue sends the rest.
    :ivar arrived: seconds since the epoch, also the internal date of the copies.
    :ivar due: when it may be tried first, in seconds since the epoch.
    :ivar expires: when it is given up, in seconds since the epoch.
    :ivar priority: -9 to 9 (RFC 6710); what is more urgent goes first.
    :ivar share: who sends it, such as an account's name or an IP address: at each destination, those who send
        take turns.
    """

    content: Octets
    envelope: Envelope
    destinations: tuple[str | None, ...]
    arrived: float
    expires: float
    placements: tuple[Placement, ...] = ()
    skip: int = 0
    due: float = 0.0
    priority: int = 0
    share: str = ""


@dataclass(frozen=True, slots=True)
class QueuedRecipient:
    """A recipient of a message in the queue.

    :ivar number: its index in the envelope's recipients.
    :ivar due: when it is tried next, in seconds since the epoch.
    :ivar attempts: how often it was tried.
    :ivar outcome: the latest reply; None before the first attempt.
    :ivar host: where that reply came from; "" if there was none.
    :ivar attempted: when it was tried last, in seconds since the epoch; None before the first attempt.
    :ivar is_reported_late: whether the sender was told of the delay.
    """

    number: int
    recipient: Recipient
    destination: str
    state: QueueState
    due: float
    attempts: int = 0
    outcome: Outcome | None = None
    host: str = ""
    attempted: float | None = None
    is_reported_late: bool = False


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A message in the queue.

    :ivar id: a number that no other message of the queue has or had.
    :ivar recipients: those that need another server; `IQueue.lease` gives only the leased ones.
    :ivar size: octets of what is sent.
    :ivar content: what is sent; None in lists.
    """

    id: int
    envelope: Envelope
    recipients: tuple[QueuedRecipient, ...]
    arrived: float
    expires: float
    priority: int
    size: int
    content: Content | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """The sole right to try some recipients of a message until a certain time.

    :ivar token: grows with each lease of the queue, so that who held an earlier one cannot settle it.
    :ivar until: seconds since the epoch; `IQueue.renew` makes it later.
    """

    token: int
    message: QueuedMessage
    until: float


@dataclass(frozen=True, slots=True)
class RecipientResult:
    """The result of an attempt for one recipient.

    :ivar number: of the recipient (`QueuedRecipient.number`).
    :ivar state: `QueueState.WAITING` to try it again, `QueueState.SENT` or `QueueState.FAILED`.
    :ivar host: who gave the outcome, for operators; "" for this server itself.
    :ivar due: when it is tried again, in seconds since the epoch, if it is.
    :ivar is_attempt: False if the recipient itself was not tried, such as when no connection was made: then
        it does not count as an attempt.
    :ivar is_reported_late: whether the sender is told of the delay with this result.
    """

    number: int
    state: QueueState
    outcome: Outcome
    host: str = ""
    due: float = 0.0
    is_attempt: bool = True
    is_reported_late: bool = False


@dataclass(frozen=True, slots=True)
class DestinationState:
    """What waits for a destination.

    :ivar due: when the first of its recipients that are waiting and not leased is due, in seconds since the
        epoch, but not before ``paused_until``.
    :ivar waiting: how many recipients are waiting, leased ones included.
    :ivar paused_until: seconds since the epoch; 0 if it is not paused.
    :ivar failures: how often in a row it could not be reached.
    :ivar reason: why it is paused, for operators.
    """

    destination: str
    due: float
    waiting: int
    paused_until: float = 0.0
    failures: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """Which messages an operator means: those that fit everything that is given.

    :ivar ids: None for any.
    :ivar sender: a part of the reverse-path, in any case of letters; "<>" for the null path.
    :ivar recipient: a part of a recipient's address, in any case of letters.
    :ivar domain: the domain of a recipient, in any spelling.
    :ivar destination: of a recipient.
    :ivar state: of a recipient.
    :ivar is_deferred: whether a recipient was tried in vain.
    :ivar arrived_before: seconds since the epoch.
    """

    ids: Sequence[int] | None = None
    sender: str = ""
    recipient: str = ""
    domain: str = ""
    destination: str = ""
    state: QueueState | None = None
    is_deferred: bool | None = None
    arrived_before: float | None = None


class QueueChange(enum.Enum):
    """What an operator can do with a message."""

    HOLD = "hold"
    """Do not try its waiting recipients any more."""

    RELEASE = "release"
    """Try its held recipients again, at once."""

    RETRY = "retry"
    """Try its waiting recipients at once, even if their destinations are paused."""

    DELETE = "delete"
    """Remove it; nobody is told."""


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """How much is in a queue.

    :ivar due: recipients that are waiting and could be tried now.
    :ivar deferred: recipients that are waiting and were tried in vain.
    :ivar octets: of the messages.
    :ivar oldest: when the oldest message arrived, in seconds since the epoch; None if there is none.
    """

    messages: int
    waiting: int
    due: int
    deferred: int
    held: int
    leased: int
    octets: int
    oldest: float | None
