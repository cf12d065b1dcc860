"""The leased messages: how many there may be, and keeping their leases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from twisted.internet.defer import Deferred, DeferredLock, ensureDeferred
from twisted.internet.interfaces import IDelayedCall

from mailproto._logger import PackageLogger
from mailproto.awaiting import settle
from mailproto.interfaces import IQueue
from mailproto.model import Lease
from mailproto.relay._destination import Destination, Held, LaneKey
from mailproto.relay._limits import RelayLimits
from mailproto.relay._turns import Turn
from mailproto.relay._wanted_tls import wanted_tls
from mailproto.typing import ReactorTime

__all__ = ["Leases"]

PROBE: Final = 10
"""Messages that are leased for a destination that could not be reached: only to see whether it can be now."""

_USUAL: Final = LaneKey()
"""The lane of nearly all messages."""


class Leases:
    """The leases that the agent has.

    :param now: gives the seconds since the epoch.
    """

    log = PackageLogger()

    def __init__(
        self, clock: ReactorTime, queue: IQueue, limits: RelayLimits, now: Callable[[], float]
    ) -> None:
        self._clock = clock
        self._queue = queue
        self._limits = limits
        self._now = now
        self._held: dict[int, Held] = {}  # by token
        self._asked = 0  # messages that the queue is being asked for
        self._timer: IDelayedCall | None = None
        self._looked_at = 0.0  # the system's time when renewal was last thought of
        self._renewal = DeferredLock()
        self._waiting: list[Deferred[None]] = []  # for the last lease to be given back

    @property
    def number(self) -> int:
        """How many messages are leased."""
        return len(self._held)

    @property
    def free(self) -> int:
        """How many messages may still be leased."""
        return max(self._limits.leased - len(self._held) - self._asked, 0)

    @property
    def is_ample(self) -> bool:
        """Whether so many messages may still be leased that other destinations are worth looking at."""
        return self.free > self._limits.leased // 4

    def reserve(self, destination: Destination) -> float:
        """Keep room for a message that the queue may lease at once; returns until when, 0.0 without room.

        There is room only where enough is left for those that wait in the queue.
        """
        limits = self._limits
        free = limits.leased - len(self._held) - self._asked  # without calls: this is for each message
        if free <= limits.leased // 4 or destination.held >= min(limits.destination_leased, free // 2):
            return 0.0
        self._asked += 1
        destination.held += 1
        return self._now() + limits.lease

    def take(self, destination: Destination, lease: Lease | None) -> Held | None:
        """Take a lease for which there is room, or give up the room if there is none."""
        self._asked -= 1
        if lease is None:
            destination.held -= 1
            self._tell_if_none()
            return None
        self._keep_looking()
        self._looked_at = min(self._looked_at, lease.until - self._limits.lease)  # the clock may be set
        return self._hold(lease, destination)

    def wanted(self, destination: Destination) -> int:
        """How many messages may be leased for a destination now; 0 while it has enough.

        It never has more than are free after that, so that there is something left for others.
        """
        free, held = self.free, destination.held
        if not free:
            return 0
        share = max((free + held) // 2, 1)
        most = min(PROBE if destination.failures else self._limits.destination_leased, share)
        return most - held if held <= most // 2 else 0

    async def lease(self, destination: Destination, messages: int) -> list[Held]:
        """Lease messages of a destination; `Destination.has_more` says afterwards whether there may be more.

        :raises Exception: what the queue raises.
        """
        limits = self._limits
        destination.is_leasing = True
        self._asked += messages
        try:
            await self._keep()
            now = self._now()
            leases = await settle(
                self._queue.lease(
                    destination.name,
                    now=now,
                    until=now + limits.lease,
                    messages=messages,
                    recipients=limits.recipients,
                )
            )
            taken = await self._taken(leases, destination)
        finally:
            destination.is_leasing = False
            self._asked -= messages
        destination.has_more = len(leases) >= messages or any(
            len(lease.message.recipients) >= limits.recipients for lease in leases
        )
        return taken

    async def lease_overdue(self, destination_of: Callable[[str], Destination], messages: int) -> list[Held]:
        """Lease what is overdue at paused destinations.

        :raises Exception: what the queue raises.
        """
        self._asked += messages
        try:
            now = self._now()
            until = now + self._limits.lease
            leases = await settle(self._queue.lease_overdue(now=now, until=until, messages=messages))
            taken = []
            for lease in leases:
                destination = destination_of(lease.message.recipients[0].destination)
                taken += await self._taken([lease], destination)
        finally:
            self._asked -= messages
        self._tell_if_none()
        return taken

    async def _taken(self, leases: Sequence[Lease], destination: Destination) -> list[Held]:
        """What was leased; what messages demand is read from their headers, in turns."""
        taken: list[Held] = []
        turn = Turn(self._clock)
        if leases:
            self._keep_looking()
        for lease in leases:
            taken.append(self._hold(lease, destination))
            if turn.is_over:
                await turn.next()
        destination.held += len(taken)
        return taken

    def _hold(self, lease: Lease, destination: Destination) -> Held:
        wanted = wanted_tls(lease.message)
        lane = _USUAL if wanted is None else LaneKey(wanted)
        held = self._held[lease.token] = Held(lease, destination, lane)
        return held

    def forget(self, held: Held) -> None:
        """A lease was settled or given back."""
        if self._held.pop(held.lease.token, None) is not None:
            held.destination.held -= 1
            self._tell_if_none()

    def all_given_back(self) -> Deferred[None]:
        """Fires when nothing is leased, nor asked for; for the end."""
        given: Deferred[None] = Deferred()
        self._waiting.append(given)
        self._tell_if_none()
        return given

    def _tell_if_none(self) -> None:
        if self._waiting and not (self._held or self._asked):
            waiting, self._waiting = self._waiting, []
            for each in waiting:
                each.callback(None)

    async def release(self, given: Iterable[Held]) -> None:
        """Give back leases of which nothing was tried."""
        held = list(given)
        if not held:
            return
        try:
            await settle(self._queue.release([each.lease for each in held if not each.is_lost]))
        except Exception:  # they run out by themselves
            self.log.failure("leases cannot be given back")
        finally:
            for each in held:
                self.forget(each)

    # -- renewal

    async def _keep(self) -> None:
        """If the system's clock was set forward, or this process has stood still, renew what is held here.

        Otherwise, it would be leased once more, and be sent twice.
        """
        late = self._limits.lease / 2  # all leases last longer than that after each look
        self._looked_at = min(self._looked_at, self._now())
        if self._now() - self._looked_at <= late and not self._renewal.locked:
            return
        await self._renewal.acquire()
        try:
            if self._held and self._now() - self._looked_at > late:
                self._looked_at = self._now()
                await self._renew([held for held in self._held.values() if not held.is_lost])
        finally:
            self._renewal.release()

    def _keep_looking(self) -> None:
        if self._timer is None:
            self._looked_at = self._now()
            self._timer = self._clock.callLater(self._limits.lease / 4, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._held:
            self._keep_looking()
            soon = self._now() + self._limits.lease * 0.6
            old = [held for held in self._held.values() if held.lease.until <= soon and not held.is_lost]
            if old:
                ensureDeferred(self._renew(old))

    async def _renew(self, old: list[Held]) -> None:
        until = self._now() + self._limits.lease
        try:
            renewed = await settle(self._queue.renew([held.lease for held in old], until))
        except Exception:
            self.log.failure("leases cannot be renewed")
            return
        by_token: dict[int, Lease] = {lease.token: lease for lease in renewed}
        for held in old:
            lease = by_token.get(held.lease.token)
            if lease is not None:
                held.lease = Lease(lease.token, held.lease.message, lease.until)
            elif held.lease.token in self._held:
                held.is_lost = True
                self.log.warn("the lease of message {id} was lost", id=held.lease.message.envelope.id)

    def stop(self) -> None:
        """Renew no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
