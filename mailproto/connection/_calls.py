"""Calls of contracts that take time, and their time limit."""

from __future__ import annotations

from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from mailproto.errors import Unavailable
from mailproto.typing import ReactorTime

__all__ = ["LimitedCall", "TookTooLong"]

T = TypeVar("T")


class TookTooLong(Unavailable):
    """A call of a contract was not done in time, or before the server stopped."""


class LimitedCall:
    """A call that is cancelled at its end time.

    :param what: the method, for the log, such as ``Filter.deliver``.
    :param seconds: the time that it may take from now on.
    :ivar end: the time by the clock when it must be done.
    """

    __slots__ = ("_deferred", "_reason", "_seconds", "_timer", "_what", "end")

    def __init__(self, deferred: Deferred[Any], what: str, seconds: float, now: float) -> None:
        self.end = now + seconds
        self._deferred = deferred
        self._what = what
        self._seconds = seconds
        self._reason = ""  # why it was given up
        self._timer: IDelayedCall | None = None
        deferred.addErrback(self._failed)

    def give_up(self, reason: str = "") -> None:
        """Cancel the call: it fails with `TookTooLong`, unless it gives a result at once.

        :param reason: for the log; by default that its time is over.
        """
        self._reason = reason or f"was not done after {self._seconds:g} seconds, and was cancelled"
        self._deferred.cancel()

    def watch(self, clock: ReactorTime) -> None:
        """Give up in time, without a connection whose timer looks after it."""
        self._timer = clock.callLater(max(0, self.end - clock.seconds()), self.give_up)

    def done(self) -> None:
        """The call has its result."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _failed(self, failure: Failure) -> Failure:
        if not self._reason:
            return failure
        return Failure(TookTooLong(detail=f"{self._what} {self._reason}"))
