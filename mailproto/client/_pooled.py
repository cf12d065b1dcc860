"""One connection of a pool, and the jobs that it is given."""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailproto.client._client import Client
from mailproto.client._errors import ClientError, ConnectionLost
from mailproto.client._job import Job

__all__ = ["Pool", "PooledConnection"]

NEW_FOR = 5
"""Seconds without a job for which a connection still counts as new."""

ClientT = TypeVar("ClientT", bound=Client[Any])


class Pool(Protocol):
    """What a connection tells its pool."""

    def _others_serve(self, connection: PooledConnection[Any]) -> bool:
        """Whether the server serves others, or did so a moment ago."""

    def _has_served(self, *, is_first: bool) -> None:
        """A job was done, the connection's first one or another."""

    def _is_crowded(self) -> None:
        """A new connection was lost: the server may have room for the others only."""

    def _again(self, job: Job[Any]) -> None:
        """The job must be given to another connection."""

    def _go_on(self) -> None:
        """The connection has less to do."""


class PooledConnection(Generic[ClientT]):
    """A client and how much it has to do.

    Whatever goes wrong with our own code here is the job's result, and ends the connection.

    :param jobs: that it is given in all.
    :param at_once: jobs that it is given before the first one is done.
    :param idle: seconds without any until it leaves.
    :ivar underway: what it was given and has not answered, the oldest first.
    :ivar is_leaving: whether it is given nothing more.
    """

    log = Logger()

    def __init__(self, client: ClientT, pool: Pool, *, jobs: int, at_once: int, idle: float) -> None:
        self._client = client
        self._pool = pool
        self._left = jobs
        self._at_once = at_once
        self._clock = client.protocol.clock
        self._idle = idle
        self._timer: IDelayedCall | None = None
        self._is_used = False
        self._owes = False  # an answer about a job that was taken back
        self._opened_at = self._clock.seconds()
        self.underway: list[Job[ClientT]] = []
        self.is_leaving = False
        self._has_served = False

    @property
    def is_usable(self) -> bool:
        """Whether something can still be said over it."""
        return self._client.is_usable

    @property
    def serves(self) -> bool:
        """Whether the server has said anything about a job over it, and is still there."""
        is_heard = self._has_served or any(job.is_answered for job in self.underway)
        return is_heard and self.is_usable

    @property
    def has_room(self) -> bool:
        """Whether it may be given another job."""
        return (
            self._left > 0
            and not self.is_leaving
            and len(self.underway) < self._at_once
            and self._client.is_usable
            and self._client._has_room(len(self.underway))
        )

    @property
    def is_new(self) -> bool:
        """Whether it has done nothing, and is too young to have been forgotten by the server."""
        return not self._is_used and self._clock.seconds() < self._opened_at + NEW_FOR

    def give(self, job: Job[ClientT]) -> None:
        """Do one more."""
        was_new = self.is_new
        job.connection, job.given_at = self, self._clock.seconds()
        self.underway.append(job)
        self._wake()
        self._left -= 1
        self._is_used = True
        job.attempt += 1
        job.begin(self._client).addBoth(self._done, job, job.attempt, was_new)

    def rest(self) -> None:
        """There is nothing underway: leave after a while, or at once if it may be given no more."""
        if self.is_leaving or not self._left or not self._client._has_room():
            self.leave()
        elif self._client.is_usable and self._timer is None:
            self._timer = self._clock.callLater(self._idle, self._idle_too_long)

    def leave(self) -> None:
        """Say goodbye, after what is underway."""
        self.is_leaving = True
        if self.underway:
            return
        self._wake()
        if self._owes:
            self._client.abort()
        else:
            self._client.quit()

    def take_back(self, job: Job[Any]) -> bool:
        """Have a job not done; False if it may be done all the same.

        If the server has heard of it already, the connection ends after the older ones.
        """
        if not job.withdraw(self._client):
            return False
        self._forget(job)
        if job.is_owed:
            self._owes = True
            self.is_leaving = True
        return True

    def cancel(self, job: Job[Any]) -> None:
        """The job's result is not wanted any more."""
        if job is self.underway[0]:
            self._forget(job)
            try:
                job.stop()
            finally:
                self._client.abort()
        elif not self.take_back(job):
            self._forget(job)  # the connection is still needed for what came before it
            job.stop()

    def drop(self, job: Job[Any]) -> None:
        """Something went wrong with ourselves: end the connection."""
        self._client.abort()
        if job.connection is self:
            self._forget(job)

    def gone(self) -> None:
        """The connection has ended."""
        self._wake()
        for job in list(self.underway):
            if job.ends_with_connection:  # it was not told, which is a fault of our own
                self._forget(job)
                job.finish(Failure(ConnectionLost()))

    def _forget(self, job: Job[Any]) -> None:
        self.underway.remove(job)
        job.connection = None

    def _done(self, result: Any, job: Job[ClientT], attempt: int, was_new: bool) -> None:
        if job.connection is not self or job.attempt != attempt:
            return  # it was taken back
        self._forget(job)
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
        """The job is done, or goes on over another connection."""
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
        if error is None:  # it was only that this connection takes no more
            return not job.is_late
        others_serve = self._pool._others_serve(self)
        if was_new:
            self._pool._is_crowded()
        return job.may_try_again(was_new=was_new, others_serve=others_serve)

    def _broken(self, job: Job[ClientT] | None = None) -> None:
        """An exception of our own: the job is told, and nothing more is sent over this connection."""
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
