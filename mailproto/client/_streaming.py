"""The stream of a client's connection: large data that are sent no faster than the server reads."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator

from twisted.internet.interfaces import IDelayedCall

from mailproto.connection import Connection
from mailproto.typing import ReactorTime

__all__ = ["OCTETS_A_TURN", "StreamingConnection"]

OCTETS_A_TURN = 1 << 18
"""Octets of a stream that are written in one turn of the reactor."""


class StreamingConnection(Connection):
    """A connection that can write a stream."""

    _pumping: bool

    def __init__(self, clock: ReactorTime) -> None:
        super().__init__()
        self.clock = clock
        self._stream: Iterator[bytes] | None = None
        self._next_piece: bytes | None = None  # the stream's next piece
        self._next_turn: IDelayedCall | None = None  # continues the stream
        self._stream_done: Callable[[Exception | None], None] = _ignore
        self._stream_timeout = 0.0

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

    @abstractmethod
    def _note_progress(self) -> None:
        """The timeout begins now."""

    @abstractmethod
    def _watch(self) -> None:
        """Make sure that the timer fires no later than the timeout."""


def _ignore(_: Exception | None) -> None:
    """Used if there is no stream."""
