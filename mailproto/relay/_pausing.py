"""Leaves a destination alone that cannot be reached: once for the destination, and not for each message."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from random import Random
from typing import Final

from twisted.internet.defer import Deferred

from mailproto._logger import PackageLogger
from mailproto.awaiting import settle
from mailproto.interfaces import IQueue
from mailproto.model import Outcome
from mailproto.observing import Observers, Unreached
from mailproto.relay._connections import Unreachable
from mailproto.relay._destination import Destination, Held, Result
from mailproto.relay._leases import Leases
from mailproto.relay._schedule import Schedule
from mailproto.relay._terms import terms_of

__all__ = ["Pausing"]

REMEMBERED: Final = 1000
"""Destinations of which it is remembered why they are paused."""

LOOKED_AT: Final = 50
"""The most overdue messages that are looked at in one transaction."""

FULL: Final = 1.0
"""Seconds until they are looked at if no more messages can be leased."""

_UNKNOWN: Final = Result(Outcome(451, "4.4.1", "No server of the domain could be reached"), is_attempt=False)
"""Why a destination is paused, if another process has paused it."""


class Pausing:
    """Pauses destinations.

    Their messages stay as they are, but for those that are given up, or whose senders are told that they are
    late: both happen in time, and wake no destination.

    :param now: gives the seconds since the epoch.
    :param finish: brings the results of a message, of which nothing was tried, into the queue.
    :param release: gives messages back, of which nothing is tried now.
    :param look_soon: has `look` called soon.
    """

    log = PackageLogger()

    def __init__(
        self,
        queue: IQueue,
        leases: Leases,
        schedule: Schedule,
        random: Random,
        now: Callable[[], float],
        observers: Observers,
        finish: Callable[[Held], Deferred[None]],
        release: Callable[[Iterable[Held]], Awaitable[None]],
        look_soon: Callable[[], None],
    ) -> None:
        self._queue = queue
        self._leases = leases
        self._schedule = schedule
        self._random = random
        self._now = now
        self._observers = observers
        self._finish = finish
        self._release = release
        self._look_soon = look_soon
        self._reasons: dict[str, Result] = {}

    async def pause(self, destination: Destination, why: Unreachable) -> float:
        """Pause a destination; returns until when, in seconds since the epoch."""
        destination.failures += 1
        waiting = list(destination.take_all())
        until = self._now() + self._schedule.pause(destination.failures, self._random)
        text = why.outcome.text
        if why.host not in text:
            text = f"{why.host}: {text}"
        if why.outcome.detail not in text:
            text = f"{text} ({why.outcome.detail})"
        self._observers.unreached(
            Unreached(destination.name, why.outcome, why.host, destination.failures, until)
        )
        try:
            await settle(self._queue.pause(destination.name, until, destination.failures, text))
        except Exception:
            self.log.failure("cannot pause {destination}", destination=destination.name)
        self._remember(destination.name, Result(why.outcome, why.host, is_attempt=False))
        await self._release(held for held in waiting if not self._is_old(held))
        self._tell(held for held in waiting if self._is_old(held))
        return until

    def _remember(self, name: str, reason: Result) -> None:
        self._reasons.pop(name, None)
        self._reasons[name] = reason
        if len(self._reasons) > REMEMBERED:
            del self._reasons[next(iter(self._reasons))]

    def _is_old(self, held: Held) -> bool:
        terms = terms_of(held.lease.message, self._schedule)
        return self._now() >= min(terms.expires, terms.late)

    def _tell(self, old: Iterable[Held]) -> None:
        """Bring their results into the queue; nothing waits for that, because it may fail for long."""
        for held in old:
            held.fill(self._reasons.get(held.destination.name, _UNKNOWN))
            self._finish(held).addCallback(self._told)

    def _told(self, _: object) -> None:
        self._look_soon()  # its next deadline is known now

    async def look(self, destination_of: Callable[[str], Destination]) -> float | None:
        """See to what is overdue at paused destinations.

        :returns: when it is to be called again; None if nothing has a deadline.
        :raises Exception: what the queue raises.
        """
        deadline = await settle(self._queue.next_deadline())
        room = min(LOOKED_AT, self._leases.free // 2)
        if deadline is None or deadline > self._now():
            return deadline
        if not room:
            return self._now() + FULL
        self._tell(await self._leases.lease_overdue(destination_of, room))
        return await settle(self._queue.next_deadline())
