"""A connection whose handlers wait for their turn, and for a slow client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from itertools import islice
from typing import Any, Final, Generic, ParamSpec, TypeVar

from twisted.internet.defer import CancelledError, Deferred

from mailproto.connection._base import Connection
from mailproto.connection._line import BRIEFLY, line_of
from mailproto.typing import ReactorTime

__all__ = ["STALL", "ConnectionOver", "FairConnection"]

EventT = TypeVar("EventT")
P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

STALL: Final = 0.05
"""What holds the reactor for longer, in seconds, is told to the observer (`mailproto.observing.Stalled`).

These are seconds of the clock on the wall, because that is what all others wait, whatever the reason: work,
a slow disk, a thread that keeps the interpreter, a machine that is busy with other programs.  The processor
time of the reactor's thread is told beside it: if that is much less, the reason was not the reactor's work.
"""


class ConnectionOver(Exception):
    """The connection has ended while a handler was running, so its result is of no use any more."""


class FairConnection(Connection, Generic[EventT]):
    """A connection that takes turns with others (`mailproto.connection._line`), and waits for its client.

    :ivar clock: the reactor; also for a subclass's own timers.
    """

    def __init__(self, clock: ReactorTime) -> None:
        super().__init__()
        self.clock = clock
        self._line = line_of(clock)
        self._entered = 0.0  # when the reactor began to serve us, this time
        self._event: EventT | None = None  # the one whose handler is pending
        self._while_open: dict[Deferred[Any], None] = {}
        self._waiting: list[Deferred[None]] = []  # until the client has read what was sent

    # -- provided by each protocol

    def describe(self, event: EventT) -> str:
        """A short name of an event for the log, without secrets."""
        return type(event).__name__

    def stalled(self, command: str, seconds: float, cpu_seconds: float) -> None:
        """This connection has held the reactor for longer than `STALL`.

        :param command: the command that did, or ""; then it was something else, such as a timer.
        :param cpu_seconds: for how much of this the reactor's thread used a processor.
        """

    @property
    def is_stranger(self) -> bool:
        """Whether the client has yet to show who it is; strangers share half of the time when others wait."""
        return False

    # -- for use by protocols

    def drained(self) -> Deferred[None]:
        """Fires when the client has read enough, or the connection has ended (see `is_open`)."""
        self._send_now()
        waiter: Deferred[None] = Deferred()
        if self._writable:
            waiter.callback(None)
        else:
            self._waiting.append(waiter)
        return waiter

    async def breathe(self) -> None:
        """Let other connections have their turn, if this one has had enough time; to be called often by
        handlers that may take long.

        :raises ConnectionOver: the connection has ended, and so should the handler.
        """
        # It costs a tenth of a microsecond if there is still time.
        now = self.clock.seconds()
        entered = self._entered
        if entered <= now < entered + BRIEFLY or self._line.has_time(now, entered):
            return
        if self._open:
            turn: Deferred[None] = Deferred()
            self._line.wait(partial(turn.callback, None), is_stranger=self.is_stranger)
            await turn
            self._waited()
        if not self.is_open:
            raise ConnectionOver

    async def wait_turn(self) -> None:
        """Let others go first, if the time for new work is up, or if others have sent something: before work
        that holds the reactor for milliseconds, or that no input of this client has begun.

        :raises ConnectionOver: as `breathe`.
        """
        line = self._line
        if self._open and (
            line.input_waits or (line.end and not line.has_time(self.clock.seconds(), self._entered))
        ):
            turn: Deferred[None] = Deferred()
            line.wait(partial(turn.callback, None), is_stranger=self.is_stranger)
            await turn
        if not self.is_open:
            raise ConnectionOver

    async def while_open(self, waiting: Deferred[T]) -> T:
        """The result of ``waiting``, which is cancelled if the connection ends before.

        :raises ConnectionOver: it has ended.
        """
        self._while_open[waiting] = None
        try:
            if not self.is_open:
                waiting.cancel()
            return await waiting
        except CancelledError:
            if self.is_open:
                raise
            raise ConnectionOver from None
        finally:
            del self._while_open[waiting]

    async def in_batches(self, items: Iterable[T], size: int = 100) -> AsyncIterator[list[T]]:
        """Lists of at most ``size`` items, with `breathe` after each.

        :param size: so many items should take less than a millisecond.
        :raises ConnectionOver: as `breathe`.
        """
        left = iter(items)
        while batch := list(islice(left, size)):
            yield batch
            await self.breathe()

    def _waited(self) -> None:
        """Called when a handler has waited for its turn."""

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(None)

    def _stop_waiting(self) -> None:
        for waiting in list(self._while_open):
            waiting.cancel()

    def in_context(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """See `Connection.in_context`; calls that take too long are told as `stalled`."""
        if self._is_inside:
            return super().in_context(call, *args, **kwargs)
        self._entered = self.clock.seconds()
        self._line.begins(self._entered)
        try:
            return super().in_context(call, *args, **kwargs)
        finally:
            self._look_at_clock(self.clock.seconds(), self._event)

    def _look_at_clock(self, now: float, event: EventT | None) -> None:
        """Tell if we have held the reactor for too long, because of ``event``."""
        seconds = now - self._entered
        if seconds > STALL:
            self._entered = now  # told once
            cpu = min(self._line.cpu_used(), seconds)
            self.stalled("" if event is None else self.describe(event), seconds, cpu)
