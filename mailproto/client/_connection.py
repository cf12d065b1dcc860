"""The client's end of a connection: connects a wire to a transport."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from twisted.internet.interfaces import IDelayedCall, IHandshakeListener
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from mailproto._twisted_internals import read_together
from mailproto.client._compressed_input import CompressedInput
from mailproto.client._far_end import FarEnd
from mailproto.client._reading import FULL_READ, fit_reads
from mailproto.client._streaming import StreamingConnection
from mailproto.connection import Wire
from mailproto.connection._compression import Deflater
from mailproto.errors import WireError
from mailproto.typing import ClientTLSContext, ReactorTime

__all__ = ["ClientConnection", "ConnectionListener"]

PIECES_A_TURN = 8
"""Pieces of compressed input that are restored in one turn: few octets may stand for very many."""

TURN = 0.003
"""Seconds for which a connection handles events before others have their turn: thousands of small ones may
come together."""

_LOOK = 64  # at the clock after so many events

EventT = TypeVar("EventT")
EventT_contra = TypeVar("EventT_contra", contravariant=True)


class ConnectionListener(Protocol[EventT_contra]):
    """The methods of a session that its connection calls; none of them may raise."""

    def opened(self) -> None:
        """The connection has been made."""

    def received(self, event: EventT_contra) -> None:
        """The server sent an event."""

    def broken(self, error: WireError) -> None:
        """The server broke the protocol."""

    def timed_out(self) -> None:
        """The server did not answer, or did not read, in time."""

    def secured(self) -> None:
        """TLS is on, and the certificate is valid, if it had to be verified."""

    def lost(self, reason: Failure) -> None:
        """The connection has ended."""


@implementer(IHandshakeListener)
class ClientConnection(StreamingConnection, Generic[EventT]):
    """One connection to a server: the Twisted protocol of a session.

    A queue has the functions that wait for the server's next events, with their timeouts.  Output during
    the handling of events is sent in one write.  `stream` sends large data, no faster than the server
    reads.  No method raises: errors are reported to the session.

    :ivar is_handshaking: whether the TLS handshake is in progress.
    :ivar expected: the expected answers, the next one first: the question, the function to call with the
        answer, and the timeout in seconds.
    :param clock: the reactor.
    :param handshake: seconds for the handshake with TLS from the first octet; the timeouts of expected
        answers begin after it.
    """

    def __init__(
        self,
        clock: ReactorTime,
        wire: Wire[EventT],
        listener: ConnectionListener[EventT],
        *,
        handshake: float = 60,
    ) -> None:
        super().__init__(clock)
        self.wire = wire
        self.is_handshaking = False
        self._listener = listener
        self.expected: deque[tuple[str, Callable[[EventT], None], float]] = deque()
        self._handshake_timeout = handshake
        self._timer_due = 0.0
        self._gathers = False  # whether more of what was read comes at once
        self._read_apart: Callable[[], object] = _nothing
        self._is_held = False  # whether events wait for the application
        self._far_end = FarEnd(clock, self.go_on)
        self._input = CompressedInput(wire)
        self._next_pieces: IDelayedCall | None = None  # restores more of the compressed input
        self._next_events: IDelayedCall | None = None  # handles more of them, in another turn
        self._events = 0  # since the last full read

    # -- expected answers

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection, even if we have begun to close it."""
        return self._open

    def expect(self, question: str, answer: Callable[[EventT], None], timeout: float) -> None:
        """Call ``answer`` with the next event that no earlier call expects.

        :param question: a short name of the request, for the texts of errors.
        :param timeout: seconds that may pass after the event before it.
        """
        if not self.expected:
            self._note_progress()
        self.expected.append((question, answer, timeout))
        if not self._pumping:
            self._watch()

    def expect_next(self, question: str, answer: Callable[[EventT], None], timeout: float) -> None:
        """Call ``answer`` with the next event, before all earlier calls of `expect`."""
        self.expected.appendleft((question, answer, timeout))

    def wait_anew(self) -> None:
        """The timeout of what is awaited begins now."""
        self._note_progress()
        if not self._pumping:
            self._watch()

    # -- output

    def start_tls(self, tls: ClientTLSContext, timeout: float) -> None:
        """Start TLS; the session's ``secured`` or ``lost`` is called afterwards.

        :param timeout: seconds for the handshake.
        """
        self.is_handshaking = True
        self._handshake_timeout = timeout
        self._note_progress()
        self._begin_tls(tls)
        if not self._pumping:
            self._watch()

    def begin_compression(self, received: bytes) -> None:
        """From now on, both sides compress (DEFLATE, RFC 1951), inside TLS.

        :param received: what was received after the server's go-ahead.
        """
        self._send_now()
        self._deflater = Deflater()
        self._input.begin(received)

    def end_compressing(self) -> None:
        """What is written next is the last that is compressed."""
        self._send_now()
        if self._deflater is not None:
            self._deflater.is_last = True

    def end_compression(self) -> None:
        """Neither side compresses any more.

        :raises WireError: what the server sends is damaged.
        """
        if self._deflater is not None:
            self._deflater.close()
            self._deflater = None
        self._input.end()

    def hold(self) -> None:
        """Read no more, and handle no more events, until `go_on`; there are no timeouts meanwhile.

        If the server closes the connection, what has arrived until then is read nevertheless, because nothing
        else shows the end.
        """
        if not self._is_held and self.is_open and not self._far_end.has_closed:
            self._is_held = True
            self.transport.pauseProducing()
            if self._deflater is None:  # compressed octets stand for more than there may be room for
                self._far_end.watch(self.transport)

    def go_on(self) -> None:
        """End what `hold` began."""
        if not self._is_held:
            return
        self._is_held = False
        self._far_end.stop()
        if self.is_open and self._next_events is None:
            self._note_progress()
            self.transport.resumeProducing()
            if not self._pumping and self.is_open:
                self.in_context(self._pump)

    def close(self) -> None:
        """Close once everything is sent."""
        if not self.is_open:
            return
        self._send_now()
        self._end()
        self._close_when_sent()

    def abort(self) -> None:
        """Close now, and drop unsent data."""
        self._unsent.clear()
        self._end()
        if self._open:
            super().abort()

    def _end(self) -> None:
        self._ending = True
        if (self._is_held or self._next_events is not None) and self._open:
            self._is_held = False
            self.transport.resumeProducing()  # what does not read would not notice the end
        self._rest_no_more()
        self._far_end.stop()
        self.expected.clear()
        self.end_stream()
        self._restore_no_more()

    # -- events

    def connectionMade(self) -> None:
        super().connectionMade()
        self.is_handshaking = self.is_encrypted
        self._note_progress()
        self._listener.opened()
        self._watch()

    def dataReceived(self, data: bytes) -> None:
        if self._ending:
            return
        if self.is_handshaking:
            self.in_context(self._end_handshake)  # a layer in between may not pass on handshakeCompleted
        try:
            self._input.receive(data)
        except WireError as error:
            self._listener.broken(error)
            return
        if self._gathers:
            return
        if not self._pumping and self._next_events is None:
            self.in_context(self._pump)
        if len(data) >= FULL_READ:
            fit_reads(self.transport, self._events)
            self._events = 0

    def _gather(self) -> None:
        """The octets of one read come, in small pieces: those of TLS's records."""
        self._gathers = True

    def _gathered(self) -> None:
        """All of them have come."""
        self._gathers = False
        if self.is_open and not self._pumping and self._next_events is None:
            self.in_context(self._pump)

    def _pump(self) -> None:
        self._pumping = True
        received = self._listener.received
        pieces, looked = 0, self._events
        until = self.clock.seconds() + TURN
        try:
            while self.is_open and not self._is_held:
                try:
                    event = self.wire.next_event()
                    if event is None:
                        if pieces == PIECES_A_TURN:
                            self._go_on_later()
                            break
                        if not self._input.restore():
                            break
                        pieces += 1
                except WireError as error:
                    self._listener.broken(error)
                    break
                if event is None:
                    continue
                self._note_progress()
                self._events += 1
                received(event)
                if self._events - looked >= _LOOK:
                    looked = self._events
                    if self.is_open and self.clock.seconds() >= until:
                        self._rest()
                        break
        finally:
            self._pumping = False
        if self._unsent:
            self._flush()
        self._watch()

    def _rest(self) -> None:
        """Go on with events in the next turn, and read nothing before."""
        if not self._is_held:
            self.transport.pauseProducing()
        self._next_events = self.clock.callLater(0, self.in_context, self._rested)

    def _rested(self) -> None:
        self._next_events = None
        if self.is_open and not self._is_held:
            self.transport.resumeProducing()
            if not self._pumping:
                self._pump()

    def _rest_no_more(self) -> None:
        if self._next_events is not None:
            self._next_events.cancel()
            self._next_events = None

    def _restore_no_more(self) -> None:
        if self._next_pieces is not None:
            self._next_pieces.cancel()
            self._next_pieces = None

    def _go_on_later(self) -> None:
        if self._next_pieces is None:
            self._next_pieces = self.clock.callLater(0, self.in_context, self._restore_more)

    def _restore_more(self) -> None:
        self._next_pieces = None
        if self.is_open and not self._pumping:
            self._pump()

    def handshakeCompleted(self) -> None:
        """TLS is on (IHandshakeListener)."""
        if self.is_handshaking:
            self.in_context(self._end_handshake)

    def _end_handshake(self) -> None:
        self.is_handshaking = False
        self._note_progress()
        self._read_apart = read_together(self.transport, self._gather, self._gathered)
        self._listener.secured()
        self._watch()

    def count_events(self, more: int) -> None:
        """The last event stood for so many more: it decides how much is read at once."""
        self._events += more

    # -- time and end

    def _timeout(self) -> float | None:
        """Seconds that may pass after the last progress; None if nothing is awaited."""
        if self._is_held:
            return None
        if self.is_handshaking:
            return self._handshake_timeout
        if self.expected:
            return self.expected[0][2]
        return None if self._stream is None else self._stream_timeout

    def _note_progress(self) -> None:
        self._progress = self.clock.seconds()

    def _watch(self) -> None:
        """Make sure that the timer fires no later than the timeout."""
        timeout = self._timeout()
        if timeout is None or not self.is_open:
            return
        due = self._progress + timeout
        if self._timer is None or due < self._timer_due:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_due = due
            left = max(due - self.clock.seconds(), 0)
            self._timer = self.clock.callLater(left, self.in_context, self._timer_fired)

    def _timer_fired(self) -> None:
        """Check the timeout; one timer, set again for the rest of the time, instead of one for each
        event."""
        self._timer = None
        timeout = self._timeout()
        if timeout is None:
            return
        if self._progress + timeout > self.clock.seconds():
            self._watch()
        else:
            self._listener.timed_out()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._read_apart()
        if self._gathers:
            self._gathered()
        super().connectionLost(reason)
        self.end_stream()
        self._restore_no_more()
        self._rest_no_more()
        self._far_end.stop()
        self.in_context(self._listener.lost, reason)


def _nothing() -> None:
    """Used while there is nothing to be ended."""
