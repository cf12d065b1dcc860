"""A message that may need more than one connection."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from mailproto.model import Outcome
from mailproto.smtp.client._errors import SMTPClientError
from mailproto.smtp.client._message import SESSION_FULL, Message

__all__ = ["Job"]


class Job:
    """A message on its way through one connection after another.

    :ivar message: what the next connection is given.
    :ivar is_second_try: whether a connection was lost already before it answered anything.
    :ivar result: fires with the outcomes of all recipients.
    """

    __slots__ = ("_is_begun", "_outcomes", "_places", "is_second_try", "message", "result")

    def __init__(self, message: Message) -> None:
        self.message = message
        self.is_second_try = False
        self.result: Deferred[list[Outcome]] = Deferred()
        self._outcomes: list[Outcome] = [SESSION_FULL] * len(message.recipients)
        self._is_begun = False  # some have an outcome
        self._places: Sequence[int] = range(len(message.recipients))  # of the message's, in those

    @property
    def is_cancelled(self) -> bool:
        """Whether nobody waits for the result any more."""
        return bool(self.result.called)

    def try_again(self) -> None:
        """What was given to a connection that is lost is of no use to another."""
        self.is_second_try = True
        self.message = self.message.again()

    def take(self, outcomes: Sequence[Outcome]) -> list[Outcome] | None:
        """What one connection has achieved: the outcomes of all, or None if another must go on."""
        for place, outcome in zip(self._places, outcomes, strict=True):
            self._outcomes[place] = outcome
        if SESSION_FULL not in outcomes:
            return self._outcomes
        left = [at for at, outcome in enumerate(outcomes) if outcome is SESSION_FULL]
        self._is_begun = self._is_begun or len(left) < len(outcomes)
        self._places = [self._places[at] for at in left]
        self.message = self.message.again(left)
        self.is_second_try = False
        return None

    def give_up(self, error: SMTPClientError) -> list[Outcome] | None:
        """Have the error for an outcome of those who are left; None if they are all."""
        if not self._is_begun:
            return None
        for place in self._places:
            self._outcomes[place] = error.outcome()
        return self._outcomes

    def fail(self, failure: Failure) -> None:
        """Tell that there is no other connection."""
        error = failure.value
        outcomes = self.give_up(error) if isinstance(error, SMTPClientError) else None
        self.result.callback(failure if outcomes is None else outcomes)
