"""The client's end of a connection: connects a wire to a transport."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

from twisted.internet.interfaces import IDelayedCall, IHandshakeListener
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from mailproto.client._reading import FULL_READ, fit_reads
from mailproto.connection import Connection, Wire
from mailproto.connection._compression import Damaged, Deflater, Inflater
from mailproto.errors import WireError
from mailproto.typing import ClientTLSContext, ReactorTime

__all__ = ["OCTETS_A_TURN", "ClientConnection", "ConnectionListener"]

OCTETS_A_TURN = 1 << 18
"""Octets of a stream that are written in one turn of the reactor."""

PIECES_A_TURN = 8
"""Pieces of compressed input that are restored in one turn: few octets may stand for very many."""

TURN = 0.003
"""Seconds for which a connection handles events before others have their turn: thousands of small ones may
come together."""

_LOOK = 0x3F  # at the clock after so many events

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
class ClientConnection(Connection, Generic[EventT]):
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
        super().__init__()
        self.clock = clock
        self.wire = wire
        self.is_handshaking = False
        self._listener = listener
        self.expected: deque[tuple[str, Callable[[EventT], None], float]] = deque()
        self._stream: Iterator[bytes] | None = None
        self._next_piece: bytes | None = None  # the stream's next piece
        self._next_turn: IDelayedCall | None = None  # continues the stream
        self._stream_done: Callable[[Exception | None], None] = _ignore
        self._stream_timeout = 0.0
        self._handshake_timeout = handshake
        self._timer_due = 0.0
        self._is_held = False  # whether events wait for the application
        self._inflater: Inflater | None = None
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

    @property
    def is_streaming(self) -> bool:
        """Whether a stream is being written."""
        return self._stream is not None

    def stream(
        self, pieces: Iterator[bytes], done: Callable[[Exception | None], None], timeout: float
    ) -> None:
        """Write all of ``pieces``, no faster than the server reads.

        The reactor does other work in between, and the server's events are handled.

        :param pieces: pieces of some hundred KB at most.  The next piece is taken from the iterator as soon
            as the last one was written and the server reads on, before any answer to it is handled.
        :param done: called after the last piece was written, or with the error that the iterator raised.
        :param timeout: seconds for which the server may read nothing.
        """
        self._stream, self._stream_done, self._stream_timeout = pieces, done, timeout
        self._note_progress()
        self.in_context(self._stream_and_watch)

    def end_stream(self) -> None:
        """Stop the stream; its ``done`` is not called."""
        self._stream = self._next_piece = None
        if self._next_turn is not None:
            self._next_turn.cancel()
            self._next_turn = None

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
        self._deflater, self._inflater = Deflater(), Inflater()
        self._inflater.receive(received)

    def hold(self) -> None:
        """Read no more, and handle no more events, until `go_on`; there are no timeouts meanwhile."""
        if not self._is_held and self.is_open:
            self._is_held = True
            self.transport.pauseProducing()

    def go_on(self) -> None:
        """End what `hold` began."""
        if not self._is_held:
            return
        self._is_held = False
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
        if self._inflater is None:
            self.wire.receive(data)
        else:
            self._inflater.receive(data)
        if not self._pumping and self._next_events is None:
            self.in_context(self._pump)
        if len(data) >= FULL_READ:
            fit_reads(self.transport, self._events)
            self._events = 0

    def _pump(self) -> None:
        self._pumping = True
        received = self._listener.received
        pieces = handled = 0
        until = self.clock.seconds() + TURN
        try:
            while self.is_open and not self._is_held:
                try:
                    event = self.wire.next_event()
                    if event is None:
                        if pieces == PIECES_A_TURN:
                            self._go_on_later()
                            break
                        if not self._restore():
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
                handled += 1
                if not handled & _LOOK and self.is_open and self.clock.seconds() >= until:
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

    def _restore(self) -> bool:
        """Restore some of what is compressed; False if there is none.

        :raises WireError: it is damaged.
        """
        if self._inflater is None:
            return False
        try:
            octets = self._inflater.restore()
        except Damaged:
            raise WireError("What was received is not DEFLATE") from None
        self.wire.receive(octets)
        return bool(octets)

    def handshakeCompleted(self) -> None:
        """TLS is on (IHandshakeListener)."""
        if self.is_handshaking:
            self.in_context(self._end_handshake)

    def _end_handshake(self) -> None:
        self.is_handshaking = False
        self._note_progress()
        self._listener.secured()
        self._watch()

    # -- the stream

    def _go_on_streaming(self) -> None:
        """Write as much as the server reads, for one turn."""
        written = 0
        while self._writable and self.is_open and (pieces := self._stream) is not None:
            if self._next_piece:
                self._unsent.append(self._next_piece)
                written += len(self._next_piece)
                self._send_now()
                self._next_piece = b""
                continue  # the loop checks whether the server still reads
            try:
                # Take the piece now, even if it can only be written in another turn: the server's answer to
                # the last piece must not be handled before.
                self._next_piece = next(pieces, None)
            except Exception as error:
                self._end_streaming(error)
                return
            if self._next_piece is None:
                self._end_streaming(None)
                return
            if written >= OCTETS_A_TURN:
                self._next_turn = self.clock.callLater(0, self.in_context, self._take_turn)
                return

    def _take_turn(self) -> None:
        self._next_turn = None
        self._note_progress()
        self._stream_and_watch()

    def _stream_and_watch(self) -> None:
        self._go_on_streaming()
        if not self._pumping:
            self._flush()
            self._watch()

    def _end_streaming(self, error: Exception | None) -> None:
        self.end_stream()
        self._stream_done(error)

    def resumeProducing(self) -> None:
        """The server has read what was sent (IPushProducer)."""
        super().resumeProducing()
        if self._stream is not None and self._next_turn is None:
            self._note_progress()
            self.in_context(self._stream_and_watch)

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
        super().connectionLost(reason)
        self.end_stream()
        self._restore_no_more()
        self._rest_no_more()
        self.in_context(self._listener.lost, reason)


def _ignore(_: Exception | None) -> None:
    """Used if there is no stream."""
