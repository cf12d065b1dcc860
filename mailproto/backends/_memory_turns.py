"""The order of a `MemoryQueue`: which recipients of a destination are next.

Start-time fair queueing: a recipient that becomes ready gets the turn after its share's last one, but not
before the one that is leased at that moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mailproto.backends._queue_rules import FORGET
from mailproto.model import DestinationState, Outcome, QueuedRecipient, QueueState, Recipient

__all__ = ["Destination", "Destinations", "QueuedFor"]


@dataclass(slots=True, eq=False)
class QueuedFor:
    """A recipient of a message.

    :ivar time: when it can be leased: when it is due, or at the end of a lease.
    :ivar turn: its place among those that can be leased, if it is one of them.
    :ivar token: of its lease, which may have run out.
    """

    message: int
    number: int
    recipient: Recipient
    destination: str
    share: str
    priority: int
    due: float
    time: float = 0.0
    turn: int = 0
    is_ready: bool = False
    state: QueueState = QueueState.WAITING
    attempts: int = 0
    outcome: Outcome | None = None
    host: str = ""
    attempted: float | None = None
    is_reported_late: bool = False
    token: int | None = None

    def shown(self) -> QueuedRecipient:
        """What others see of it."""
        return QueuedRecipient(
            self.number,
            self.recipient,
            self.destination,
            self.state,
            self.due,
            self.attempts,
            self.outcome,
            self.host,
            self.attempted,
            self.is_reported_late,
        )


class Destination:
    """A destination, with its waiting recipients."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.paused_until, self.failures, self.reason = 0.0, 0, ""
        self.waiting: dict[QueuedFor, None] = {}
        self._since = 0.0  # if some are ready: since when, or when the last were leased
        self._virtual = 0  # the turn that was leased last
        self._shares: dict[str, int] = {}

    def _ready(self) -> list[QueuedFor]:
        return [each for each in self.waiting if each.is_ready]

    def is_free(self, now: float) -> bool:
        """Whether one that comes now would be leased next in any case."""
        return not (self._ready() or self.failures or self.paused_until > now)

    def wait(self, each: QueuedFor, time: float) -> None:
        """A recipient waits for a time."""
        each.is_ready, each.time = False, time
        self.waiting[each] = None

    def make_ready(self, each: QueuedFor, since: float) -> None:
        """A recipient can be leased, and gets its turn if it has none."""
        if not each.is_ready:
            self._give_turn(each)
        self._enter(each, since)

    def give_back(self, each: QueuedFor) -> None:
        """A recipient that was not tried keeps its turn."""
        if not each.is_ready:
            self._enter(each, each.due)

    def _enter(self, each: QueuedFor, since: float) -> None:
        self.waiting.pop(each, None)
        self._since = min(self._since, since) if self._ready() else since
        each.is_ready, each.time = True, since
        self.waiting[each] = None

    def _give_turn(self, each: QueuedFor) -> None:
        each.turn = self._shares[each.share] = max(self._virtual, self._shares.get(each.share, 0)) + 1

    def leave(self, each: QueuedFor) -> None:
        """A recipient does not wait any more."""
        each.is_ready = False
        self.waiting.pop(each, None)

    def choose(self, now: float, messages: int, recipients: int) -> dict[int, list[QueuedFor]]:
        """The recipients that are next, by message."""
        timed = (each for each in self.waiting if not each.is_ready and each.time <= now)
        for each in sorted(timed, key=lambda each: (each.time, each.message, each.number)):
            self._give_turn(each)
            each.is_ready = True
        chosen: dict[int, list[QueuedFor]] = {}
        ready = self._ready()
        for each in sorted(ready, key=lambda each: (-each.priority, each.turn, each.message, each.number)):
            if each.message not in chosen and len(chosen) < messages:
                chosen[each.message] = []
                self._virtual = max(self._virtual, each.turn)
        for each in sorted(ready, key=lambda each: each.number):
            if each.message in chosen and len(chosen[each.message]) < recipients:
                chosen[each.message].append(each)
        return chosen

    def is_unleased(self, each: QueuedFor, now: float) -> bool:
        """Whether one waits here, and nobody has it."""
        return each in self.waiting and (each.is_ready or each.token is None or each.time <= now)

    def leased(self, now: float) -> None:
        """Some were leased: the other destinations are next."""
        self._since = now

    def due(self, now: float) -> int:
        """How many can be leased, if it is not paused."""
        return (
            0 if self.paused_until > now else sum(each.is_ready or each.time <= now for each in self.waiting)
        )

    def state(self) -> DestinationState:
        """What others see of it."""
        times = [self._since] if self._ready() else [each.time for each in self.waiting]
        first = min(times, default=0.0)
        return DestinationState(
            self.name,
            max(first, self.paused_until),
            len(self.waiting),
            self.paused_until,
            self.failures,
            self.reason,
        )

    def is_forgotten(self, now: float) -> bool:
        """Whether its pause ended long ago, and nothing waits for it."""
        return not self.waiting and self.paused_until <= now - FORGET

    def tidy(self) -> bool:
        """Whether it is still needed."""
        if not self._ready():  # nobody is before anybody else
            self._virtual = max(self._virtual, *self._shares.values(), 0)
        if not self.waiting:
            self._virtual, self._shares = 0, {}
        return bool(self.waiting or self.paused_until)


class Destinations:
    """All destinations, by name; they are made when they are asked for."""

    def __init__(self) -> None:
        self._destinations: dict[str, Destination] = {}

    def __getitem__(self, name: str) -> Destination:
        return self._destinations.setdefault(name, Destination(name))

    def __iter__(self) -> Iterator[Destination]:
        return iter(self._destinations.values())

    def states(self) -> list[DestinationState]:
        """What others see of each."""
        return [destination.state() for destination in self]

    def forget(self, now: float) -> None:
        """Forget those that nobody has needed for long."""
        self._destinations = {each.name: each for each in self if not each.is_forgotten(now)}

    def move(self, each: QueuedFor, name: str) -> None:
        """A recipient goes to another destination."""
        was_ready = each.is_ready
        is_waiting = each in self[each.destination].waiting
        self[each.destination].leave(each)
        each.destination = name
        if was_ready:
            self[name].make_ready(each, each.due)
        elif is_waiting:
            self[name].wait(each, each.time)

    def tidy(self) -> None:
        """Forget those that nobody needs, after each change."""
        self._destinations = {each.name: each for each in self if each.tidy()}
