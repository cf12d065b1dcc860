"""Where the octets of a multi-line answer go."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Generic, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from mailproto.client.errors import ProtocolViolation
from mailproto.pop3.wire import POP3ReplyLimits

__all__ = ["FileSink", "LinesSink", "MemorySink", "NoSink", "PiecesSink", "Sink", "Writable"]

T = TypeVar("T")


class Writable(Protocol):
    """A binary file, or whatever else takes octets."""

    def write(self, octets: bytes, /) -> object:
        """Take some."""


class Sink(ABC, Generic[T]):
    """Takes the octets as they come; what it raises becomes the command's result, and the rest is dropped.

    A `ProtocolViolation` ends the connection.
    """

    @abstractmethod
    def take(self, octets: bytes) -> None:
        """Take some octets."""

    @abstractmethod
    def end(self) -> T:
        """All were taken: the command's result."""


class NoSink(Sink[None]):
    """Drops them."""

    def take(self, octets: bytes) -> None:
        """Nothing."""

    def end(self) -> None:
        """None."""


class MemorySink(Sink[bytes]):
    """Keeps them.  :param limit: the most octets."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []
        self._size = 0

    def take(self, octets: bytes) -> None:
        """:raises ProtocolViolation: there are too many."""
        self._size += len(octets)
        if self._size > self._limit:
            raise ProtocolViolation(
                f"A message of more than {self._limit} octets (POP3ReplyLimits.in_memory): write it to a file"
            )
        self._pieces.append(octets)

    def end(self) -> bytes:
        """The message."""
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)


class FileSink(Sink[int]):
    """Writes them to a file.  :param limit: the most octets; None for no limit."""

    def __init__(self, file: Writable, limit: int | None) -> None:
        self._write = file.write
        self._limit = limit
        self._size = 0

    def take(self, octets: bytes) -> None:
        """:raises ProtocolViolation: there are too many."""
        self._size += len(octets)
        if self._limit is not None and self._size > self._limit:
            raise ProtocolViolation(f"A message of more than {self._limit} octets")
        self._write(octets)

    def end(self) -> int:
        """The number of octets."""
        return self._size


class LinesSink(Sink[T]):
    """Reads lines.

    :param line: called with each.
    :param result: called at the end.
    """

    def __init__(
        self,
        line: Callable[[str], object],
        result: Callable[[], T],
        limits: POP3ReplyLimits,
    ) -> None:
        self._line = line
        self._result = result
        self._limits = limits
        self._rest = b""
        self._left = limits.list_lines

    def take(self, octets: bytes) -> None:
        """:raises ProtocolViolation: there are too many lines, or one is too long or not valid."""
        *lines, self._rest = (self._rest + octets).split(b"\n")
        self._left -= len(lines)
        if self._left < 0:
            raise ProtocolViolation(f"A list of more than {self._limits.list_lines} lines")
        longest = max(map(len, [*lines, self._rest]))
        if longest >= self._limits.list_line:
            raise ProtocolViolation("A list with a line that is too long")
        for line in lines:
            if text := _text(line.removesuffix(b"\r")):
                self._line(text)

    def end(self) -> T:
        """What was made of them."""
        return self._result()


class PiecesSink(Sink[None], AsyncIterator[bytes]):
    """Gives the octets to a loop, and reads no faster than that.

    :param hold: lets the connection read no more, and called with False, again.
    """

    def __init__(self, hold: Callable[[bool], object], limit: int | None) -> None:
        self._hold = hold
        self._limit = limit
        self._size = 0
        self._pieces: deque[bytes] = deque()
        self._waiter: Deferred[None] | None = None
        self._error: BaseException | None = None
        self._is_holding = False
        self._is_over = False
        self._is_left = False

    def take(self, octets: bytes) -> None:
        """:raises ProtocolViolation: there are too many."""
        self._size += len(octets)
        if self._limit is not None and self._size > self._limit:
            raise ProtocolViolation(f"A message of more than {self._limit} octets")
        if self._is_left or not octets:
            return
        self._pieces.append(octets)
        self._set_holding(True)
        self._wake()

    def end(self) -> None:
        """The loop ends after what it has not taken yet."""
        self._is_over = True
        self._wake()

    def fail(self, failure: Failure) -> None:
        """The loop ends with an error, after what it has not taken yet."""
        self._error = failure.value
        self._is_over = True
        self._wake()

    def leave(self) -> None:
        """Nobody takes the rest: drop it."""
        self._is_left = True
        self._pieces.clear()
        self._set_holding(False)

    def _set_holding(self, is_holding: bool) -> None:
        if self._is_holding != is_holding:
            self._is_holding = is_holding
            self._hold(is_holding)

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.callback(None)

    async def __anext__(self) -> bytes:
        if not self._pieces:
            self._set_holding(False)
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self._is_over:
                raise StopAsyncIteration
            self._waiter = Deferred()
            await self._waiter
        return self._pieces.popleft()


def _text(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("latin-1")
