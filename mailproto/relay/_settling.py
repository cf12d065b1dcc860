"""Brings the results of attempts into the queue, together with the reports that they cause."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, TypeAlias, cast

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred, fail
from twisted.internet.interfaces import IReactorThreads
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure

from mailproto._logger import PackageLogger
from mailproto.awaiting import Result, settle
from mailproto.content import Content
from mailproto.delivery.reports import RecipientStatus, Report, report
from mailproto.errors import LeaseLost, MailError
from mailproto.interfaces import IQueue
from mailproto.model import Envelope, NewQueued
from mailproto.observing import Observers
from mailproto.relay._destination import Held
from mailproto.relay._results import Decision
from mailproto.relay._telling import tell_reported
from mailproto.typing import Reactor

__all__ = ["PrepareReport", "Settling"]

PrepareReport: TypeAlias = Callable[[Report], Result[NewQueued | None]]
"""Called with a report; returns what enters the queue, for a mailbox here or another server, or None."""

FIRST_WAIT: Final = 1.0
"""Seconds until results are brought again to a queue that did not take them, such as on a full disk; each
further wait is twice as long..."""

LONGEST_WAIT: Final = 60.0
"""... up to this."""

LAST_TRIES: Final = 10
"""How often they are brought once more while the agent stops: what was sent would be sent again otherwise."""

QUIET: Final = 10.0
"""Seconds between two lines about results that cannot be noted: there may be thousands, and the log may be on
the disk that is full."""

AT_ONCE: Final = 20
"""Recipients of the longest report that is written in the reactor's thread, in some 3 ms."""


class Settling:
    """Settles leases; many may be under way.

    :param settled: called when a message needs nothing more.
    """

    log = PackageLogger()

    def __init__(
        self,
        reactor: Reactor,
        queue: IQueue,
        hostname: str,
        prepare_report: PrepareReport,
        observers: Observers,
        settled: Callable[[Held], None],
    ) -> None:
        self._reactor = reactor
        self._queue = queue
        self._hostname = hostname
        self._prepare_report = prepare_report
        self._observers = observers
        self._settled = settled
        self._waits: set[Deferred[None]] = set()
        self._is_stopping = False
        self._untold = 0  # results that could not be noted since the last line about that
        self._quiet_until = 0.0

    def settle(self, held: Held, decision: Decision, now: float) -> Deferred[None]:
        """Bring the results of a message into the queue; `settled` is called in the end, whatever happens."""
        if decision.statuses:
            return ensureDeferred(self._settle(held, decision, now))
        # The usual case, thousands of times a second: no coroutine.
        try:
            answer = self._queue.settle(held.lease, decision.results)
        except Exception:
            noting: Deferred[None] = fail()
        else:
            noting = answer if isinstance(answer, Deferred) else ensureDeferred(_done(answer))
        return noting.addCallbacks(self._noted, self._not_noted, (held,), {}, (held, decision, now), {})

    def _noted(self, _: object, held: Held) -> None:
        self._settled(held)

    def _not_noted(
        self, failure: Failure, held: Held, decision: Decision, now: float
    ) -> Deferred[None] | None:
        if not self._may_try_again(held, failure):
            self._settled(held)
            return None
        return ensureDeferred(self._settle(held, decision, now, is_tried=True))

    async def _settle(self, held: Held, decision: Decision, now: float, *, is_tried: bool = False) -> None:
        try:
            wait, last_tries = FIRST_WAIT, LAST_TRIES
            while is_tried or not await self._try(held, decision, now):
                is_tried = False
                if self._is_stopping:
                    wait, last_tries = FIRST_WAIT, last_tries - 1
                if not last_tries:
                    self.log.error(
                        "the results of message {id} could not be noted: it may be sent twice",
                        id=held.lease.message.envelope.id,
                    )
                    break
                await self._sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT)
        finally:
            self._settled(held)

    async def _try(self, held: Held, decision: Decision, now: float) -> bool:
        """:returns: False if it must be tried again."""
        try:
            reports: Sequence[NewQueued] = ()
            if decision.statuses:
                reports = await self._reports(held, decision.statuses, now)
            await settle(self._queue.settle(held.lease, decision.results, reports))
            tell_reported(self._observers, held.lease.message.envelope.id, reports)
        except Exception:
            return not self._may_try_again(held, Failure())
        return True

    def _may_try_again(self, held: Held, failure: Failure) -> bool:
        """Log why results are not noted; whether that may change."""
        id, error = held.lease.message.envelope.id, failure.value
        if isinstance(error, LeaseLost):
            self.log.warn("the lease of message {id} was lost: its results are not noted", id=id)
            return False
        if isinstance(error, MailError):
            self._complain(id, error)
        else:
            self.log.failure("the results of message {id} cannot be noted now", failure, id=id)
        return not held.is_lost

    def _complain(self, id: str, error: MailError) -> None:
        now = self._reactor.seconds()
        if now < self._quiet_until:
            self._untold += 1
            return
        more = f" ({self._untold} more attempts to note results failed since the last such line)"
        self.log.error(
            "the results of message {id} cannot be noted now: {error}{more}",
            id=id,
            error=str(error),
            more=more if self._untold else "",
        )
        self._untold, self._quiet_until = 0, now + QUIET

    async def _reports(
        self, held: Held, statuses: Sequence[RecipientStatus], now: float
    ) -> Sequence[NewQueued]:
        message = held.lease.message
        made = await self._report(message.envelope, statuses, message.content, message.arrived, now)
        if made is None:
            return ()
        prepared = await settle(self._prepare_report(made))
        if prepared is None:
            self.log.warn("nobody can get the report about message {id}", id=message.envelope.id)
            return ()
        return [prepared]

    async def _report(
        self,
        envelope: Envelope,
        statuses: Sequence[RecipientStatus],
        content: Content | None,
        arrived: float,
        now: float,
    ) -> Report | None:
        def make() -> Report | None:
            try:
                return self._write(envelope, statuses, content, arrived, now)
            except (OSError, ValueError):  # the content is gone: the sender is told nevertheless
                return self._write(envelope, statuses, None, arrived, now)

        if len(statuses) <= AT_ONCE or not IReactorThreads.providedBy(self._reactor):
            return make()
        reactor = cast("IReactorThreads", self._reactor)
        return await deferToThreadPool(reactor, reactor.getThreadPool(), make)

    def _write(
        self,
        envelope: Envelope,
        statuses: Sequence[RecipientStatus],
        content: Content | None,
        arrived: float,
        now: float,
    ) -> Report | None:
        return report(
            envelope, statuses, content, hostname=self._hostname, arrived=arrived, clock=lambda: now
        )

    async def _sleep(self, seconds: float) -> None:
        waiting: Deferred[None] = deferLater(self._reactor, seconds)  # type: ignore[arg-type]
        self._waits.add(waiting)
        with suppress(CancelledError):  # the agent stops: it is tried at once
            await waiting
        self._waits.discard(waiting)

    def stop(self) -> None:
        """Try what the queue has not taken a few times more, and then give up."""
        self._is_stopping = True
        for waiting in list(self._waits):
            waiting.cancel()


async def _done(answer: Result[None]) -> None:
    await settle(answer)
