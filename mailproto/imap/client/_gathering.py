"""Gathers the responses to one command."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from twisted.internet.defer import CancelledError, Deferred

from mailproto._arguments import wrong_type
from mailproto.client.errors import NotOffered, ProtocolViolation
from mailproto.imap.client._command import Collector
from mailproto.imap.client._session import IMAPSession
from mailproto.imap.wire._answers import Data, StatusResponse
from mailproto.model import Outcome

__all__ = ["Gathered", "at_once", "check_several", "each_of", "not_offered"]

P = ParamSpec("P")
T = TypeVar("T")


def at_once(method: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Deferred[T]]:
    """A method that begins when it is called, and not only when its result is awaited."""

    @wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        return Deferred.fromCoroutine(method(*args, **kwargs))

    return call


async def each_of(answers: Sequence[Deferred[T]]) -> list[T]:
    """Wait for the answers to several commands.

    :raises Exception: the first error; the others are dropped.  If this is cancelled, all are.
    """
    found = []
    for place, answer in enumerate(answers, 1):
        try:
            found.append(await answer)
        except BaseException as error:
            for other in answers[place:]:
                other.addErrback(lambda _: None)
                if isinstance(error, CancelledError):
                    other.cancel()
            raise
    return found


def check_several(name: str, value: object, example: str) -> None:
    """Check that several texts are no single one, which would be taken for its letters.

    :raises TypeError: they are.
    """
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise wrong_type(name, value, f"texts such as [{example!r}]", f"write [{value!r}]")


def not_offered(what: str) -> NotOffered:
    """The error for an extension that the server does not have."""
    text = f"The server does not offer {what}"
    return NotOffered(Outcome(504, "5.5.1", text), text)


class Gathered(Collector):
    """The responses to one command.

    :param wanted: whether a response answers the command; by default each does.
    :ivar data: in their order.
    :ivar notes: untagged OK, NO and BAD.
    """

    def __init__(self, session: IMAPSession, wanted: Callable[[Data], bool] | None = None) -> None:
        self._session = session
        self._wanted = wanted
        self._octets = 0
        self.data: list[Data] = []
        self.uids: list[int | None] = []
        self.notes: list[StatusResponse] = []

    def take(self, data: Data, uid: int | None) -> bool:
        """Take a response."""
        if self._wanted is not None and not self._wanted(data):
            return False
        self._octets += len(data.text) + 200
        for literal in data.literals:
            self._octets += len(literal or b"")
        if self._octets > self._session.limits.ahead_of_others:
            self._session.fail(ProtocolViolation(f"The server's answers of {data.name} have no end"))
            return True
        self.data.append(data)
        self.uids.append(uid)
        return True

    def note(self, status: StatusResponse) -> None:
        """Note an untagged OK; they are few in a proper answer."""
        if len(self.notes) < 100:
            self.notes.append(status)

    def code(self, name: str, ending: StatusResponse | None = None) -> bytes | None:
        """The arguments of a response code, in the tagged response or before it."""
        for status in (ending, *self.notes):
            if status is not None and status.code == name:
                return status.arguments
        return None
