"""The values of the queue: messages on their way to other servers (RFC 5321 4.5.4)."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from mailproto._arguments import (
    check_bool,
    check_line,
    check_seconds,
    check_type,
    check_whole,
    wrong_type,
    wrong_value,
)
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

    :ivar content: octets with CRLF line ends; any octets if they are only for other servers, and the envelope
        says ``BODY=BINARYMIME``.
    :ivar envelope: with all recipients of the message.
    :ivar destinations: for each of the envelope's recipients the destination to which it goes: recipients
        with the same one may share transactions; None for one that needs no other server.  If all are None,
        the message is not queued.
    :ivar placements: the copies for mailboxes here.
    :ivar skip: how many octets at the beginning of ``content`` are for the mailboxes only, such as a
        Return-Path field; the queue sends the rest.
    :ivar arrived: seconds since the epoch, also the internal date of the copies.
    :ivar due: when it may be tried first, in seconds since the epoch.
    :ivar expires: when it is given up, in seconds since the epoch.
    :ivar notice: when its sender is to be told that it is late, also if no server can be reached, in seconds
        since the epoch; 0 for never.
    :ivar priority: -9 to 9 (RFC 6710); what is more urgent goes first.
    :ivar share: who sends it, such as an account's name or an IP address: at each destination, those who send
        take turns.
    :raises TypeError: a value is of the wrong type.
    :raises ValueError: a number or a time is out of its range, there is not one destination for each
        recipient, or a destination or the share is no line of text.
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
    notice: float = 0.0

    def __post_init__(self) -> None:
        # One is made for each message: what the server makes is checked without calls of our own.
        if not (
            self.content.__class__ in _OCTETS
            and self.envelope.__class__ is Envelope
            and self.destinations.__class__ is tuple
            and len(self.destinations) == len(self.envelope.recipients)
            and all(
                text is None or (text.__class__ is str and text and text.isprintable())
                for text in self.destinations
            )
            and self.placements.__class__ is tuple
            and _PLACEMENTS.issuperset(map(type, self.placements))
            and _NUMBERS.issuperset(
                (self.arrived.__class__, self.expires.__class__, self.due.__class__, self.notice.__class__)
            )
            and 0 <= self.arrived < _FOREVER
            and 0 <= self.expires < _FOREVER
            and 0 <= self.due < _FOREVER
            and 0 <= self.notice < _FOREVER
            and self.skip.__class__ is int
            and 0 <= self.skip <= len(self.content)
            and self.priority.__class__ is int
            and -9 <= self.priority <= 9
            and self.share.__class__ is str
            and self.share.isprintable()
        ):
            self._check()

    def _check(self) -> None:
        hint = "write text.encode()" if isinstance(self.content, str) else ""
        check_type("content", self.content, (bytes, Content), "octets or a Content", hint)
        check_type("envelope", self.envelope, Envelope, "an Envelope")
        takes = "a tuple with a str or None for each of the envelope's recipients"
        check_type("destinations", self.destinations, tuple, takes)
        if len(self.destinations) != len(self.envelope.recipients):
            raise wrong_value("destinations", self.destinations, takes)
        for destination in self.destinations:
            if destination is not None:
                _check_text("each of destinations", destination)
                if not destination:
                    raise wrong_value("each of destinations", destination, "a str that is not empty, or None")
        takes = "a tuple of Placement"
        check_type("placements", self.placements, tuple, takes)
        if not all(isinstance(each, Placement) for each in self.placements):
            raise wrong_type("placements", self.placements, takes)
        for name in ("arrived", "expires", "due", "notice"):
            check_seconds(name, getattr(self, name))
        check_whole("skip", self.skip)
        if self.skip > len(self.content):
            raise wrong_value("skip", self.skip, f"at most the content's {len(self.content)} octets")
        takes = "a whole number from -9 to 9"
        if not isinstance(self.priority, int) or isinstance(self.priority, bool):
            raise wrong_type("priority", self.priority, takes)
        if not -9 <= self.priority <= 9:
            raise wrong_value("priority", self.priority, takes)
        _check_text("share", self.share)


_OCTETS = {bytes, Content}
_PLACEMENTS = {Placement}
_NUMBERS = {float, int}
_FOREVER = 1e15  # as in `check_seconds`


def _check_text(name: str, value: object) -> None:
    """:raises TypeError, ValueError: it is no text of one line that every database can keep."""
    check_line(name, value)
    try:
        str(value).encode()
    except UnicodeError:
        raise wrong_value(name, value, "a str without surrogates") from None


@dataclass(frozen=True, slots=True)
class QueuedRecipient:
    """A recipient of a message in the queue.

    :ivar number: its index in the envelope's recipients.
    :ivar due: when it is tried next, in seconds since the epoch.
    :ivar attempts: how often it was tried.
    :ivar outcome: the latest result; None before the first one.
    :ivar host: where that came from; "" if it was this server itself.
    :ivar attempted: when it was leased for the latest attempt, in seconds since the epoch; None before the
        first attempt.
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

    def __post_init__(self) -> None:
        # One is made for each lease of a recipient.
        if not (
            self.number.__class__ is int
            and self.recipient.__class__ is Recipient
            and self.destination.__class__ is str
            and self.state.__class__ is QueueState
            and self.due.__class__ in _NUMBERS
            and self.outcome.__class__ in _OUTCOMES
        ):
            check_whole("number", self.number)
            check_type("recipient", self.recipient, Recipient, "a Recipient")
            check_type("destination", self.destination, str, "a str")
            check_type("state", self.state, QueueState, "a QueueState")
            check_seconds("due", self.due)
            check_type("outcome", self.outcome, (Outcome, type(None)), "an Outcome or None")


_OUTCOMES = {Outcome, type(None)}


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A message in the queue.

    :ivar id: a number that no other message of the queue has or had.
    :ivar recipients: those that need another server; `IQueue.lease` gives only the leased ones.
    :ivar size: octets of what is sent.
    :ivar content: what is sent; None in lists.  If its octets have been lost, such as by a damaged disk, it
        raises OSError when it is read.
    """

    id: int
    envelope: Envelope
    recipients: tuple[QueuedRecipient, ...]
    arrived: float
    expires: float
    priority: int
    size: int
    content: Content | None = None

    def __post_init__(self) -> None:
        if not (
            self.id.__class__ is int
            and self.envelope.__class__ is Envelope
            and self.recipients.__class__ is tuple
            and self.content.__class__ in _CONTENTS
        ):
            check_whole("id", self.id)
            check_type("envelope", self.envelope, Envelope, "an Envelope")
            check_type("recipients", self.recipients, tuple, "a tuple of QueuedRecipient")
            hint = "write Content(octets)" if isinstance(self.content, bytes) else ""
            check_type("content", self.content, (Content, type(None)), "a Content or None", hint)


_CONTENTS = {Content, type(None)}


@dataclass(frozen=True, slots=True)
class Lease:
    """The sole right to try some recipients of a message until a certain time.

    :ivar token: grows with each lease of the queue, so that who held an earlier one cannot settle it.
    :ivar until: seconds since the epoch; `IQueue.renew` makes it later.
    """

    token: int
    message: QueuedMessage
    until: float

    def __post_init__(self) -> None:
        if not (
            self.token.__class__ is int
            and self.message.__class__ is QueuedMessage
            and self.until.__class__ in _NUMBERS
        ):
            check_whole("token", self.token)
            check_type("message", self.message, QueuedMessage, "a QueuedMessage")
            check_seconds("until", self.until)


@dataclass(frozen=True, slots=True)
class RecipientResult:
    """The result of an attempt for one recipient.

    :ivar number: of the recipient (`QueuedRecipient.number`).
    :ivar state: `QueueState.WAITING` to try it again, `QueueState.SENT` or `QueueState.FAILED`.
    :ivar host: who gave the outcome, for operators; "" for this server itself.
    :ivar due: when it is tried again, in seconds since the epoch, if it is.
    :ivar is_attempt: False if the recipient itself was not tried, such as when no connection was made: then
        it does not count as an attempt.
    :ivar is_reported_late: whether the sender is told of the delay with this result; if that was said once of
        a recipient, it stays so.
    :raises TypeError: a value is of the wrong type.
    :raises ValueError: ``state`` is `QueueState.HELD`, or a number is out of its range.
    """

    number: int
    state: QueueState
    outcome: Outcome
    host: str = ""
    due: float = 0.0
    is_attempt: bool = True
    is_reported_late: bool = False

    def __post_init__(self) -> None:
        # One is made for each recipient of each attempt.
        if not (
            self.number.__class__ is int
            and self.number >= 0
            and self.state in _RESULTS
            and self.outcome.__class__ is Outcome
            and self.host.__class__ is str
            and self.due.__class__ in _NUMBERS
            and 0 <= self.due < _FOREVER
            and self.is_attempt.__class__ is bool
            and self.is_reported_late.__class__ is bool
        ):
            check_whole("number", self.number)
            takes = "QueueState.WAITING, QueueState.SENT or QueueState.FAILED"
            check_type("state", self.state, QueueState, takes)
            if self.state not in _RESULTS:
                raise wrong_value("state", self.state, takes)
            check_type("outcome", self.outcome, Outcome, "an Outcome")
            check_type("host", self.host, str, "a str")
            check_seconds("due", self.due)
            check_bool("is_attempt", self.is_attempt)
            check_bool("is_reported_late", self.is_reported_late)


_RESULTS = (QueueState.WAITING, QueueState.SENT, QueueState.FAILED)


@dataclass(frozen=True, slots=True)
class DestinationState:
    """What waits for a destination.

    :ivar due: when it should be tried next, in seconds since the epoch: when the first of its waiting
        recipients is due, or the lease of one runs out, but not before ``paused_until``.  While more of them
        are due than were leased, it is the time of the latest lease, so that destinations take turns.
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

    def __post_init__(self) -> None:
        check_type("destination", self.destination, str, "a str")
        check_seconds("due", self.due)
        check_whole("waiting", self.waiting)
        check_seconds("paused_until", self.paused_until)
        check_whole("failures", self.failures)
        check_type("reason", self.reason, str, "a str")


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """Which messages an operator means: those that fit everything that is given.

    :ivar ids: None for any.
    :ivar sender: a part of the reverse-path, in any case of letters; "<>" for the null path.
    :ivar recipient: a part of a recipient's address, in any case of letters.
    :ivar domain: the domain of a recipient, in any spelling.
    :ivar destination: of a recipient.
    :ivar state: of a recipient.
    :ivar is_deferred: whether a recipient that is waiting or held has a result already.
    :ivar arrived_before: seconds since the epoch.

    What is said of a recipient must all be true of one and the same recipient.
    """

    ids: Sequence[int] | None = None
    sender: str = ""
    recipient: str = ""
    domain: str = ""
    destination: str = ""
    state: QueueState | None = None
    is_deferred: bool | None = None
    arrived_before: float | None = None

    def __post_init__(self) -> None:
        for name in ("sender", "recipient", "domain", "destination"):
            check_type(name, getattr(self, name), str, "a str")
        if self.ids is not None:
            if isinstance(self.ids, (str, bytes)) or not isinstance(self.ids, Sequence):
                raise wrong_type("ids", self.ids, "a list of numbers, or None")
            for id in self.ids:
                check_whole("each of ids", id)
        check_type("state", self.state, (QueueState, type(None)), "a QueueState or None")
        if self.is_deferred is not None:
            check_bool("is_deferred", self.is_deferred)
        if self.arrived_before is not None:
            check_seconds("arrived_before", self.arrived_before)


class QueueChange(enum.Enum):
    """What an operator can do with a message."""

    HOLD = "hold"
    """Do not try its waiting recipients any more; an attempt that is being made is still settled."""

    RELEASE = "release"
    """Try its held recipients again, at once."""

    RETRY = "retry"
    """Try its waiting recipients at once; pauses of their destinations end."""

    DELETE = "delete"
    """Remove it; nobody is told."""


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """How much is in a queue.

    :ivar due: recipients that are waiting and could be leased now, at destinations that are not paused.
    :ivar deferred: recipients that are waiting and have a result already.
    :ivar octets: of the messages.
    :ivar oldest: when the first of the messages arrived that were added, in seconds since the epoch; None if
        there is none.
    """

    messages: int
    waiting: int
    due: int
    deferred: int
    held: int
    leased: int
    octets: int
    oldest: float | None

    def __post_init__(self) -> None:
        for name in ("messages", "waiting", "due", "deferred", "held", "leased", "octets"):
            check_whole(name, getattr(self, name))
        if self.oldest is not None:
            check_seconds("oldest", self.oldest)
