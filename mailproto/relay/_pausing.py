"""Leaves a destination alone that cannot be reached: once for the destination, and not for each message."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

from twisted.internet.defer import Deferred, gatherResults

from mailproto._logger import PackageLogger
from mailproto.awaiting import settle
from mailproto.interfaces import IQueue
from mailproto.observing import Observers, Unreached
from mailproto.relay._connections import Unreachable
from mailproto.relay._destination import Destination, Held, Result
from mailproto.relay._leases import Leases
from mailproto.relay._schedule import Schedule
from mailproto.relay._terms import terms_of

__all__ = ["Pausing"]

SHORTEST: Final = 1.0
"""Seconds of the shortest pause, even if something is overdue."""


class Pausing:
    """Pauses destinations.

    Their messages stay as they are, but for those that are given up now, or whose senders are told now that
    they are late.  These may be behind others in the queue, so all that are old enough for that are looked
    at; the young ones are not.

    :param now: gives the seconds since the epoch.
    :param finish: brings the results of a message into the queue; called also with the time at which its
        destination is tried again.
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
        finish: Callable[[Held, float], Deferred[None]],
    ) -> None:
        self._queue = queue
        self._leases = leases
        self._schedule = schedule
        self._random = random
        self._now = now
        self._observers = observers
        self._finish = finish

    async def pause(self, destination: Destination, why: Unreachable) -> float:
        """Pause a destination; returns until when, in seconds since the epoch."""
        destination.failures += 1
        now, waiting = self._now(), list(destination.take_all())
        planned = until = now + self._schedule.pause(destination.failures, self._random)
        for held in waiting:
            until = min(until, max(self._due(held), now + SHORTEST))
        text = why.outcome.text
        if why.host not in text:
            text = f"{why.host}: {text}"
        if why.outcome.detail not in text:
            text = f"{text} ({why.outcome.detail})"
        self._observers.unreached(
            Unreached(destination.name, why.outcome, why.host, destination.failures, until)
        )
        if until < planned:
            # A message's time ends the pause, not the destination's: the next one is not longer for that.
            destination.failures = max(destination.failures - 1, 1)
        await self._note(destination, until, text)
        first = max(await self._hand_back(destination, waiting, why, until), self._now() + SHORTEST)
        if first < until:  # behind those that are given up now was one whose time ends before the pause
            await self._note(destination, first, text)
        return min(first, until)

    async def _note(self, destination: Destination, until: float, text: str) -> None:
        try:
            await settle(self._queue.pause(destination.name, until, destination.failures, text))
        except Exception:
            self.log.failure("cannot pause {destination}", destination=destination.name)

    async def _hand_back(
        self, destination: Destination, waiting: list[Held], why: Unreachable, until: float
    ) -> float:
        """Returns when something must be done about the first of those that are left, as far as is known."""
        first = until
        result = Result(why.outcome, why.host, is_attempt=False)
        while waiting:
            now = self._now()
            old = [held for held in waiting if self._is_old(held, now)]
            young = [held for held in waiting if not self._is_old(held, now)]
            first = min([first, *map(self._due, young)])
            await self._leases.release(young)
            for held in old:
                held.fill(result)
            await gatherResults([self._finish(held, until) for held in old])
            if not old:
                break
            try:
                waiting = await self._leases.lease(destination, max(self._leases.free // 2, 1))
            except Exception:
                self.log.failure("cannot lease old messages of {destination}", destination=destination.name)
                break
        return first

    def _due(self, held: Held) -> float:
        """When something must be done about a message; if that is now, it is done now, and counts no more."""
        terms, now = terms_of(held.lease.message, self._schedule), self._now()
        times = [terms.next_for(recipient) for recipient in held.recipients]
        later = [time for time in (*times, terms.expires) if time > now]
        return min(later, default=now + self._schedule.longest_wait)

    def _is_old(self, held: Held, now: float) -> bool:
        terms = terms_of(held.lease.message, self._schedule)
        return now >= min(terms.expires, terms.late)
