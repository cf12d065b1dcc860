"""The jobs of a pool."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.python.failure import Failure

from mailproto.client._client import Client
from mailproto.client.errors import ClientError

if TYPE_CHECKING:
    from mailproto.client._pooled import PooledConnection
    from mailproto.client._waiting import Deadlines

__all__ = ["MOST_AT_ONCE", "Job", "Task"]

MOST_AT_ONCE = 100
"""Jobs that are started or failed in one turn of the reactor."""

MOST_LOSSES = 2
"""How many new connections may be lost during a job before it fails."""

MOST_LOSSES_BESIDE_OTHERS = 10
"""The same, if the server serves other connections, and may have no room for that one."""

ClientT = TypeVar("ClientT", bound=Client[Any, Any])
T = TypeVar("T")


class Job(ABC, Generic[ClientT]):
    """Work for a connection of a pool; after a loss it is started again over another one, if that is safe.

    :ivar result: fires with the job's result.
    :ivar cancelled: called when the result is cancelled.
    :ivar connection: the connection that has the job, or None.
    :ivar given_at: the time when the connection got the job.
    :ivar attempt: how many times it was given to a connection.
    :ivar deadlines: ends its wait, if the wait has a limit.
    :ivar is_late: whether its waiting time is over; then it is not tried again.
    :ivar needs_new: whether it needs a connection that has done nothing before.
    """

    ends_with_connection: ClassVar[bool] = True
    """Whether the job ends when its connection does."""

    __slots__ = (
        "_context",
        "_losses",
        "attempt",
        "cancelled",
        "connection",
        "deadlines",
        "given_at",
        "is_late",
        "needs_new",
        "result",
    )

    def __init__(self) -> None:
        self._context = copy_context()  # the caller's context
        self.result: Deferred[Any] = Deferred(lambda _: self.cancelled(self))
        self.cancelled: Callable[[Job[ClientT]], None] = _ignore
        self.connection: PooledConnection[ClientT] | None = None
        self.given_at = 0.0
        self.attempt = 0
        self.deadlines: Deadlines | None = None
        self.is_late = False
        self.needs_new = False
        self._losses = [0, 0]  # lost new connections: without and with other working connections

    # -- provided by each kind of job

    @abstractmethod
    def begin(self, client: ClientT) -> Deferred[Any]:
        """Begin the job over a connection, after the connection's other jobs."""

    def take(self, value: Any) -> bool:
        """Record the result of one connection; False if another one may do the rest."""
        self.finish(value)
        return True

    @property
    def is_answered(self) -> bool:
        """Whether the server has answered any part of it over its connection."""
        return False

    @property
    def loss(self) -> ClientError | None:
        """The error with which the last connection was lost, if that is why `take` was incomplete."""
        return None

    def may_be_repeated(self) -> bool:
        """Whether it is safe to repeat what was sent over the lost connection."""
        return False

    def withdraw(self, client: ClientT) -> bool:
        """Take it back from a connection; False if the server may still do it."""
        return False

    def stop(self) -> None:
        """The running job was cancelled."""

    @property
    def is_owed(self) -> bool:
        """Whether the server still has to answer a part of it that was taken back."""
        return False

    def renew(self) -> None:
        """Reset what belongs to the lost connection, for use with another one."""

    def settle(self, error: ClientError) -> bool:
        """Use ``error`` as the result of the rest; False if nothing was done at all."""
        return False

    def complete(self) -> None:
        """Fire `result` with what `take` and `settle` recorded."""

    # -- common to all jobs

    def may_try_again(self, *, was_new: bool, others_serve: bool) -> bool:
        """Whether to try another connection after its connection was lost.

        :param was_new: whether that connection had done nothing else.  An older connection may have ended
            for a reason that has nothing to do with the job, for example because it was idle too long.  Its
            loss is not counted, but the next attempt uses a new connection.
        :param others_serve: whether the server serves other connections.
        """
        if self.is_late:
            return False
        self.needs_new = not (was_new and others_serve)
        if not was_new:
            return True
        self._losses[others_serve] += 1
        return self._losses[others_serve] < (MOST_LOSSES_BESIDE_OTHERS if others_serve else MOST_LOSSES)

    def finish(self, result: Any) -> None:
        """Fire `result` with a value or a `Failure`."""
        self.wait_no_more()
        if not self.result.called:
            self._context.copy().run(self.result.callback, result)

    def fail(self, failure: Failure) -> None:
        """Fail because there is no other connection."""
        error = failure.value
        if isinstance(error, ClientError) and self.settle(error):
            self.complete()
        else:
            self.finish(failure)

    def wait_no_more(self) -> None:
        """Remove the limit of its wait."""
        deadlines, self.deadlines = self.deadlines, None
        if deadlines is not None:
            deadlines.discard(self)


class Task(Job[ClientT], Generic[ClientT, T]):
    """A job that calls a function with a client, once.

    :param work: the function; it must not use the client after its awaitable is done.
    """

    ends_with_connection = False  # the function may go on after the connection has ended

    __slots__ = ("_running", "_work")

    def __init__(self, work: Callable[[ClientT], Awaitable[T]]) -> None:
        super().__init__()
        self._work = work
        self._running: Deferred[T] | None = None

    def begin(self, client: ClientT) -> Deferred[T]:
        """Call the function."""

        async def run() -> T:
            return await self._work(client)

        running = self._running = self._context.copy().run(ensureDeferred, run())
        return running

    def stop(self) -> None:
        """Cancel what the function awaits."""
        if self._running is not None:
            self._running.cancel()


def _ignore(_: Job[Any]) -> None:
    """Used before the job is in a pool."""
