"""A connection to a server: the typed shell around a client's wire."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Generic, Protocol, TypeVar

from twisted.internet.interfaces import IDelayedCall, IHandshakeListener, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from mailproto.connection import Connection, Wire
from mailproto.errors import WireError

__all__ = ["OCTETS_A_TURN", "ClientConnection", "ConnectionListener"]

OCTETS_A_TURN = 1 << 18
"""Octets of a stream after which others, and the server's words, have their turn."""

EventT = TypeVar("EventT")
EventT_contra = TypeVar("EventT_contra", contravariant=True)


class ConnectionListener(Protocol[EventT_contra]):
    """What a connection tells the session that has it; none of these may raise."""

    def opened(self) -> None:
        """The connection is there, and nothing has been said."""

    def received(self, event: EventT_contra) -> None:
        """The server said something."""

    def broken(self, error: WireError) -> None:
        """What the server sent is not the protocol."""

    def timed_out(self) -> None:
        """The server was silent, or did not read, for longer than it may."""

    def secured(self) -> None:
        """TLS is on, and the certificate, if it was to be looked at, is good."""

    def lost(self, reason: Failure) -> None:
        """The connection is gone."""


@implementer(IHandshakeListener)
class ClientConnection(Connection, Generic[EventT]):
    """One connection to a server: a Twisted protocol, for the session that speaks over it.

    A queue says who waits for the server's next words and for how long; whatever is written
    while events are handled leaves in one write; `stream` sends what is too much for one,
    no faster than the server reads.  Nothing here raises: the session is told.

    :ivar is_handshaking: whether TLS is begun and not yet on.
    :ivar expected: what the server owes, the next first: the question, what is called with the answer,
        and the seconds that it may take.
    :param clock: the reactor.
    :param handshake: seconds for the handshake where TLS comes first; the time for what is
        expected begins when it has ended.
    """

    def __init__(
        self,
        clock: IReactorTime,
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
        self._next_piece: bytes | None = None  # of the stream
        self._next_turn: IDelayedCall | None = None  # when the stream goes on
        self._stream_done: Callable[[Exception | None], None] = _ignore
        self._stream_timeout = 0.0
        self._handshake_timeout = handshake
        self._timer_due = 0.0

    # -- who waits for what

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection, if only one that we have begun to close."""
        return self._open

    def expect(self, question: str, answer: Callable[[EventT], None], timeout: float) -> None:
        """Have ``answer`` wait for the event that comes after those that others expect.

        :param question: what it answers, in a word: for the texts of errors.
        :param timeout: seconds that may pass from the event before it.
        """
        if not self.expected:
            self._note_progress()
        self.expected.append((question, answer, timeout))
        if not self._pumping:
            self._watch()

    def expect_next(self, question: str, answer: Callable[[EventT], None], timeout: float) -> None:
        """Have ``answer`` wait for the next event, before all that others expect."""
        self.expected.appendleft((question, answer, timeout))

    # -- output

    def stream(
        self, pieces: Iterator[bytes], done: Callable[[Exception | None], None], timeout: float
    ) -> None:
        """Write all of ``pieces``, each when the server has read enough of those before.

        In between others have their turn, and what the server says is heard.

        :param pieces: of some hundred KB at most; the iterator goes on as soon as a piece was
            written and the server reads on, before anything that the server says of it is heard.
        :param done: called after the last one was written, or with the error that the iterator
            raised.
        :param timeout: seconds that the server may let us wait.
        """
        self._stream, self._stream_done, self._stream_timeout = pieces, done, timeout
        self._note_progress()
        self.in_context(self._stream_and_watch)

    def end_stream(self) -> None:
        """Write no more of what `stream` was given; its ``done`` is not called."""
        self._stream = self._next_piece = None
        if self._next_turn is not None:
            self._next_turn.cancel()
            self._next_turn = None

    def start_tls(self, tls: Any, timeout: float) -> None:
        """Speak TLS from here on; the session is told that it is `secured`, or else `lost`.

        :param timeout: seconds for the handshake.
        """
        self.is_handshaking = True
        self._handshake_timeout = timeout
        self._note_progress()
        self._speak_tls(tls)
        if not self._pumping:
            self._watch()

    def close(self) -> None:
        """Close once everything is sent."""
        if not self.is_open:
            return
        self._send_now()
        self._end()
        self._let_go()

    def abort(self) -> None:
        """Close now, whatever is unsent."""
        self._unsent.clear()
        self._end()
        if self._open:
            super().abort()

    def _end(self) -> None:
        self._ending = True
        self.expected.clear()
        self.end_stream()

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
            self.in_context(self._end_handshake)  # a layer in between does not hand on handshakeCompleted
        self.wire.receive(data)
        if not self._pumping:
            self.in_context(self._pump)

    def _pump(self) -> None:
        self._pumping = True
        received = self._listener.received
        try:
            while self.is_open:
                try:
                    event = self.wire.next_event()
                except WireError as error:
                    self._listener.broken(error)
                    break
                if event is None:
                    break
                self._note_progress()
                received(event)
        finally:
            self._pumping = False
        self._flush()
        self._watch()

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
        """Write what the server reads, for one turn."""
        written = 0
        while self._writable and self.is_open and (pieces := self._stream) is not None:
            if self._next_piece:
                self._unsent.append(self._next_piece)
                written += len(self._next_piece)
                self._send_now()
                self._next_piece = b""
                continue  # if the server reads on
            try:
                # Now, even if it can only be written in another turn: what the server says of the
                # last piece has not been heard yet.
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
        """Seconds that may pass from the last progress; None when nothing is awaited."""
        if self.is_handshaking:
            return self._handshake_timeout
        if self.expected:
            return self.expected[0][2]
        return None if self._stream is None else self._stream_timeout

    def _note_progress(self) -> None:
        self._progress = self.clock.seconds()

    def _watch(self) -> None:
        """See that the timer fires when the time is over, or before."""
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
        """One timer a connection, set again for what is left of the time, instead of at each event."""
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
        self.in_context(self._listener.lost, reason)


def _ignore(_: Exception | None) -> None:
    """There is no stream to be told of."""
