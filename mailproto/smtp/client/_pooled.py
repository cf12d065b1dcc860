"""One connection of a pool, and what it is given to send."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from mailproto.model import Outcome
from mailproto.smtp.client._client import SMTPClient
from mailproto.smtp.client._errors import ConnectionLost
from mailproto.smtp.client._job import Job

__all__ = ["MOST_UNDERWAY", "PooledConnection"]

MOST_UNDERWAY = 2
"""Messages given to one connection: the second one's commands go behind the first one's content."""


class PooledConnection:
    """A client and how much it has to do.

    :param messages: that it is given in all.
    :param idle: seconds without any until it leaves.
    :param free: called whenever it has less to do.
    :param again: called with a job that must be given to another connection.
    """

    def __init__(
        self,
        client: SMTPClient,
        *,
        messages: int,
        idle: float,
        free: Callable[[], None],
        again: Callable[[Job], None],
    ) -> None:
        self._client = client
        self._left = messages
        self._idle = idle
        self._free = free
        self._again = again
        self._timer: IDelayedCall | None = None
        self._is_leaving = False
        self.underway = 0
        self._rest()

    @property
    def has_room(self) -> bool:
        """Whether it may be given another message."""
        return (
            self._left > 0
            and self.underway < MOST_UNDERWAY
            and self._client.is_usable
            and self._client.takes_transaction(self.underway)
            and not self._is_leaving
        )

    def send(self, job: Job) -> None:
        """Send one more."""
        self._wake()
        self._left -= 1
        self.underway += 1
        self._client.submit(job.message).addBoth(self._sent, job)

    def leave(self) -> None:
        """Say goodbye."""
        self._wake()
        if not self._is_leaving:
            self._is_leaving = True
            self._client.quit()

    def _sent(self, result: list[Outcome] | Failure, job: Job) -> None:
        self.underway -= 1
        if not isinstance(result, Failure):
            outcomes = job.take(result)
            if outcomes is None:
                self._again(job)
            else:
                job.result.callback(outcomes)
        elif isinstance(result.value, ConnectionLost) and not job.is_second_try:
            job.try_again()
            self._again(job)
        else:
            job.fail(result)
        if not self.underway:
            self._rest()
        self._free()

    def _rest(self) -> None:
        if not self._left or not self._client.takes_transaction():
            self.leave()
        elif self._client.is_usable and self._timer is None:
            self._timer = self._client.clock.callLater(self._idle, self._idle_too_long)

    def _idle_too_long(self) -> None:
        self._timer = None
        self.leave()

    def _wake(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def gone(self) -> None:
        """The connection has ended."""
        self._wake()
