"""A connection whose events are handled in order, one at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from functools import partial
from itertools import islice
from typing import Any, Final, Generic, ParamSpec, TypeVar

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from mailproto._arguments import check_refusal
from mailproto._logger import PackageLogger
from mailproto.awaiting import hint
from mailproto.connection._awaiting import begin
from mailproto.connection._base import OCTETS_AT_ONCE, Connection
from mailproto.connection._compression import Damaged, Deflater, Inflater
from mailproto.connection._limits import Limits
from mailproto.connection._line import BRIEFLY, line_of
from mailproto.connection._wire import PlaintextWire
from mailproto.errors import MailError, Unavailable, WireError
from mailproto.typing import ReactorTime

__all__ = ["CLOSED", "STALL", "ConnectionOver", "EventConnection"]

EventT = TypeVar("EventT")
P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

CLOSED = "closed by the client"
"""Why a connection ended, for the log."""

STALL: Final = 0.05
"""What holds the reactor for longer, in seconds, is told to the observer (`mailproto.observing.Stalled`).

These are seconds of the clock on the wall, because that is what all others wait, whatever the reason: work,
a slow disk, a thread that keeps the interpreter, a machine that is busy with other programs.  The processor
time of the reactor's thread is told beside it: if that is much less, the reason was not the reactor's work.
"""


class ServerFault(Unavailable):
    """An error that no contract has: a fault of ours, or of a backend (RFC 5530 SERVERBUG)."""

    imap = "SERVERBUG"


class ConnectionOver(Exception):
    """The connection has ended while a handler was running: nobody waits for its result any more."""


@implementer(IHalfCloseableProtocol)
class EventConnection(Connection, Generic[EventT]):
    """A connection whose events are handled in order, one at a time.

    While a handler is pending, the next event waits, and at most ``limits.pipelined`` octets are read.  No
    event is handled while the client does not read replies, and none after the connection is lost.

    Many events, or a handler that calls `breathe`, take turns with other connections
    (`mailproto.connection._line`).

    :ivar octets_in: how many octets were received, inside TLS after decryption, if they are counted.
    :ivar clock: for a subclass's own timers.
    """

    log = PackageLogger()
    wire: PlaintextWire[EventT]

    def __init__(self, clock: ReactorTime, limits: Limits) -> None:
        super().__init__()
        self.clock = clock
        self.limits = limits
        self.octets_in = 0
        self._line = line_of(clock)
        self._entered = 0.0  # when the reactor began to serve us, this time
        self._is_in_line = False  # because there are events that are not handled yet
        self._held: EventT | None = None  # the first of these
        self._inflater: Inflater | None = None
        self._between: Callable[[], Awaitable[None]] | None = None  # what is to be done between two events
        self._event: EventT | None = None  # the one whose handler is pending
        self._running: Deferred[None] | None = None
        self._reading = True
        self._waiting: list[Deferred[None]] = []
        self._while_open: dict[Deferred[Any], None] = {}
        self._has_received = False
        self._had_event = False
        self._peer_has_closed = False  # the client has closed its side
        self._asked_for_peer = 0.0  # when `is_still_there` was called
        self._octets_after_end = 0  # octets received after our last reply
        self._end_reason = ""
        self._end_after_refusal: tuple[bytes, str] | None = None

    # -- provided by each protocol

    def handle(self, event: EventT) -> Awaitable[None] | None:
        """Handle one event; the next one waits for the awaitable, if there is one.

        The awaitable may be a coroutine, a ``Deferred``, or any other object with ``__await__``; also an
        asyncio future, if the reactor runs on asyncio's loop.  Code that needs asyncio's current task, such
        as ``asyncio.timeout``, must run in a task (``asyncio.ensure_future``).

        A `MailError` from the call or from the awaitable is passed to `refuse`.
        """
        raise TypeError(f"{type(self).__name__} handles no {event!r}")

    def refuse_syntax(self, error: WireError) -> None:
        """Answer octets that break the protocol."""

    def refuse(self, event: EventT, error: MailError) -> None:
        """Answer an event whose handler failed."""

    def describe(self, event: EventT) -> str:
        """A short name of an event for the log, without secrets."""
        return type(event).__name__

    def log_refusal(self, event: EventT, error: MailError) -> None:
        """Log that a handler raised ``error``."""

    def stalled(self, command: str, seconds: float, cpu_seconds: float) -> None:
        """This connection has held the reactor for longer than `STALL`.

        :param command: the command that did, or ""; then it was something else, such as a timer.
        :param cpu_seconds: for how much of this the reactor's thread used a processor.
        """

    def is_still_there(self) -> None:
        """The client has closed its side, and a handler works: it may wait for the answer, or have gone.

        That is known only after something was sent; so this is called every second, for protocols that can
        send something that changes nothing.
        """

    def damaged(self) -> None:
        """What was received cannot be restored (`begin_compression`): end the connection."""
        self.end(reason="compressed data is damaged")

    @property
    def is_stranger(self) -> bool:
        """Whether the client has yet to show who it is; strangers share half of the time when others wait."""
        return False

    # -- for use by protocols

    @property
    def congested(self) -> bool:
        """Whether the client is slow to read: handlers that write much should then await `drained`."""
        return not self._writable

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

        It costs a tenth of a microsecond if there is still time.

        :raises ConnectionOver: the connection has ended, and so should the handler.
        """
        now = self.clock.seconds()
        entered = self._entered
        if entered <= now < entered + BRIEFLY or self._line.has_time(now, entered):
            return
        if self._open:
            turn: Deferred[None] = Deferred()
            self._line.wait(partial(turn.callback, None), is_stranger=self.is_stranger)
            await turn
            if self._peer_has_closed and self.is_open:
                self._ask_for_peer()
        if not self.is_open:
            raise ConnectionOver

    async def wait_turn(self) -> None:
        """Let others go first, if the time for new work is up, or if others have sent something.

        This is for work that holds the reactor for milliseconds before it can `breathe`, and for work that no
        input of this client has begun, such as telling it of what others did.

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

    def end(self, closing_words: bytes = b"", reason: str = "") -> None:
        """Write ``closing_words``, then close once it is sent; no further event is handled.

        :param reason: for the log.
        """
        if self._ending:
            return
        self._end_reason = reason
        self._unsent.append(closing_words)
        self._ending = True
        self._send_now()
        self._close_when_sent()

    def end_after_refusal(self, closing_words: bytes = b"", reason: str = "") -> None:
        """End the connection, as `end` does, after the refusal of the running command, which has failed."""
        self._end_after_refusal = closing_words, reason

    @property
    def is_compressed(self) -> bool:
        """Whether both sides compress what they send."""
        return self._inflater is not None

    def begin_compression(self) -> None:
        """From now on, both sides compress (DEFLATE, RFC 1951), inside TLS.

        What was written before is sent as it is; what was received after the running event is compressed.
        """
        self._send_now()
        self._deflater, self._inflater = Deflater(), Inflater()
        if self.wire.pending:
            self._inflater.receive(self.wire.take_pending())

    def end_compression(self) -> None:
        """From now on, neither side compresses; what was written before is the last that is compressed."""
        deflater, inflater = self._deflater, self._inflater
        self._send_now()
        self._deflater = self._inflater = None
        if deflater is not None and inflater is not None:
            self.write(deflater.close())
            self.wire.receive(inflater.take_pending())

    def when_idle(self, call: Callable[[], object]) -> None:
        """Call when no handler is running: now, or after the running one."""
        if self._running is None:
            call()
            return

        def done(result: None) -> None:
            call()
            return result

        self._running.addBoth(done)

    def between_events(self, make: Callable[[], Awaitable[None]]) -> None:
        """Run a task as if it were the handler of an event: when no other handler runs, and while it runs,
        events wait.

        There is one such task at a time: a later one takes the place of one that has not begun.

        :param make: makes the task, which handles its errors itself.
        """
        self._between = make
        if self._running is None and not self._pumping and not self._is_in_line and self._writable:
            self.in_context(self._pump)

    def _begin_between(self) -> None:
        make = self._between
        if make is None or self._running is not None or not self._writable or self._is_in_line:
            return
        self._between = None
        if self._ending:
            return
        running = begin(make(), self.in_context, self.clock)
        if running is not None:
            self._wait_for(running, self._between_failed)

    def _between_failed(self, failure: Failure) -> None:
        self.log.failure("{peer}: error between two commands", failure, peer=self.peer)

    def beside(self, awaitable: Awaitable[None]) -> Deferred[None]:
        """Run a task in this connection's context, at the same time as events are handled.

        :param awaitable: of the kinds that `handle` may return.
        :returns: fires when it is done.
        """
        running = self.in_context(begin, awaitable, self.in_context, self.clock)
        return succeed(None) if running is None else running

    # -- input

    def dataReceived(self, data: bytes) -> None:
        if self.counts_octets:
            self.octets_in += len(data)
        if self._ending:
            self._octets_after_end += len(data)
            if self._octets_after_end > _MAX_OCTETS_AFTER_END:
                self.abort()  # inside TLS, the transport would read until the client closes its side
            return
        if not self._has_received:
            self._has_received = True
            if not self._begins():
                return
        now = self._line.now
        if not now:  # we are not served in a `Turn`
            now = self.clock.seconds()
            self._line.begins(now)
        if self._inflater is None:
            self.wire.receive(data)
        else:
            self._inflater.receive(data)
        if self._running is None and self._writable and not self._is_in_line:
            if self._is_inside:
                self.in_context(self._pump)
            else:  # the same, inlined for the usual case
                self._is_inside = True
                self._entered = now
                try:
                    self._context.run(self._pump, now)
                finally:
                    self._is_inside = False
        elif self._reading and self._pending() > self.limits.pipelined:
            self._reading = False
            self.transport.pauseProducing()

    def _pending(self) -> int:
        """Octets that were received and are not handled."""
        return self.wire.pending + (0 if self._inflater is None else self._inflater.pending)

    def _restore(self, inflater: Inflater) -> bool:
        """Restore some octets; False if there are none."""
        try:
            octets = inflater.restore()
        except Damaged:
            self.damaged()
            return False
        if not octets:
            return False
        self.wire.receive(octets)
        return True

    def _begins(self) -> bool:
        """Called with the first octets: whether they may be read."""
        return True

    def _may_go_on(self) -> bool:
        """Called after each handler that had to wait: whether another event may be handled."""
        return True

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

    def _pump(self, now: float | None = None) -> None:
        """Handle events until a handler is pending, no event is left, the client must read first, or it is
        the turn of others.

        :param now: the time, if the caller knows it.
        """
        if self._pumping or self._is_in_line:
            return
        self._pumping = True
        is_fresh = now is not None
        if now is None:
            now = self.clock.seconds()
        entered = self._entered
        event: EventT | None = None
        held = self._held
        next_event = self.wire.next_event
        try:
            while self._running is None and self._writable and not self._ending:
                if held is None:
                    try:
                        held = next_event()
                    except WireError as error:
                        self._had_event = True
                        self._progress = now
                        self.refuse_syntax(error)
                        if error.fatal:
                            self.end(reason=str(error))
                        now = self.clock.seconds()
                        is_fresh = False
                        if self._pending() and self._must_wait(now):
                            break
                        continue
                    if held is None:
                        inflater = self._inflater
                        if inflater is None or not self._restore(inflater):
                            break
                        now = self.clock.seconds()
                        is_fresh = False
                        if self._must_wait(now):
                            break
                        continue
                if is_fresh:
                    is_fresh = False
                else:
                    now = self.clock.seconds()
                    if self._must_wait(now):
                        break
                event, held = held, None
                self._had_event = True
                self._progress = now
                try:
                    result = self.handle(event)
                    running = None if result is None else begin(result, self.in_context, self.clock)
                except BaseException:  # asyncio's CancelledError is not an Exception
                    self._failed(event, Failure())
                else:
                    if running is not None:
                        self._event = event
                        self._wait_for(running, partial(self._failed, event))
                if self._unsent_octets >= OCTETS_AT_ONCE or len(self._unsent) >= _REPLIES_AT_ONCE:
                    self._send_now()
        finally:
            self._pumping = False
            self._held = held
        now = self.clock.seconds()
        if self._line.now:
            self._line.now = now
        if now - entered > STALL:
            self._look_at_clock(now, event)
        if self._between is not None:
            self._begin_between()
        if self._unsent:
            self._flush()
        if self._peer_has_closed or not self._reading:
            self._go_on_reading()

    def _must_wait(self, now: float) -> bool:
        """Whether the time is up; then we are in the line."""
        entered = self._entered
        if entered <= now < entered + BRIEFLY or self._line.has_time(now, entered):
            return False
        self._is_in_line = True
        self._line.wait(self._has_turn, is_stranger=self.is_stranger)
        return True

    def _has_turn(self) -> None:
        self._is_in_line = False
        self.in_context(self._pump)

    def _go_on_reading(self) -> None:
        """If everything is handled: read on, or end the connection if the client has closed its side."""
        if self._running is not None or not self._writable or self._ending or self._is_in_line:
            return
        if self._peer_has_closed:
            self.end(reason=CLOSED)
        else:
            self._reading = True
            self.transport.resumeProducing()

    def _wait_for(self, running: Deferred[None], failed: Callable[[Failure], None]) -> None:
        """Delay the next event until ``running`` fires."""
        self._running = running
        running.addErrback(failed)
        running.addCallback(self._finished)
        running.addErrback(self._broken)

    def _broken(self, failure: Failure) -> None:
        """Answering an event failed: end the connection, because any later reply would be out of order."""
        self.log.failure("{peer}: error while answering", failure, peer=self.peer)
        self.abort()

    def _failed(self, event: EventT, failure: Failure) -> None:
        if isinstance(failure.value, ConnectionOver) and not self.is_open:
            return
        error = failure.value
        if isinstance(error, MailError):
            try:
                check_refusal(error.code, error.enhanced, error.text)
            except (TypeError, ValueError):  # a class of somebody's own set them after it was made
                failure = Failure()
        if not isinstance(error, MailError) or failure.value is not error:
            self.log.failure(
                "{peer}: error while handling {event}{hint}",
                failure,
                peer=self.peer,
                event=self.describe(event),
                hint=hint(failure.value),
            )
            error = ServerFault(detail=f"{type(failure.value).__name__}: see the traceback in the log")
        self.log_refusal(event, error)
        if self.is_open:
            self.refuse(event, error)
        if self._end_after_refusal is not None:
            self.end(*self._end_after_refusal)

    def _finished(self, _: None) -> None:
        self._running = None
        now = self._progress = self.clock.seconds()
        event, self._event = self._event, None
        if now - self._entered > STALL:
            self._look_at_clock(now, event)
        if self._may_go_on() and not self._pumping:
            self._pump()

    def _ask_for_peer(self) -> None:
        now = self.clock.seconds()
        if now - self._asked_for_peer >= _ASK_FOR_PEER:
            self._asked_for_peer = now
            self.is_still_there()

    def readConnectionLost(self) -> None:
        """The client has closed its side, and may wait for replies (`IHalfCloseableProtocol`)."""
        self._peer_has_closed = True
        self._asked_for_peer = self.clock.seconds()
        if self._running is None:
            self.in_context(self._pump)

    def writeConnectionLost(self) -> None:
        """We never close only our side (`IHalfCloseableProtocol`)."""

    # -- output

    def resumeProducing(self) -> None:
        """The client has read what was sent (IPushProducer)."""
        super().resumeProducing()
        self._progress = self.clock.seconds()
        self.in_context(self._go_on_writing)

    def _go_on_writing(self) -> None:
        self._wake()
        if self._running is None and not self._pumping and not self._ending:
            self._pump()

    def _stop_waiting(self) -> None:
        for waiting in list(self._while_open):
            waiting.cancel()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(None)


_MAX_OCTETS_AFTER_END = 1 << 20
"""Octets that a client may send after our last reply, so that it can still read that reply."""

_ASK_FOR_PEER = 1.0
"""Seconds after which a client that has closed its side is asked for a sign of life, and again."""

_REPLIES_AT_ONCE = 64
"""Replies that are collected; with `OCTETS_AT_ONCE` this bounds the memory that pipelining can use."""
