"""One connection of a pool, with its jobs."""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar

from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from mailproto._logger import PackageLogger
from mailproto.client._client import Client
from mailproto.client._job import Job
from mailproto.client.errors import ClientError, ConnectionLost

__all__ = ["Pool", "PooledConnection"]

NEW_FOR = 5
"""Seconds without a job for which a connection still counts as new."""

ClientT = TypeVar("ClientT", bound=Client[Any, Any])


class Pool(Protocol):
    """The methods of a pool that its connections call."""

    def _others_serve(self, connection: PooledConnection[Any]) -> bool:
        """Whether the server serves other connections, or did so a moment ago."""

    def _has_served(self, *, is_first: bool) -> None:
        """A job was done; ``is_first``: it was the connection's first one."""

    def _is_crowded(self) -> None:
        """A new connection was lost: the server may have no room for more connections."""

    def _again(self, job: Job[Any]) -> None:
        """The job must be given to another connection."""

    def _go_on(self) -> None:
        """The connection can take more work."""


class PooledConnection(Generic[ClientT]):
    """A client in a pool, with its jobs.

    An unexpected error in our own code becomes the job's result, and ends the connection.

    :param jobs: the most jobs for this connection in total.
    :param at_once: the most jobs at the same time.
    :param idle: seconds without a job after which it closes.
    :ivar underway: its unfinished jobs, the oldest first.
    :ivar is_leaving: whether it gets no more jobs.
    """

    log = PackageLogger()

    def __init__(self, client: ClientT, pool: Pool, *, jobs: int, at_once: int, idle: float) -> None:
        self._client = client
        self._pool = pool
        self._left = jobs
        self._at_once = at_once
        self._clock = client.protocol.clock
        self._idle = idle
        self._timer: IDelayedCall | None = None
        self._is_used = False
        self._owes = False  # whether the server still has to answer a job that was taken back
        self._opened_at = self._clock.seconds()
        self.underway: list[Job[ClientT]] = []
        self.is_leaving = False
        self._has_served = False

    @property
    def is_usable(self) -> bool:
        """Whether commands can still be sent over it."""
        return self._client.is_usable

    @property
    def serves(self) -> bool:
        """Whether the server has answered a job over it, and the connection is still open."""
        is_heard = self._has_served or any(job.is_answered for job in self.underway)
        return is_heard and self.is_usable

    @property
    def has_room(self) -> bool:
        """Whether it can take another job."""
        return (
            self._left > 0
            and not self.is_leaving
            and len(self.underway) < self._at_once
            and self._client.is_usable
            and self._client._has_room(len(self.underway))
        )

    @property
    def is_new(self) -> bool:
        """Whether it has done no job, and is so new that the server cannot have timed it out."""
        return not self._is_used and self._clock.seconds() < self._opened_at + NEW_FOR

    def give(self, job: Job[ClientT]) -> None:
        """Do a job."""
        was_new = self.is_new
        job.connection, job.given_at = self, self._clock.seconds()
        self.underway.append(job)
        self._wake()
        self._left -= 1
        self._is_used = True
        job.attempt += 1
        job.begin(self._client).addBoth(self._done, job, job.attempt, was_new)

    def rest(self) -> None:
        """It has no job: close after the idle time, or at once if it can take no more jobs."""
        if self.is_leaving or not self._left or not self._client._has_room():
            self.leave()
        elif self._client.is_usable and self._timer is None:
            self._timer = self._clock.callLater(self._idle, self._idle_too_long)

    def leave(self) -> None:
        """End the session after its unfinished jobs."""
        self.is_leaving = True
        if self.underway:
            return
        self._wake()
        if self._owes:
            self._client.abort()
        else:
            self._client.quit()

    def take_back(self, job: Job[Any]) -> bool:
        """Take a job back; False if the server may still do it.

        If the server has already received a part of it, the connection ends after the older jobs.
        """
        if not job.withdraw(self._client):
            return False
        self._forget(job)
        if job.is_owed:
            self._owes = True
            self.is_leaving = True
        return True

    def cancel(self, job: Job[Any]) -> None:
        """The job was cancelled."""
        if job is self.underway[0]:
            self._forget(job)
            try:
                job.stop()
            finally:
                self._client.abort()
        elif not self.take_back(job):
            self._forget(job)  # older jobs still need the connection
            job.stop()

    def drop(self, job: Job[Any]) -> None:
        """An unexpected error occurred: end the connection."""
        self._client.abort()
        if job.connection is self:
            self._forget(job)

    def gone(self) -> None:
        """The connection has ended."""
        self._wake()
        for job in list(self.underway):
            if job.ends_with_connection:  # a fault of our own: it should have ended already
                self._forget(job)
                job.finish(Failure(ConnectionLost()))

    def _forget(self, job: Job[Any]) -> None:
        self.underway.remove(job)
        job.connection = None

    def _done(self, result: Any, job: Job[ClientT], attempt: int, was_new: bool) -> None:
        if job.connection is not self or job.attempt != attempt:
            return  # the job was taken back
        self._forget(job)
        if not self.underway:
            self._client._end_of_job()
        try:
            self._settle(job, result, was_new)
        except Exception:
            self._broken(job)
        try:
            if not self.underway:
                self.rest()
        except Exception:
            self._broken()
        self._pool._go_on()

    def _settle(self, job: Job[ClientT], result: Any, was_new: bool) -> None:
        """Finish the job, or let it go on over another connection."""
        if isinstance(result, Failure):
            error = result.value
            if (
                isinstance(error, ConnectionLost)
                and self._may_go_on(job, error, was_new)
                and job.may_be_repeated()
            ):
                job.renew()
                self._pool._again(job)
            else:
                job.fail(result)
            return
        self._pool._has_served(is_first=not self._has_served)
        self._has_served = True
        if job.take(result):
            return
        if self._may_go_on(job, job.loss, was_new):
            self._pool._again(job)
        else:
            job.complete()

    def _may_go_on(self, job: Job[ClientT], error: ClientError | None, was_new: bool) -> bool:
        if error is None:  # this connection only cannot take more work
            return not job.is_late
        others_serve = self._pool._others_serve(self)
        if was_new:
            self._pool._is_crowded()
        return job.may_try_again(was_new=was_new, others_serve=others_serve)

    def _broken(self, job: Job[ClientT] | None = None) -> None:
        """An unexpected exception: it becomes the job's result, and the connection ends."""
        failure = Failure()
        self.log.failure("in a pool of connections", failure)
        self._client.abort()
        if job is not None:
            job.finish(failure)

    def _idle_too_long(self) -> None:
        self._timer = None
        try:
            self.leave()
        except Exception:
            self._broken()

    def _wake(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
