"""A connection whose events are handled in order, one at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import ParamSpec, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from mailproto._logger import PackageLogger
from mailproto.awaiting import hint
from mailproto.connection._awaiting import begin
from mailproto.connection._base import OCTETS_AT_ONCE
from mailproto.connection._compressible import CompressibleConnection
from mailproto.connection._fairness import STALL, ConnectionOver
from mailproto.connection._faults import answer_to
from mailproto.connection._limits import Limits
from mailproto.connection._line import BRIEFLY
from mailproto.errors import MailError, WireError
from mailproto.typing import ReactorTime

__all__ = ["CLOSED", "EventConnection"]

EventT = TypeVar("EventT")
P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

CLOSED = "closed by the client"
"""Why a connection ended, for the log."""


@implementer(IHalfCloseableProtocol)
class EventConnection(CompressibleConnection[EventT]):
    """A connection whose events are handled in order, one at a time.

    While a handler is pending, the next event waits, and at most ``limits.pipelined`` octets are read.  No
    event is handled while the client does not read replies, and none after the connection is lost.

    Many events, or a handler that calls `breathe`, take turns with other connections
    (`mailproto.connection._line`).

    :ivar octets_in: how many octets were received, inside TLS after decryption, if they are counted.
    """

    log = PackageLogger()

    def __init__(self, clock: ReactorTime, limits: Limits) -> None:
        super().__init__(clock)
        self.limits = limits
        self.octets_in = 0
        self._is_in_line = False  # because there are events that are not handled yet
        self._held: EventT | None = None  # the first of these
        self._between: Callable[[], Awaitable[None]] | None = None  # what is to be done between two events
        self._running: Deferred[None] | None = None
        self._reading = True
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

    def log_refusal(self, event: EventT, error: MailError) -> None:
        """Log that a handler raised ``error``."""

    def is_still_there(self) -> None:
        """The client has closed its side, and a handler works: called every second, for protocols that can
        send something that changes nothing.  Only that shows whether the client has gone.
        """

    def damaged(self) -> None:
        """See `CompressibleConnection.damaged`: end the connection."""
        self.end(reason="compressed data is damaged")

    # -- for use by protocols

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
        if self._inflater is not None:
            self._inflater.receive(data)
        elif self._ended is None:
            self.wire.receive(data)
        else:
            self._receive_after_end(data)
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

    def _begins(self) -> bool:
        """Called with the first octets: whether they may be read."""
        return True

    def _may_go_on(self) -> bool:
        """Called after each handler that had to wait: whether another event may be handled."""
        return True

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
        error, fault = answer_to(failure)
        if fault is not None:
            self.log.failure(
                "{peer}: error while handling {event}{hint}",
                fault,
                peer=self.peer,
                event=self.describe(event),
                hint=hint(fault.value),
            )
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

    def _waited(self) -> None:
        """See `FairConnection`."""
        if self._peer_has_closed and self.is_open:
            self._ask_for_peer()

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


_MAX_OCTETS_AFTER_END = 1 << 20
"""Octets that a client may send after our last reply, so that it can still read that reply."""

_ASK_FOR_PEER = 1.0
"""Seconds after which a client that has closed its side is asked for a sign of life, and again."""

_REPLIES_AT_ONCE = 64
"""Replies that are collected; with `OCTETS_AT_ONCE` this bounds the memory that pipelining can use."""
