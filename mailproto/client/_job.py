"""What a pool does over one of its connections, or over one after another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.python.failure import Failure

from mailproto.client._client import Client
from mailproto.client._errors import ClientError

if TYPE_CHECKING:
    from mailproto.client._pooled import PooledConnection
    from mailproto.client._waiting import Deadlines

__all__ = ["MOST_AT_ONCE", "Job", "Task"]

MOST_AT_ONCE = 100
"""Jobs that are handed out, or told that they failed, in one turn of the reactor."""

MOST_LOSSES = 2
"""New connections that may be lost before anything of a job was done that cannot be done again."""

MOST_LOSSES_BESIDE_OTHERS = 10
"""The same, where the server serves other connections and may have no room for that one."""

ClientT = TypeVar("ClientT", bound=Client[Any])
T = TypeVar("T")


class Job(ABC, Generic[ClientT]):
    """Work for a connection of a pool; it is begun again over another one while that does no harm.

    :ivar result: fires with what came of it.
    :ivar cancelled: called when the result is not wanted any more.
    :ivar connection: that it was given to, if it was.
    :ivar given_at: when, in seconds.
    :ivar attempt: how often it was given to one.
    :ivar deadlines: what ends its wait, if that has a limit.
    :ivar is_late: whether its time to wait is over; then it is not tried again.
    :ivar needs_new: whether only a connection that has done nothing before will do.
    """

    ends_with_connection: ClassVar[bool] = True
    """Whether there is nothing left to do once its connection has ended."""

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
        self._context = copy_context()  # of what wants the result
        self.result: Deferred[Any] = Deferred(lambda _: self.cancelled(self))
        self.cancelled: Callable[[Job[ClientT]], None] = _ignore
        self.connection: PooledConnection[ClientT] | None = None
        self.given_at = 0.0
        self.attempt = 0
        self.deadlines: Deadlines | None = None
        self.is_late = False
        self.needs_new = False
        self._losses = [0, 0]  # of new connections: alone, and beside others

    # -- what a kind of job says

    @abstractmethod
    def begin(self, client: ClientT) -> Deferred[Any]:
        """Begin it over a connection; after others that are underway there."""

    def take(self, value: Any) -> bool:
        """Note what one connection has achieved; False if another one may go on with what is left."""
        self.finish(value)
        return True

    @property
    def is_answered(self) -> bool:
        """Whether the server has said anything about it over its connection."""
        return False

    @property
    def loss(self) -> ClientError | None:
        """What the last connection was lost with, if that is why `take` was not all of it."""
        return None

    def may_be_repeated(self) -> bool:
        """Whether nothing was done, where its connection was lost, that must not be done again."""
        return False

    def withdraw(self, client: ClientT) -> bool:
        """Take it back from a connection; False if it may be done all the same."""
        return False

    def stop(self) -> None:
        """Its result is not wanted any more, though it is underway."""

    @property
    def is_owed(self) -> bool:
        """Whether a connection that it was taken back from still owes an answer about it."""
        return False

    def renew(self) -> None:
        """What was given to a connection that is lost is of no use to another."""

    def settle(self, error: ClientError) -> bool:
        """Have the error for the outcome of what is left; False if nothing was achieved."""
        return False

    def complete(self) -> None:
        """Tell the result of what was taken, and settled."""

    # -- what all have in common

    def may_try_again(self, *, was_new: bool, others_serve: bool) -> bool:
        """Whether, after its connection was lost, another one is to be tried.

        :param was_new: whether that connection had done nothing else.  One that had may have
            ended for a reason that is not the job's: it was idle for too long, or the
            server takes so many over one.  Such a loss counts for nothing, but the
            next try is over a new connection.
        :param others_serve: whether the server serves others.
        """
        if self.is_late:
            return False
        self.needs_new = not (was_new and others_serve)
        if not was_new:
            return True
        self._losses[others_serve] += 1
        return self._losses[others_serve] < (MOST_LOSSES_BESIDE_OTHERS if others_serve else MOST_LOSSES)

    def finish(self, result: Any) -> None:
        """Tell the result, or a `Failure`."""
        self.wait_no_more()
        if not self.result.called:
            self._context.copy().run(self.result.callback, result)

    def fail(self, failure: Failure) -> None:
        """Tell that there is no other connection."""
        error = failure.value
        if isinstance(error, ClientError) and self.settle(error):
            self.complete()
        else:
            self.finish(failure)

    def wait_no_more(self) -> None:
        """Its wait has no limit any more."""
        deadlines, self.deadlines = self.deadlines, None
        if deadlines is not None:
            deadlines.discard(self)


class Task(Job[ClientT], Generic[ClientT, T]):
    """Whatever a function does with a client; it is done once, over one connection.

    :param work: the client must not be kept for longer than it takes.
    """

    ends_with_connection = False  # the function may have other things to do

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
        """Cancel what the function waits for."""
        if self._running is not None:
            self._running.cancel()


def _ignore(_: Job[Any]) -> None:
    """No pool has it."""
