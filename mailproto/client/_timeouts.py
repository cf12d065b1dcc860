"""The timeouts of a client, and a time limit for a Deferred."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from mailproto._arguments import check_fields
from mailproto.typing import ReactorTime

__all__ = ["ClientTimeouts", "TooLate", "within"]


@dataclass(frozen=True, slots=True)
class ClientTimeouts:
    """The timeouts of a client, in seconds.

    :ivar opening: for `Client.open` as a whole: all addresses of a host, TLS and authentication.
    :ivar connect: to look up a host's addresses, and again to connect to one of them.
    :ivar handshake: for the TLS handshake, before the greeting or after STARTTLS.
    :ivar greeting: for the server's greeting.
    :ivar command: for the answer to a command.
    :ivar quit: for the answer to the last command, and for the end of the connection.
    :raises TypeError, ValueError: a timeout is no number of seconds.
    """

    opening: float = 600
    connect: float = 30
    greeting: float = 300
    command: float = 300
    handshake: float = 60
    quit: float = 10

    def __post_init__(self) -> None:
        """Check all numbers, also those of subclasses."""
        check_fields(self)


T = TypeVar("T")


class TooLate(Exception):
    """The result did not arrive in time."""


def within(
    clock: ReactorTime, seconds: float, pending: Deferred[T], discard: Callable[[T], object]
) -> Deferred[T]:
    """A Deferred with the result of ``pending``, or with `TooLate` after the time limit.

    Cancelling it gives `CancelledError`, whatever error ``pending`` has when it is cancelled (endpoints
    have their own).

    :param discard: called with a result that arrives too late.
    """
    is_over = False

    def give_up(_: Deferred[T]) -> None:
        nonlocal is_over
        is_over = True
        if timer.active():
            timer.cancel()
        pending.cancel()

    def too_late() -> None:
        give_up(result)
        result.errback(TooLate())

    def done(value: T | Failure) -> None:
        if is_over:
            if not isinstance(value, Failure):
                discard(value)
            return
        timer.cancel()
        result.callback(value)

    result: Deferred[T] = Deferred(give_up)
    timer = clock.callLater(seconds, too_late)
    pending.addBoth(done)
    return result
