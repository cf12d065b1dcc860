"""A pool of connections to one server: distributes jobs, and decides how many connections to open."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from math import inf
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred, fail
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from mailproto._arguments import check_call, check_seconds, check_type, check_whole
from mailproto._logger import PackageLogger
from mailproto._twisted_arguments import check_clock
from mailproto.client._client import Client
from mailproto.client._growth import Growth
from mailproto.client._job import MOST_AT_ONCE, Job, Task
from mailproto.client._pooled import PooledConnection
from mailproto.client._waiting import Deadlines, Queue
from mailproto.client.errors import ClientError, ConnectionLost, QueueTimeout, ServiceClosing
from mailproto.typing import ReactorTime

__all__ = ["ClientPool"]

ClientT = TypeVar("ClientT", bound=Client[Any, Any])
T = TypeVar("T")

SLOW = 5.0
"""Seconds after which a job that waits for an earlier one may move to another connection."""

SERVING_FOR = 5.0
"""Seconds after a job for which its server counts as working."""


class ClientPool(Generic[ClientT]):
    """A few connections to one server, shared by many jobs.

    If the server accepts fewer than ``connections`` connections, the pool tries again after a second, and
    then after longer pauses of up to half a minute.  Every job gets a result or an error in the end.

    :param clock: the reactor.
    :param open_client: opens a client, such as ``lambda: SMTPClient.open(reactor, server)``.
    :param name: the server's name, for errors and the log.
    :param connections: the most simultaneous connections; more jobs wait.
    :param idle: seconds after which an idle connection is closed.
    :param jobs: the most jobs over one connection; then it is closed.
    :param at_once: the most simultaneous jobs of one connection; if the connection ends, all of them do.
    :raises TypeError: an argument is of the wrong type.
    :raises ValueError: one of these numbers is too small.
    """

    log = PackageLogger()

    def __init__(
        self,
        clock: ReactorTime,
        open_client: Callable[[], Coroutine[Any, Any, ClientT]],
        name: str,
        *,
        connections: int = 5,
        idle: float = 30,
        jobs: int = 1000,
        at_once: int = 1,
    ) -> None:
        check_clock("clock", clock)
        check_call("open_client", open_client, "a function that opens a client", 0)
        check_type("name", name, str, "the server's name, a str")
        check_whole("connections", connections, 1)
        check_whole("jobs", jobs, 1)
        check_whole("at_once", at_once, 1)
        check_seconds("idle", idle)
        self._clock = clock
        self._open_client = open_client
        self._context = copy_context()  # so that connections do not run in the context of the first job
        self._name = name
        self._idle = idle
        self._jobs = jobs
        self._at_once = at_once
        self._queue = Queue()
        self._deadlines = Deadlines(clock, self._waited)
        self._coming = 0  # jobs that are being prepared
        self._pool: list[PooledConnection[ClientT]] = []
        self._ended: list[PooledConnection[ClientT]] = []  # closed connections with jobs that go on
        self._opening: set[Deferred[ClientT]] = set()
        self._growth = Growth(clock, connections)
        self._refusal: ClientError | None = None  # why the last connection failed
        self._failing: deque[tuple[Queue, Failure]] = deque()  # jobs that will be failed
        self._is_going_on = self._is_to_go_on = False
        self._served_at = -inf
        self._look_at = inf  # the time when a job may have waited too long on its connection
        self._left = 0  # the number of jobs that may still be handled in this turn
        self._alarm: IDelayedCall | None = None  # for the next action that depends only on time
        self._closed: list[Deferred[None]] | None = None

    @property
    def is_closed(self) -> bool:
        """Whether the pool takes no more jobs."""
        return self._closed is not None

    def run(self, work: Callable[[ClientT], Awaitable[T]], *, wait: float = 900) -> Deferred[T]:
        """Call a function with a client when one is free; the function may send many requests.

        The client goes back to the pool when the function's awaitable is done; its result is returned.
        Cancelling the result ends the wait for a client, or cancels what the function awaits and closes the
        connection, unless an older job still uses it.

        :param wait: seconds to wait for a free client.
        :raises TypeError: ``work`` is no function of a client.
        :raises QueueTimeout: no client was free in time.
        :raises ClientError: no connection could be opened, or the pool was closed; also any error of
            ``work``.
        """
        check_call("work", work, "a function of a client", 1)
        check_seconds("wait", wait)
        if self.is_closed:
            return fail(ConnectionLost("The pool is closed"))
        task = Task(work)
        self.add(task, wait)
        return task.result

    def add(self, job: Job[ClientT], wait: float) -> None:
        """Add a job.

        :param wait: seconds that the job may wait for its turn.
        """
        job.cancelled = self._cancelled
        self._deadlines.add(job, wait)
        self._queue.add(job)
        self._go_on()

    @contextmanager
    def coming(self) -> Iterator[None]:
        """While a job is being prepared: closing waits for it."""
        self._coming += 1
        try:
            yield
        finally:
            self._coming -= 1
            self._go_on()

    def close(self) -> Deferred[None]:
        """Finish the waiting jobs, then close all connections; fires when they are closed."""
        done: Deferred[None] = Deferred()
        if self._closed is None:
            self._closed = []
        self._closed.append(done)
        self._go_on()
        return done

    # -- distribution of jobs

    def _go_on(self) -> None:
        """Take all steps that are possible now; connections call it, too.

        A step may make others possible and call this method again.  It must not recurse, because there may
        be thousands of steps.
        """
        self._is_to_go_on = True
        if self._is_going_on:
            return
        self._is_going_on = True
        self._left = MOST_AT_ONCE
        try:
            while self._is_to_go_on and self._left > 0:
                self._is_to_go_on = False
                self._take_steps()
        except Exception:
            self._broken()
        finally:
            self._is_going_on = False

    def _take_steps(self) -> None:
        """Give jobs to connections, open missing connections, and close those that are not needed."""
        self._tell()
        self._give()
        self._make_room()
        while is_short := self._lacks_connections():
            if self._is_to_go_on or not self._growth.may_open(self._number):
                break
            self._open()
        if self._closed is not None and not (self._queue or self._failing or self._coming):
            self._leave(self._closed)
        self._set_alarm(is_short)

    def _tell(self) -> None:
        while self._failing and self._left > 0:
            queue, failure = self._failing[0]
            if queue:
                self._left -= 1
                self._tell_one(queue.pop(), failure)
            else:
                self._failing.popleft()

    def _tell_one(self, job: Job[ClientT], failure: Failure) -> None:
        try:
            job.fail(failure)
        except Exception:
            self._broken(job)

    @property
    def _number(self) -> int:
        """The number of connections, including those that are being opened."""
        return len(self._pool) + len(self._opening)

    def _lacks_connections(self) -> bool:
        """Whether jobs still wait after `_give`, and no connection is being opened for them."""
        waiting = len(self._queue)
        stuck = self._stuck()
        if stuck and self._idle_one() is None:
            waiting += len(stuck)
        return waiting > len(self._opening)

    def _give(self) -> None:
        queue = self._queue
        while queue.new and self._left > 0 and (connection := self._free(is_new=True)) is not None:
            self._hand(queue.new.popitem(last=False)[0], connection)
        while queue.any and self._left > 0 and (connection := self._free()) is not None:
            self._hand(queue.any.popitem(last=False)[0], connection)
        for job in self._stuck():
            connection = self._idle_one()
            if connection is not None and job.connection is not None and job.connection.take_back(job):
                self._hand(job, connection, is_again=True)

    def _hand(
        self, job: Job[ClientT], connection: PooledConnection[ClientT], *, is_again: bool = False
    ) -> None:
        self._left -= 1
        try:
            if is_again:
                job.renew()
            connection.give(job)
            if len(connection.underway) > 1:
                self._look_at = min(self._look_at, job.given_at + SLOW)
        except Exception:
            self._broken(job)
            connection.drop(job)

    def _idle_one(self, *, is_new: bool = False) -> PooledConnection[ClientT] | None:
        for connection in self._pool:
            if not connection.underway and connection.has_room and (connection.is_new or not is_new):
                return connection
        return None

    def _free(self, *, is_new: bool = False) -> PooledConnection[ClientT] | None:
        """An idle connection; if no more can be opened, the connection with the fewest jobs."""
        best, least = None, self._at_once
        for connection in self._pool:
            load = len(connection.underway)
            if load < least and connection.has_room and (load or connection.is_new or not is_new):
                if not load:
                    return connection
                best, least = connection, load
        return None if is_new or self._growth.may_open(self._number) else best

    def _stuck(self) -> list[Job[ClientT]]:
        """The jobs that have waited too long for an earlier job on their connection."""
        if self._look_at == inf or (now := self._clock.seconds()) < self._look_at:
            return []
        waiting = [job for each in self._pool for job in each.underway[1:]]
        # No job can have waited too long before this time.
        self._look_at = min((job.given_at + SLOW for job in waiting), default=inf)
        return [job for job in waiting if job.given_at + SLOW <= now]

    def _make_room(self) -> None:
        """If a job needs a new connection and no more can be opened, close an old one."""
        if not self._queue.new:
            return
        leaving = sum(each.is_leaving for each in self._pool)
        short = len(self._queue.new) - len(self._opening) - leaving
        if short > 0 and not self._growth.may_open(self._number):
            staying = [each for each in self._pool if not each.is_leaving]
            for connection in sorted(staying, key=lambda each: len(each.underway))[:short]:
                connection.leave()

    def _leave(self, closed: list[Deferred[None]]) -> None:
        for connection in list(self._pool):
            if not connection.underway and not connection.is_leaving:
                connection.leave()
        self._open_no_more()
        self._ended = [each for each in self._ended if each.underway]
        if not self._number and not self._ended:
            self._closed = []
            for waiter in closed:
                waiter.callback(None)

    def _set_alarm(self, is_short: bool) -> None:
        """Set the timer for the next action that depends only on time.

        :param is_short: whether there are too few connections.
        """
        if self._alarm is None and self._look_at == inf and not is_short and self._left > 0:
            return  # the usual case
        if self._look_at < inf and not self._queue and all(len(each.underway) < 2 for each in self._pool):
            self._look_at = inf
        now = self._clock.seconds()
        due = self._look_at if self._look_at > now else inf
        if is_short and (growing := self._growth.due(self._number)) is not None and growing > now:
            due = min(due, growing)
        if self._left <= 0:
            due = now
        if self._alarm is not None:
            if due < inf and self._alarm.getTime() <= due + 0.01:
                return
            self._alarm.cancel()
            self._alarm = None
        if due < inf:
            self._alarm = self._clock.callLater(due - now, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._go_on()

    # -- connections

    def _open(self) -> None:
        self._growth.begun(self._number + 1)
        opening = self._context.copy().run(lambda: ensureDeferred(self._open_client()))
        self._opening.add(opening)
        opening.addBoth(self._opened, opening)

    def _open_no_more(self) -> None:
        """Cancel the connections that are being opened."""
        opening = list(self._opening)
        self._opening.clear()
        for each in opening:
            each.cancel()

    def _opened(self, result: ClientT | Failure, opening: Deferred[ClientT]) -> None:
        if opening not in self._opening:  # it was cancelled
            if not isinstance(result, Failure):
                result.abort()
            return
        self._opening.remove(opening)
        try:
            if isinstance(result, Failure):
                self._failed(result)
            elif not result.is_usable:
                self._failed(Failure(ConnectionLost(f"{self._name} has closed the new connection")))
            else:
                self._use(result)
        except Exception:
            self._broken()
            if not isinstance(result, Failure):
                result.abort()
        self._go_on()

    def _use(self, client: ClientT) -> None:
        connection = PooledConnection(client, self, jobs=self._jobs, at_once=self._at_once, idle=self._idle)
        self._pool.append(connection)
        client.closed().addCallback(self._gone, connection)
        self._growth.succeeded()
        self._refusal = None
        connection.rest()

    def _gone(self, _: None, connection: PooledConnection[ClientT]) -> None:
        self._pool.remove(connection)
        try:
            connection.gone()
        except Exception:
            self._broken()
        self._ended = [each for each in (*self._ended, connection) if each.underway]
        self._go_on()

    def _failed(self, failure: Failure) -> None:
        """A connection could not be opened: the waiting jobs use the open ones, if there are any."""
        error = failure.value
        is_permanent = True
        if isinstance(error, ClientError):
            self._refusal, is_permanent = error, error.is_permanent
        is_crowded = isinstance(error, ServiceClosing)
        if self._number or (not is_permanent and self._growth.has_chance(is_crowded=is_crowded)):
            self._growth.failed(self._number, is_permanent=is_permanent)
            return
        self._growth.gave_up()
        self._failing.append((self._queue, failure))
        self._queue = Queue()

    def _others_serve(self, connection: PooledConnection[ClientT]) -> bool:
        """Whether the server serves other connections, or did so a moment ago; called by a connection."""
        if self._clock.seconds() < self._served_at + SERVING_FOR:
            return True
        return any(each.serves for each in self._pool if each is not connection)

    def _has_served(self, *, is_first: bool) -> None:
        """A job was done; called by its connection."""
        self._served_at = self._clock.seconds()
        if is_first:
            self._growth.served()

    def _is_crowded(self) -> None:
        """The server may have no room for a new connection; called by that connection."""
        if self._number > 1:
            self._growth.failed(self._number - 1)

    # -- jobs

    def _again(self, job: Job[ClientT]) -> None:
        """Give a job to another connection; called by its connection."""
        self._queue.again(job)

    def _waited(self, job: Job[ClientT], wait: float) -> None:
        """A job has waited for ``wait`` seconds: fail it, unless it is running."""
        try:
            if not self._take_back(job):
                job.is_late = True
                return
            why = "" if self._refusal is None else f"; the last one could not be had: {self._refusal}"
            job.fail(Failure(QueueTimeout(f"Waited {wait:g} s for a connection to {self._name}{why}")))
            self._less_waits()
        except Exception:
            self._broken(job)

    def _take_back(self, job: Job[ClientT]) -> bool:
        if self._queue.discard(job):
            return True
        connection = job.connection
        return connection is not None and connection.underway[0] is not job and connection.take_back(job)

    def _cancelled(self, job: Job[ClientT]) -> None:
        """A job was cancelled."""
        try:
            job.wait_no_more()
            if not self._queue.discard(job) and job.connection is not None:
                job.connection.cancel(job)
            self._less_waits()
        except Exception:
            self._broken(job)

    def _less_waits(self) -> None:
        if not self._queue:
            self._open_no_more()
        self._go_on()

    def _broken(self, job: Job[ClientT] | None = None) -> None:
        """An unexpected exception: it becomes the result of the job, or of all jobs that would wait for
        ever."""
        failure = Failure()
        self.log.failure("in a pool of connections to {server}", failure, server=self._name)
        if job is not None:
            self._queue.discard(job)
            job.finish(failure)
            return
        queues = [self._queue, *(queue for queue, _ in self._failing)]
        waiting: list[Deferred[None]] = []
        if self._closed is not None:
            waiting, self._closed = self._closed, []
        self._queue = Queue()
        self._failing.clear()
        for queue in queues:
            for each in queue:
                each.finish(failure)
        for waiter in waiting:
            waiter.errback(failure)
