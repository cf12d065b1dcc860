"""A message that may need more than one connection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from mailproto.model import Outcome
from mailproto.smtp.client._errors import SMTPClientError
from mailproto.smtp.client._message import Message

if TYPE_CHECKING:
    from mailproto.smtp.client._deadlines import Deadlines
    from mailproto.smtp.client._pooled import PooledConnection

__all__ = ["MOST_AT_ONCE", "Job"]

MOST_AT_ONCE = 100
"""Messages that are handed out, or told that they failed, in one turn of the reactor."""

MOST_LOSSES = 2
"""New connections that may be lost before anything of a message's content was sent."""

MOST_LOSSES_BESIDE_OTHERS = 10
"""The same, where the server serves other connections and may have no room for that one."""


class Job:
    """A message on its way through one connection after another.

    :param cancelled: called when the result is not wanted any more.
    :ivar message: what the next connection is given.
    :ivar result: fires with the outcomes of all recipients.
    :ivar connection: that it was given to, if it was.
    :ivar deadlines: who ends its wait, if that has a limit.
    :ivar given_at: when, in seconds.
    :ivar is_late: whether its time to wait is over; then it is not tried again.
    :ivar needs_new: whether only a connection that has sent nothing before will do.
    """

    __slots__ = (
        "_is_begun",
        "_losses",
        "_outcomes",
        "_places",
        "connection",
        "deadlines",
        "given_at",
        "is_late",
        "message",
        "needs_new",
        "result",
    )

    def __init__(self, message: Message, cancelled: Callable[[Job], None] | None = None) -> None:
        self.message = message
        self.result: Deferred[list[Outcome]] = Deferred(cancelled and (lambda _: cancelled(self)))
        self.connection: PooledConnection | None = None
        self.given_at = 0.0
        self.deadlines: Deadlines | None = None
        self.is_late = False
        self.needs_new = False
        self._losses = [0, 0]  # of new connections: alone, and beside others
        self._outcomes: list[Outcome | None] = [None] * len(message.recipients)
        self._is_begun = False  # some have an outcome
        self._places: Sequence[int] = range(len(message.recipients))  # of the message's, in those

    @property
    def outcomes(self) -> list[Outcome]:
        """Of all recipients that have one."""
        return [each for each in self._outcomes if each is not None]

    def take(self, outcomes: Sequence[Outcome]) -> bool:
        """Note what one connection has achieved; False if another one may go on with what is left."""
        for place, outcome in zip(self._places, outcomes, strict=True):
            self._outcomes[place] = outcome
        left = self.message.untried
        if not left:
            return True
        self._is_begun = self._is_begun or len(left) < len(outcomes)
        self._places = [self._places[at] for at in left]
        self.message = self.message.again(left)
        return False

    def may_try_again(self, *, was_new: bool, others_serve: bool) -> bool:
        """Whether, after its connection was lost, another one is to be tried.

        :param was_new: whether that connection had sent nothing else.  One that had may have
            ended for a reason that is not the message's: it was idle for too long, or the
            server takes so many messages over one.  Such a loss counts for nothing, but the
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

    def again(self) -> None:
        """What was given to a connection that is lost is of no use to another."""
        self.message = self.message.again()

    def give_up(self, error: SMTPClientError) -> bool:
        """Have the error for an outcome of those who are left; False if they are all."""
        if self._is_begun:
            for place in self._places:
                self._outcomes[place] = error.outcome()
        return self._is_begun

    # -- the end

    def finish(self) -> None:
        """Tell the outcomes; all are there."""
        self._end(self.outcomes)

    def fail(self, failure: Failure) -> None:
        """Tell that there is no other connection."""
        error = failure.value
        if isinstance(error, SMTPClientError) and self.give_up(error):
            self._end(self.outcomes)
        else:
            self._end(failure)

    def break_off(self, failure: Failure) -> None:
        """Tell what went wrong with ourselves."""
        self._end(failure)

    def wait_no_more(self) -> None:
        """Its wait has no limit any more."""
        deadlines, self.deadlines = self.deadlines, None
        if deadlines is not None:
            deadlines.discard(self)

    def _end(self, result: list[Outcome] | Failure) -> None:
        self.wait_no_more()
        if not self.result.called:
            self.result.callback(result)
