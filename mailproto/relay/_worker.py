"""Takes messages from the queue to their destinations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from random import Random
from typing import Final

from twisted.internet.defer import Deferred, ensureDeferred, gatherResults
from twisted.internet.interfaces import IDelayedCall

from mailproto._logger import PackageLogger
from mailproto.awaiting import settle
from mailproto.content import Octets
from mailproto.errors import MailError
from mailproto.interfaces import IQueue
from mailproto.model import Outcome, Parameters
from mailproto.observing import Observers
from mailproto.relay._connections import Connections, Unreachable, Ways
from mailproto.relay._conversion import Converter
from mailproto.relay._destination import Destination, Held, Result
from mailproto.relay._dispatcher import Dispatcher
from mailproto.relay._handed import Handed
from mailproto.relay._leases import Leases
from mailproto.relay._limits import RelayLimits
from mailproto.relay._pausing import Pausing
from mailproto.relay._readable import readable
from mailproto.relay._results import decide
from mailproto.relay._schedule import Schedule
from mailproto.relay._settling import PrepareReport, Settling
from mailproto.relay._telling import tell
from mailproto.relay._terms import onward_parameters, terms_of
from mailproto.typing import Reactor

__all__ = ["Worker"]

LONGEST_SLEEP: Final = 60.0
"""Seconds after which the queue is looked at in any case: leases of a process that died have run out."""

LOOK_EVERY: Final = 0.02
"""Seconds between two looks while there are many hints."""

AHEAD: Final = 100
"""Destinations that are looked at besides those that have messages here already."""

REMEMBERED: Final = 1000
"""Destinations without messages of which it is remembered how many connections they take."""


class Worker:
    """What a `RelayAgent` does: looks for what is due, leases it, has it sent, and notes what became of it.

    :param ways: where mail goes, and what opens connections.
    :param observers: who is told of each attempt.
    """

    log = PackageLogger()

    def __init__(
        self,
        reactor: Reactor,
        queue: IQueue,
        ways: Ways,
        *,
        prepare_report: PrepareReport,
        hostname: str,
        schedule: Schedule,
        limits: RelayLimits,
        observers: Observers,
        converter: Converter,
        now: Callable[[], float],
        random: Random,
    ) -> None:
        self._reactor = reactor
        self._queue = queue
        self._now = now
        self._random = random
        self._schedule = schedule
        self._limits = limits
        self._observers = observers
        self._connections = Connections(reactor, ways, self._limits)
        self._dispatcher = Dispatcher(reactor, self._connections, self._limits, self, converter)
        self._leases = Leases(reactor, queue, self._limits, now)
        self._settling = Settling(reactor, queue, hostname, prepare_report, observers, self._settled)
        self._pausing = Pausing(
            queue,
            self._leases,
            self._schedule,
            self._random,
            now,
            self._observers,
            finish=self._give_up,
            release=self._release,
            look_soon=self._look_soon,
        )
        self._handed = Handed(
            reactor,
            self._leases,
            may_take=self._may_take,
            destination=self._destination,
            start=self._dispatcher.start,
            give_back=self.give_back,
        )
        self._destinations: dict[str, Destination] = {}
        self._to_pause: set[str] = set()  # the destinations that are being paused
        self._running: set[Deferred[None]] = set()
        self._end_watch: Callable[[], None] | None = None
        self._timer: IDelayedCall | None = None  # for the next look
        self._looked_at = -LONGEST_SLEEP
        self._is_cut = False  # whether more destinations are due than were looked at
        self._is_short = False  # whether one of them gets nothing because all leases are in use, or asked for
        self._is_looking = self._is_to_look = self._is_feeding = False
        self._is_stopping = False

    # -- start and stop

    def start(self) -> None:
        """See `RelayAgent.start`."""
        self._end_watch = self._queue.watch(self._look_soon)
        self._handed.begin(self._queue)
        self._look_soon()

    def stop(self) -> Deferred[None]:
        """See `RelayAgent.stop`."""
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        self._is_stopping = True
        if self._end_watch is not None:
            self._end_watch()
        self._handed.end()
        self._cancel_timer()
        ended = self._dispatcher.stop()
        await self._release(
            held for destination in self._destinations.values() for held in destination.take_all()
        )
        late = self._reactor.callLater(self._limits.stop_within, self._dispatcher.abort)
        await ended
        if late.active():
            late.cancel()
        self._settling.stop()
        await gatherResults(list(self._running), consumeErrors=True)
        await self._leases.all_given_back()
        self._leases.stop()
        self._connections.close()

    # -- looking for what is due

    def _look_soon(self) -> None:
        """Something may be due; hints that come together are one."""
        wait = self._looked_at + LOOK_EVERY - self._reactor.seconds()
        self._look_in(max(wait, 0.0))

    def _look_at(self, due: float) -> None:
        """Look at the queue at a certain time, in seconds since the epoch."""
        self._look_in(min(max(due - self._now(), 0.0), LONGEST_SLEEP))

    def _look_in(self, seconds: float) -> None:
        if self._is_stopping:
            return
        if self._is_looking:
            self._is_to_look = self._is_to_look or seconds <= LOOK_EVERY
        if self._timer is not None:
            if self._timer.getTime() <= self._reactor.seconds() + seconds:
                return
            self._timer.cancel()
        self._timer = self._reactor.callLater(seconds, self._ring)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        if self._is_looking:
            self._is_to_look = True
        else:
            self._run(self._look())

    def _run(self, work: Awaitable[None]) -> None:
        running = ensureDeferred(self._caught(work))
        if not running.called:
            self._running.add(running)
            running.addCallback(lambda _: self._running.discard(running))

    async def _caught(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception:
            self.log.failure("in the relay")

    async def _look(self) -> None:
        self._is_looking, self._is_to_look = True, False
        self._looked_at = self._reactor.seconds()
        sleep = LONGEST_SLEEP
        try:
            now = self._now()
            known = sum(each.held > 0 or each.has_more for each in self._destinations.values())
            states = await settle(self._queue.due(now, known + AHEAD))
            self._is_cut = len(states) >= known + AHEAD and states[-1].due <= now
            for state in states:
                if state.due > now:
                    sleep = max(state.due - now, 0.0)
                    break
                destination = self._destination(state.destination)
                if not destination.is_leaving:
                    destination.has_more = True
                    if not destination.carriers:
                        destination.failures = state.failures
                        destination.is_proven = destination.is_proven and not state.failures
            deadline = await self._pausing.look(self._destination)
            if deadline is not None:
                sleep = min(sleep, max(deadline - self._now(), 0.0))
        except Exception as error:
            self._complain("the queue cannot be looked at", error)
        finally:
            self._is_looking = False
        self._tidy()
        self._look_in(LOOK_EVERY if self._is_to_look else min(max(sleep, LOOK_EVERY), LONGEST_SLEEP))
        self._feed()

    def _destination(self, name: str) -> Destination:
        destination = self._destinations.get(name)
        if destination is None:
            destination = self._destinations[name] = Destination(name, self._limits)
        return destination

    def _complain(self, what: str, error: Exception) -> None:
        if isinstance(error, MailError):
            self.log.error("{what}: {error}", what=what, error=str(error))
        else:
            self.log.failure("{what}", what=what)

    # -- leasing

    def _feed_soon(self) -> None:
        if not self._is_feeding and not self._is_stopping:
            self._is_feeding = True
            self._reactor.callLater(0, self._feed)

    def _feed(self) -> None:
        """Lease messages for the destinations that have too few, in turns."""
        self._is_feeding = self._is_short = False
        if self._is_stopping:
            return
        for destination in list(self._destinations.values()):
            if destination.has_more and not (destination.is_leasing or destination.is_leaving):
                number = self._leases.wanted(destination)
                if number:
                    # The next time, it is the last.
                    self._destinations[destination.name] = self._destinations.pop(destination.name)
                    self._run(self._lease(destination, number))
                elif not self._leases.free:
                    self._is_short = True

    async def _lease(self, destination: Destination, number: int) -> None:
        try:
            await self._take(destination, number)
        finally:
            self._has_room(destination)

    async def _take(self, destination: Destination, number: int) -> None:
        try:
            taken = await self._leases.lease(destination, number)
        except Exception as error:
            destination.has_more = False
            self._complain(f"nothing can be leased for {destination.name}", error)
            return
        if self._is_stopping or destination.is_leaving:
            await self._leases.release(taken)
            return
        for held in taken:
            destination.add(held)
        self._dispatcher.start(destination)

    def _has_room(self, destination: Destination) -> None:
        """More may be leased than a moment ago, for a destination or for others that were left out."""
        if destination.has_more or self._is_short:
            self._feed_soon()
        if self._is_cut and self._leases.is_ample:
            self._is_cut = False
            self._look_soon()

    def _may_take(self, name: str) -> Destination | None:
        """A destination for which a new message may be leased at once; None if it must wait in the queue.

        It must while others wait there, for this destination or for those that were not looked at.
        """
        if self._is_stopping or self._is_cut:
            return None
        if name not in self._destinations and len(self._destinations) >= REMEMBERED:
            return None  # the queue's hint leads to a look, and that forgets some
        destination = self._destination(name)
        waits = destination.has_more or destination.is_leasing
        return None if waits or destination.is_leaving or destination.failures else destination

    def _tidy(self) -> None:
        """Forget destinations that have nothing to do."""
        if len(self._destinations) > REMEMBERED:
            idle = [
                name
                for name, each in self._destinations.items()
                if not (each.held or each.has_more or each.is_leasing or each.is_leaving or each.lanes)
            ]
            for name in idle[: len(self._destinations) - REMEMBERED]:
                del self._destinations[name]

    # -- for the dispatcher (`Office`)

    def prepare(self, held: Held) -> tuple[Octets, Parameters] | None:
        """See `Office.prepare`."""
        message = held.lease.message
        content = readable(message.content)
        if isinstance(content, Outcome):
            held.fill(Result(content, is_attempt=False))
            self.finish(held)
            return None
        parameters = message.envelope.parameters
        if parameters:
            terms, now = terms_of(message, self._schedule), self._now()
            if terms.by is not None and terms.by.returned and now >= terms.expires:
                held.fill(_TOO_LATE)
                self.finish(held)
                return None
            parameters = onward_parameters(message, terms.by, now)
        return content, parameters

    def finish(self, held: Held) -> None:
        """See `Office.finish`."""
        self._bring(held)

    def _give_up(self, held: Held) -> Deferred[None]:
        """The same for a message of which nothing was tried."""
        return self._bring(held, keeps_due=True)

    def _bring(self, held: Held, *, keeps_due: bool = False) -> Deferred[None]:
        """Note the results of a message; fires when that is done."""
        now = self._now()
        terms = terms_of(held.lease.message, self._schedule)
        decision = decide(held, terms, now, self._schedule, self._random, keeps_due=keeps_due)
        tell(self._observers, held, decision.results, now)
        due = min((each.due for each in decision.results if each.due), default=0.0)
        if due:
            self._look_at(due)
        return self._settling.settle(held, decision, now)

    def _settled(self, held: Held) -> None:
        self._leases.forget(held)
        self._has_room(held.destination)

    def give_back(self, held: Held) -> None:
        """See `Office.give_back`."""
        self._run(self._release([held]))

    async def _release(self, given: Iterable[Held]) -> None:
        """Give messages back; if some of the recipients have a result, the queue gets that as well."""
        held = list(given)
        for each in held:
            if each.has_results:
                self._bring(each)
        await self._leases.release(each for each in held if not each.has_results)

    def pause(self, destination: Destination, why: Unreachable) -> None:
        """See `Office.pause`."""
        destination.is_leaving = True
        destination.has_more = False
        self._run(self._pause(destination, why))

    async def _pause(self, destination: Destination, why: Unreachable) -> None:
        self._to_pause.add(destination.name)
        try:
            until = await self._pausing.pause(destination, why)
        finally:
            self._to_pause.discard(destination.name)
            self.left(destination)
        self._look_at(until)

    def left(self, destination: Destination) -> None:
        """See `Office.left`."""
        if not destination.carriers and destination.name not in self._to_pause:
            destination.is_leaving = destination.is_proven = destination.has_more = False
            destination.concurrency.restart()
            self._look_soon()

    def reached(self, destination: Destination) -> None:
        """See `Office.reached`."""
        self._run(self._resume(destination.name))

    async def _resume(self, name: str) -> None:
        try:
            await settle(self._queue.pause(name, 0))
        except Exception as error:
            self._complain(f"{name} cannot be noted as working", error)


_TOO_LATE: Final = Result(
    Outcome(554, "5.4.7", "The time that its sender gave the message is over"), is_attempt=False
)
