"""Octets become lines and literals (RFC 9051 2.2.1, 4.3, RFC 7888): the same for all who read them.

The end of a command depends only on the literals that its lines announce, not on its grammar.  So a
refused command is read to the same end, and the next command begins there.  Only the last octets of
a line can announce a literal.
"""

from __future__ import annotations

import enum
import re
from typing import Final, NamedTuple, NoReturn

__all__ = ["Announcement", "LineReader", "ReadError"]

_ANNOUNCEMENT_LENGTH: Final = 33
_ANNOUNCEMENT = re.compile(rb"(~?)\{([0-9]{1,24})(\+?)\}\r?\n\Z")
"""At the end of a line.  A bare LF does not end a line, but a literal announced before a bare LF must
not be taken for commands."""


class Announcement(NamedTuple):
    """A literal that follows a line.

    :ivar synchronizing: whether the sender waits for permission.
    :ivar binary: whether it is a literal8, which may have NUL.
    """

    size: int
    synchronizing: bool
    binary: bool


class ReadError(Exception):
    """Octets that are no line; what belongs to them is thrown away.

    :ivar text: one line of printable ASCII.
    :ivar line: the line, or its beginning.
    :ivar fatal: whether nothing more is read.
    """

    def __init__(self, text: str, line: bytes, *, fatal: bool = False) -> None:
        super().__init__(text)
        self.text = text
        self.line = line
        self.fatal = fatal


class _Mode(enum.Enum):
    LINE = enum.auto()
    WHOLE = enum.auto()
    """In a literal that is given as a whole."""
    PIECES = enum.auto()
    """In a literal that is given as it comes."""
    REFUSED_LINE = enum.auto()
    REFUSED_LITERAL = enum.auto()
    """In a literal that the sender sends although it was refused."""
    LOST = enum.auto()
    """After a fatal error: nothing more is read."""


_LINE: Final = _Mode.LINE  # which is looked at for each line


class LineReader:
    """Reads lines, and the literals that they announce.

    `next` gives a line with its CRLF.  If `announced` is set then, call `take_whole` or `take_pieces`, so
    that `next` gives the literal; or `refuse`.  After the literal comes the rest of the line.

    :ivar announced: the literal that the latest line announces, or None.
    :ivar longest: the most octets of the next line, without its CRLF.
    :ivar swallowed: the most octets of what was refused that are read and thrown away.
    :ivar swallowed_line: the same for a single line.
    """

    __slots__ = (
        "_after_bare",
        "_buffer",
        "_continues",
        "_mode",
        "_position",
        "_remaining",
        "_scanned",
        "_swallowed",
        "_swallowed_line",
        "_tail",
        "_waits",
        "announced",
        "longest",
        "swallowed",
        "swallowed_line",
    )

    def __init__(self, longest: int, *, swallowed: int, swallowed_line: int) -> None:
        self.longest = longest
        self.swallowed = swallowed
        self.swallowed_line = swallowed_line
        self.announced: Announcement | None = None
        self._mode = _Mode.LINE
        self._buffer = bytearray()
        self._position = 0  # where the next piece begins in the buffer
        self._scanned = 0  # there is no line end before this
        self._remaining = 0  # octets of a literal still to come
        self._waits = False  # whether the sender waits for permission
        self._continues = False  # whether a literal has ended, so that its line goes on
        self._swallowed = 0
        self._swallowed_line = 0
        self._tail = b""
        self._after_bare = False  # whether the last line ended with LF alone

    @property
    def pending(self) -> int:
        """Octets received and not yet given."""
        return len(self._buffer) - self._position

    def receive(self, data: bytes) -> None:
        """Take octets."""
        if self._mode is _Mode.LOST:
            return
        if self._position:
            del self._buffer[: self._position]
            self._scanned -= self._position
            self._position = 0
        self._buffer += data

    def take_pending(self) -> bytes:
        """Remove and return what was received and not given yet."""
        taken = bytes(self._buffer[self._position :])
        self._clear()
        return taken

    def take_whole(self) -> None:
        """Give the announced literal in one piece."""
        self._take(_Mode.WHOLE)

    def take_pieces(self) -> None:
        """Give the announced literal as its octets come; after them comes ``b""``."""
        self._take(_Mode.PIECES)

    def _take(self, mode: _Mode) -> None:
        announced, self.announced = self.announced, None
        if announced is not None:
            self._mode = mode
            self._remaining = announced.size
            self._waits = announced.synchronizing

    @property
    def in_literal(self) -> bool:
        """Whether a literal was taken whose end has not been given."""
        return self._mode is _Mode.WHOLE or self._mode is _Mode.PIECES

    def refuse(self) -> None:
        """Throw away what belongs to the latest line or literal.

        A sender that waits for permission to send a literal gets none, so its next line is a new one. What it
        sends without permission is read, up to ``swallowed`` octets.
        """
        announced, self.announced = self.announced, None
        if self.in_literal:
            comes = not self._waits
            self._waits = False
            self._mode = _Mode.REFUSED_LITERAL if comes else _Mode.LINE
        elif announced is not None and not announced.synchronizing:
            self._remaining = announced.size
            self._mode = _Mode.REFUSED_LITERAL
        elif self._continues:
            self._mode = _Mode.REFUSED_LINE
        self._continues = False

    def next(self) -> bytes | None:
        """The next line, or what was asked for of a literal; None if more octets are needed.

        :raises ReadError: the octets are no line.
        """
        self._waits = False
        while (mode := self._mode) is not _LINE:
            if mode is _Mode.PIECES:
                return self._some()
            if mode is _Mode.WHOLE:
                return self._whole()
            if mode is _Mode.REFUSED_LINE:
                self._skip_line()
            elif mode is _Mode.REFUSED_LITERAL:
                self._skip_literal()
            if self._mode is mode:
                return self._nothing()
        buffer, start = self._buffer, self._position
        scanned = self._scanned
        end = buffer.find(b"\n", start if start > scanned else scanned)
        if (end if end >= 0 else len(buffer)) - start > self.longest + 1:  # and the CR
            self._continues = False
            self._mode = _Mode.REFUSED_LINE
            raise ReadError("Command line too long", bytes(buffer[start : start + self.longest + 2]))
        if end < 0:
            self._scanned = len(buffer)
            return self._nothing()
        line = bytes(buffer[start : end + 1])
        self._position = end + 1
        self._continues = False
        if line.find(b"\r") != len(line) - 2 or end == start or self._after_bare or b"\0" in line:
            self._check(line)
        self.announced = _announced(line) if line.endswith(b"}\r\n") else None
        return line

    def _check(self, line: bytes) -> None:
        """Check that a line ends with CRLF and has neither NUL nor another CR (RFC 9051 2.2, 9).

        A bare LF is refused, and so is everything up to the next CRLF: where two programs disagree
        about line ends, commands can be smuggled.  A person who types commands that end with LF
        is refused, too.
        """
        if self._after_bare or not line.endswith(b"\r\n"):
            text = "A command line must end with CRLF"
        else:
            text = "NUL or CR in a command line"
        self._after_refused_line(line)
        raise ReadError(text, line)

    def _whole(self) -> bytes | None:
        if self.pending < self._remaining:
            return None
        literal = self._cut(self._remaining)
        self._after_literal()
        return literal

    def _some(self) -> bytes | None:
        if not self._remaining:
            self._after_literal()
            return b""
        size = min(self.pending, self._remaining)
        if not size:
            return self._nothing()
        self._remaining -= size
        return self._cut(size)

    def _cut(self, size: int) -> bytes:
        start = self._position
        self._position = start + size
        return bytes(self._buffer[start : start + size])

    def _after_literal(self) -> None:
        self._remaining = 0
        self._mode = _Mode.LINE
        self._continues = True

    def _nothing(self) -> bytes | None:
        """More octets are needed; an idle connection uses no memory for a buffer."""
        if self._position == len(self._buffer):
            self._clear()
        return None

    def _clear(self) -> None:
        self._buffer.clear()
        self._position = self._scanned = 0

    # -- what was refused

    def _skip_line(self) -> None:
        buffer, start = self._buffer, self._position
        end = buffer.find(b"\n", start) + 1
        stop = end or len(buffer)
        self._swallowed_line += stop - start
        if self._swallowed_line > self.swallowed_line:
            self._stop_reading()
        self._count_swallowed(stop - start)
        self._position = stop
        self._tail = (self._tail + buffer[max(start, stop - _ANNOUNCEMENT_LENGTH) : stop])[
            -_ANNOUNCEMENT_LENGTH:
        ]
        if end:
            self._after_refused_line(self._tail)

    def _after_refused_line(self, line: bytes) -> None:
        """A sender that waits for permission to send a literal gets none: its next line is a new one."""
        self._tail = b""
        self._swallowed_line = 0
        self._after_bare = not line.endswith(b"\r\n")
        announced = _announced(line)
        if announced is not None and not announced.synchronizing:
            self._remaining = announced.size
            self._mode = _Mode.REFUSED_LITERAL
        else:
            self._swallowed = 0
            self._mode = _Mode.LINE

    def _skip_literal(self) -> None:
        if self._swallowed + self._remaining > self.swallowed:
            self._stop_reading()
        size = min(self.pending, self._remaining)
        self._position += size
        self._remaining -= size
        self._count_swallowed(size)
        if not self._remaining:
            self._mode = _Mode.REFUSED_LINE

    def _count_swallowed(self, size: int) -> None:
        self._swallowed += size
        if self._swallowed > self.swallowed:
            self._stop_reading()

    def _stop_reading(self) -> NoReturn:
        """Stop reading for good."""
        self._clear()
        self._remaining = 0
        self._mode = _Mode.LOST
        raise ReadError("Too much of what was refused", b"", fatal=True)


def _announced(line: bytes) -> Announcement | None:
    match = _ANNOUNCEMENT.search(line[-_ANNOUNCEMENT_LENGTH:])
    return None if match is None else Announcement(int(match[2]), not match[3], bool(match[1]))
