"""One connection of a pool, and what it is given to send."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailproto.model import Outcome
from mailproto.smtp.client._client import SMTPClient
from mailproto.smtp.client._errors import ConnectionLost, SMTPClientError
from mailproto.smtp.client._job import Job
from mailproto.smtp.client._message import Message

__all__ = ["MOST_UNDERWAY", "Pool", "PooledConnection"]

MOST_UNDERWAY = 2
"""Messages given to one connection: the second one's commands go behind the first one's content."""

NEW_FOR = 5
"""Seconds without a message for which a connection still counts as new."""


class Pool(Protocol):
    """What a connection tells its pool."""

    def others_serve(self, connection: PooledConnection) -> bool:
        """Whether the server serves others, or did so a moment ago."""

    def has_served(self, *, is_first: bool) -> None:
        """A message was answered, the connection's first one or another."""

    def is_crowded(self) -> None:
        """A new connection was lost: the server may have room for the others only."""

    def again(self, job: Job) -> None:
        """The job must be given to another connection."""

    def go_on(self) -> None:
        """The connection has less to do."""


class PooledConnection:
    """A client and how much it has to do.

    Whatever goes wrong with our own code here is the job's result, and ends the connection.

    :param messages: that it is given in all.
    :param idle: seconds without any until it leaves.
    :ivar underway: what it was given and has not answered, the oldest first.
    :ivar is_leaving: whether it is given nothing more.
    """

    log = Logger()

    def __init__(self, client: SMTPClient, pool: Pool, *, messages: int, idle: float) -> None:
        self._client = client
        self._pool = pool
        self._left = messages
        self._idle = idle
        self._timer: IDelayedCall | None = None
        self._has_sent = False
        self._owes = False  # an answer about a message that was taken back
        self._opened_at = client.clock.seconds()
        self.underway: list[Job] = []
        self.is_leaving = False
        self._has_served = False

    @property
    def is_usable(self) -> bool:
        """Whether something can still be said over it."""
        return self._client.is_usable

    @property
    def serves(self) -> bool:
        """Whether the server has said anything about a message over it, and is still there."""
        is_heard = self._has_served or any(job.message.is_answered for job in self.underway)
        return is_heard and self.is_usable

    @property
    def has_room(self) -> bool:
        """Whether it may be given another message."""
        return (
            self._left > 0
            and not self.is_leaving
            and len(self.underway) < MOST_UNDERWAY
            and self._client.is_usable
            and self._client.takes_transaction(len(self.underway))
        )

    @property
    def is_new(self) -> bool:
        """Whether it has sent nothing, and is too young to have been forgotten by the server."""
        return not self._has_sent and self._client.clock.seconds() < self._opened_at + NEW_FOR

    def send(self, job: Job) -> None:
        """Send one more."""
        was_new = self.is_new
        job.connection, job.given_at = self, self._client.clock.seconds()
        self.underway.append(job)
        self._wake()
        self._left -= 1
        self._has_sent = True
        message = job.message
        self._client.submit(message).addBoth(self._sent, job, message, was_new)

    def rest(self) -> None:
        """There is nothing underway: leave after a while, or at once if it may be given no more."""
        if self.is_leaving or not self._left or not self._client.takes_transaction():
            self.leave()
        elif self._client.is_usable and self._timer is None:
            self._timer = self._client.clock.callLater(self._idle, self._idle_too_long)

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

    def take_back(self, job: Job) -> bool:
        """Have a job not sent; False if it may be delivered.

        If the server has heard of it already, the connection ends after the older ones.
        """
        client, message = self._client, job.message
        if not client.withdraw(message):
            return False
        self._forget(job)
        if message.is_withdrawn:
            self._owes = True
            self.is_leaving = True
        return True

    def cancel(self, job: Job) -> None:
        """The job's result is not wanted any more."""
        if job is self.underway[0]:
            self._forget(job)
            self._client.abort()
        elif not self.take_back(job):
            self._forget(job)  # its content is sent, and what came before it is still to be answered

    def drop(self, job: Job) -> None:
        """Something went wrong with ourselves: end the connection."""
        self._client.abort()
        if job.connection is self:
            self._forget(job)

    def gone(self) -> None:
        """The connection has ended."""
        self._wake()
        for job in list(self.underway):  # none, if every message was told
            self._forget(job)
            job.break_off(Failure(ConnectionLost()))

    def _forget(self, job: Job) -> None:
        self.underway.remove(job)
        job.connection = None

    def _sent(self, result: list[Outcome] | Failure, job: Job, message: Message, was_new: bool) -> None:
        if job.connection is not self or job.message is not message:
            return  # it was taken back
        self._forget(job)
        try:
            self._settle(job, message, result, was_new)
        except Exception:
            self._broken(job)
        try:
            if not self.underway:
                self.rest()
        except Exception:
            self._broken()
        self._pool.go_on()

    def _settle(self, job: Job, message: Message, result: list[Outcome] | Failure, was_new: bool) -> None:
        """The job is done, or goes on over another connection."""
        if isinstance(result, Failure):
            error = result.value
            if isinstance(error, ConnectionLost) and self._may_go_on(job, error, was_new):
                job.again()
                self._pool.again(job)
            else:
                job.fail(result)
            return
        self._pool.has_served(is_first=not self._has_served)
        self._has_served = True
        if job.take(result):
            job.finish()
        elif self._may_go_on(job, message.error, was_new):
            self._pool.again(job)
        else:
            job.finish()

    def _may_go_on(self, job: Job, error: SMTPClientError | None, was_new: bool) -> bool:
        if error is None:  # it was only that this connection takes no more
            return not job.is_late
        others_serve = self._pool.others_serve(self)
        if was_new:
            self._pool.is_crowded()
        return job.may_try_again(was_new=was_new, others_serve=others_serve)

    def _broken(self, job: Job | None = None) -> None:
        """An exception of our own: the job is told, and nothing more is sent over this connection."""
        failure = Failure()
        self.log.failure("in a pool of SMTP connections", failure)
        self._client.abort()
        if job is not None:
            job.break_off(failure)

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
