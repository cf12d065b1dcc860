"""A destination while the relay has messages for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from mailproto.content import Content
from mailproto.model import Lease, Outcome, QueuedRecipient
from mailproto.relay._concurrency import Concurrency
from mailproto.relay._limits import RelayLimits

if TYPE_CHECKING:
    from mailproto.relay._carrier import Carrier

__all__ = ["Destination", "Held", "Lane", "LaneKey", "Result"]


class Result(NamedTuple):
    """The outcome for one recipient, and where it came from.

    :ivar host: the server; "" for this one.
    :ivar is_attempt: whether something was sent to the server about this recipient.
    :ivar has_dsn: whether the server sends reports itself (RFC 3461).
    :ivar has_deliver_by: whether it knows deadlines (RFC 2852).
    :ivar is_final: whether it puts the message into mailboxes (LMTP).
    """

    outcome: Outcome
    host: str = ""
    address: str = ""
    tls: str = ""
    is_attempt: bool = True
    has_dsn: bool = False
    has_deliver_by: bool = False
    is_final: bool = False


class LaneKey(NamedTuple):
    """What messages have in common that may share a connection.

    :ivar require_tls: as in `Exchanges.find`.
    :ivar tried: servers that do not want them now.
    """

    require_tls: bool | None = None
    tried: frozenset[Hashable] = frozenset()


class Held:
    """A leased message.

    :ivar results: by the recipients' indexes in the lease; None where there is none yet.
    :ivar refusal: what the last server that did not want it said; None if there is none.
    :ivar losses: how many new connections were lost before there was a reply about it.
    :ivar converted: the message with 7-bit octets, once a server needed that.
    :ivar is_lost: whether the lease is somebody else's by now.
    """

    __slots__ = ("converted", "destination", "is_lost", "lane", "lease", "losses", "refusal", "results")

    def __init__(self, lease: Lease, destination: Destination, lane: LaneKey) -> None:
        self.lease = lease
        self.destination = destination
        self.lane = lane
        self.results: list[Result | None] = [None] * len(lease.message.recipients)
        self.refusal: Result | None = None
        self.losses = 0
        self.converted: Content | None = None
        self.is_lost = False

    @property
    def priority(self) -> int:
        """How urgent the message is."""
        return self.lease.message.priority

    @property
    def has_results(self) -> bool:
        """Whether some recipients have a result."""
        return self.results.count(None) < len(self.results)

    @property
    def left(self) -> list[int]:
        """The indexes of the recipients without a result."""
        return [index for index, result in enumerate(self.results) if result is None]

    @property
    def recipients(self) -> tuple[QueuedRecipient, ...]:
        """Those that were leased."""
        return self.lease.message.recipients

    def fill(self, result: Result) -> None:
        """Give a result to the recipients without one."""
        self.results = [result if each is None else each for each in self.results]


class Lane:
    """Messages that may share connections.

    :ivar carriers: how many connections serve it, or are being opened for it.
    :ivar opening: how many of these are being opened.
    :ivar quick: those that take another message at once, because their servers answer quickly.
    """

    __slots__ = ("carriers", "key", "opening", "quick", "waiting")

    def __init__(self, key: LaneKey) -> None:
        self.key = key
        self.waiting: deque[Held] = deque()
        self.carriers = self.opening = 0
        self.quick: dict[Carrier, None] = {}


class Destination:
    """What the relay has for a destination.

    :ivar carriers: how many connections it has, with those that are being opened.
    :ivar held: how many messages are leased.
    :ivar has_more: whether more may be due in the queue.
    :ivar is_leasing: whether the queue is being asked for them.
    :ivar is_leaving: whether it is being paused, or is paused and has connections that are not closed yet.
    :ivar is_proven: whether a connection was made since it was first tried.
    :ivar failures: how often in a row it could not be reached.
    :ivar not_before: when the next message may be sent (`RelayLimits.rate`), by the reactor's time.
    """

    __slots__ = (
        "carriers",
        "concurrency",
        "failures",
        "has_more",
        "held",
        "is_leasing",
        "is_leaving",
        "is_proven",
        "lanes",
        "name",
        "not_before",
        "rate",
    )

    def __init__(self, name: str, limits: RelayLimits) -> None:
        self.name = name
        self.lanes: dict[LaneKey, Lane] = {}
        self.concurrency = Concurrency(limits.first_connections, limits.destination_connections)
        self.rate = limits.rate_of(name)
        self.carriers = 0
        self.held = 0
        self.failures = 0
        self.not_before = 0.0
        self.has_more = self.is_leasing = self.is_leaving = self.is_proven = False

    def lane(self, key: LaneKey) -> Lane:
        """The lane, which is made if it is missing."""
        lane = self.lanes.get(key)
        if lane is None:
            lane = self.lanes[key] = Lane(key)
        return lane

    def add(self, held: Held, *, first: bool = False) -> None:
        """Let a message wait for a connection, before those that are less urgent.

        :param first: before all others.
        """
        waiting, priority = self.lane(held.lane).waiting, held.priority
        if first:
            waiting.appendleft(held)
        elif not waiting or priority <= waiting[-1].priority:
            waiting.append(held)
        else:
            before = next(at for at, each in enumerate(waiting) if priority > each.priority)
            waiting.insert(before, held)

    @property
    def waiting(self) -> int:
        """The number of messages that wait for a connection."""
        number = 0
        for lane in self.lanes.values():  # without a generator, because this is asked for each message
            number += len(lane.waiting)
        return number

    def take_all(self) -> Iterator[Held]:
        """Take all messages that wait."""
        for lane in self.lanes.values():
            while lane.waiting:
                yield lane.waiting.popleft()

    def tidy(self) -> None:
        """Forget the lanes that are not used."""
        for key in [key for key, lane in self.lanes.items() if not lane.waiting and not lane.carriers]:
            del self.lanes[key]
