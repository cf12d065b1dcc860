"""The wire: octets become lines and literals (RFC 9051 2.2.1, 4.3, RFC 7888), and these become events.

The end of a command depends only on the literals that its lines announce, not on its grammar.  So a
refused command is read to the same end, and the next command begins there.  Only the last octets of
a line can announce a literal.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from mailproto.imap.wire._cursor import LiteralWanted
from mailproto.imap.wire._errors import IMAPWireError
from mailproto.imap.wire._events import (
    AppendLiteral,
    Command,
    ContinuationLine,
    Event,
    LiteralChunk,
    LiteralRequest,
)
from mailproto.imap.wire._limits import IMAPWireLimits
from mailproto.imap.wire._parser import GRAMMARS, Grammars, parse_command, read_tag

__all__ = ["IMAPServerWire"]

_ANNOUNCEMENT_LENGTH = 32
_ANNOUNCEMENT = re.compile(rb"\{([0-9]{1,24})(\+?)\}\r?\n\Z")
"""At the end of a line.  A bare LF does not end a line (see `_check`), but a literal announced before
a bare LF must not be taken for commands."""


class _State(enum.Enum):
    LINE = enum.auto()
    """In a line of a command, or in a line after `expect_line`."""
    LITERAL = enum.auto()
    """In a literal that is part of a command."""
    MESSAGE = enum.auto()
    """In the literal of APPEND."""
    REFUSED_LINE = enum.auto()
    """In a line of a refused command."""
    REFUSED_LITERAL = enum.auto()
    """In a literal of a refused command, which the client sends nevertheless."""
    LOST = enum.auto()
    """After a fatal error: nothing more is read."""


class IMAPServerWire:
    """The server's side of IMAP (`mailproto.connection.Wire`).

    :ivar limits: may be replaced between two commands, such as after login.
    :param grammars: the commands that are read (`grammars_with`).
    :ivar utf8: whether mailbox names are in UTF-8 (``ENABLE UTF8=ACCEPT``, RFC 6855).
    """

    def __init__(self, limits: IMAPWireLimits | None = None, *, grammars: Grammars = GRAMMARS) -> None:
        self.limits = limits or IMAPWireLimits()
        self.utf8 = False
        self._grammars = grammars
        self._state = _State.LINE
        self._buffer = bytearray()
        self._position = 0  # where the next event begins in the buffer
        self._scanned = 0  # there is no line end before this
        self._text = b""
        self._literals: list[bytes] = []
        self._literal_total = 0
        self._remaining = 0  # octets of a literal still to come
        self._name = ""  # the name of the command under way
        self._append: AppendLiteral | None = None
        self._awaits_go_ahead = False
        self._swallowed = 0
        self._swallowed_line = 0
        self._tail = b""
        self._expecting = False
        self._after_bare = False  # whether the last line ended with LF alone

    @property
    def pending(self) -> int:
        """Octets received and not yet part of an event."""
        return len(self._buffer) - self._position

    def receive(self, data: bytes) -> None:
        """Take octets."""
        if self._state is _State.LOST:
            return
        if self._position:
            del self._buffer[: self._position]
            self._scanned -= self._position
            self._position = 0
        self._buffer += data

    def take_pending(self) -> bytes:
        """Remove and return what was received and is not part of an event yet."""
        taken = bytes(self._buffer[self._position :])
        self._buffer.clear()
        self._position = self._scanned = 0
        return taken

    def expect_line(self) -> None:
        """Read the next line as a `ContinuationLine`, for AUTHENTICATE and IDLE.

        An error in that line has no tag.  The line after it is a command again.
        """
        self._expecting = True

    def refuse_literal(self) -> None:
        """Drop the command that has just announced a literal, or is sending one.

        If the client sends the literal nevertheless, up to ``limits.swallowed`` octets are thrown away.
        """
        if self._state not in (_State.LITERAL, _State.MESSAGE):
            return
        comes = not self._awaits_go_ahead
        self._awaits_go_ahead = False
        remaining = self._remaining
        self._forget()
        if comes:
            self._remaining = remaining
            self._state = _State.REFUSED_LITERAL
        else:
            self._state = _State.LINE

    def next_event(self) -> Event | None:
        """Return the next event, or None if more octets are needed.

        :raises IMAPWireError: the client made an error.
        """
        self._awaits_go_ahead = False
        while True:
            state = self._state
            event: Event | None = None
            if state is _State.LINE:
                event = self._in_line()
            elif state is _State.LITERAL:
                self._in_literal()
            elif state is _State.MESSAGE:
                event = self._in_message()
            elif state is _State.REFUSED_LINE:
                self._in_refused_line()
            elif state is _State.REFUSED_LITERAL:
                self._in_refused_literal()
            if event is not None or self._state is state:
                break
        if event is None and self._position == len(self._buffer):
            # An idle connection uses no memory for a buffer.
            self._buffer.clear()
            self._position = self._scanned = 0
        return event

    # -- lines and literals of commands

    def _in_line(self) -> Event | None:
        buffer, start = self._buffer, self._position
        longest = self.limits.line - len(self._text) + 1  # and the CR
        end = buffer.find(b"\n", max(start, self._scanned))
        if (end if end >= 0 else len(buffer)) - start > longest:
            tag = self._tag(bytes(buffer[start : start + longest + 1]))
            self._forget()
            self._state = _State.REFUSED_LINE
            raise IMAPWireError("Command line too long", tag=tag)
        if end < 0:
            self._scanned = len(buffer)
            return None
        line = bytes(buffer[start : end + 1])
        self._position = end + 1
        self._check(line)
        if self._expecting:
            self._expecting = False
            return ContinuationLine(line[:-2])
        if self._append is not None:
            return self._appended(line)
        self._text += line
        if line.endswith(b"}\r\n"):
            announced = _ANNOUNCEMENT.search(line[-_ANNOUNCEMENT_LENGTH:])
            if announced is not None:
                return self._announced(line, int(announced[1]), synchronizing=not announced[2])
        text, literals = self._text[:-2], self._literals
        self._text = b""
        if literals:
            self._forget()
        return self._parse(text, literals)

    def _parse(self, text: bytes, literals: Sequence[bytes]) -> Command[Any]:
        return parse_command(text, literals, limits=self.limits, utf8=self.utf8, grammars=self._grammars)

    def _check(self, line: bytes) -> None:
        """Check that a line ends with CRLF and has neither NUL nor another CR (RFC 9051 2.2, 9).

        A bare LF is refused, and so is everything up to the next CRLF: where two programs disagree
        about line ends, commands can be smuggled.  A person who types commands that end with LF
        is refused, too.
        """
        if self._after_bare or not line.endswith(b"\r\n"):
            text = "A command line must end with CRLF"
        elif line.find(b"\r") == len(line) - 2 and b"\0" not in line:
            return
        else:
            text = "NUL or CR in a command line"
        self._refuse(line, IMAPWireError(text, tag=self._tag(line)))

    def _announced(self, line: bytes, size: int, *, synchronizing: bool) -> Event | None:
        """A literal follows: check whether the command is valid so far.

        Only the first literal of a command is checked, and those of APPEND, which has at most two.
        Otherwise a long line with many literals after it would be parsed as many times.
        """
        limits = self.limits
        tag, append = self._tag(line) or "", None
        if not self._literals or self._name == "APPEND":
            try:
                self._parse(self._text, self._literals)
            except LiteralWanted as wanted:
                tag, append = wanted.tag, wanted.append
                self._name = wanted.name
            except IMAPWireError as error:
                self._refuse(line, error)
        if append is not None:
            if size > limits.append:
                text = f"Message larger than {limits.append} octets"
                self._refuse(line, IMAPWireError(text, tag=tag, code="TOOBIG", bad=False))
            self._append = AppendLiteral(tag, append, synchronizing)
            self._state = _State.MESSAGE
        else:
            self._literal_total += size
            if self._literal_total > limits.literal_total or len(self._literals) >= limits.literals:
                self._refuse(line, IMAPWireError("Literals too large", tag=tag, code="TOOBIG"))
            self._state = _State.LITERAL
        self._remaining = size
        self._awaits_go_ahead = synchronizing
        if append is not None:
            return self._append
        return LiteralRequest(tag, size, self._name) if synchronizing else None

    def _in_literal(self) -> None:
        if self.pending < self._remaining:
            return
        end = self._position + self._remaining
        literal = bytes(self._buffer[self._position : end])
        self._position = end
        if b"\0" in literal:  # RFC 9051 9, CHAR8
            tag = self._tag(b"")
            self._forget()
            self._state = _State.REFUSED_LINE
            raise IMAPWireError("NUL in a literal", tag=tag)
        self._literals.append(literal)
        self._state = _State.LINE

    def _in_message(self) -> Event | None:
        if not self._remaining:
            self._state = _State.LINE
            return None
        size = min(self.pending, self._remaining)
        if not size:
            return None
        end = self._position + size
        data = bytes(self._buffer[self._position : end])
        self._position = end
        self._remaining -= size
        return LiteralChunk(data)

    def _appended(self, line: bytes) -> Event:
        append = self._append
        if append is None or line != b"\r\n":
            self._refuse(line, IMAPWireError("APPEND takes one message", tag=self._tag(line)))
        self._forget()
        return Command(append.tag, "APPEND", False, append.arguments)

    # -- refused commands

    def _in_refused_line(self) -> None:
        buffer, start = self._buffer, self._position
        end = buffer.find(b"\n", start) + 1
        stop = end or len(buffer)
        self._swallowed_line += stop - start
        if self._swallowed_line > self.limits.swallowed_line:
            self._stop_reading()
        self._count_swallowed(stop - start)
        self._position = stop
        self._tail = (self._tail + buffer[max(start, stop - _ANNOUNCEMENT_LENGTH) : stop])[
            -_ANNOUNCEMENT_LENGTH:
        ]
        if end:
            self._after_refused_line(self._tail)

    def _after_refused_line(self, line: bytes) -> None:
        """A client that waits for permission to send a literal gets none: its next line is a command."""
        self._tail = b""
        self._swallowed_line = 0
        self._after_bare = not line.endswith(b"\r\n")
        announced = _ANNOUNCEMENT.search(line[-_ANNOUNCEMENT_LENGTH:])
        if announced is not None and announced[2]:
            self._remaining = int(announced[1])
            self._state = _State.REFUSED_LITERAL
        else:
            self._swallowed = 0
            self._state = _State.LINE

    def _in_refused_literal(self) -> None:
        self._count_swallowed(self._remaining, dry=True)
        size = min(self.pending, self._remaining)
        self._position += size
        self._remaining -= size
        self._count_swallowed(size)
        if not self._remaining:
            self._state = _State.REFUSED_LINE

    def _count_swallowed(self, size: int, *, dry: bool = False) -> None:
        swallowed = self._swallowed + size
        if swallowed > self.limits.swallowed:
            self._stop_reading()
        if not dry:
            self._swallowed = swallowed

    def _stop_reading(self) -> NoReturn:
        """Stop reading for good."""
        self._forget()
        self._buffer.clear()
        self._position = self._scanned = 0
        self._state = _State.LOST
        raise IMAPWireError("Too much of what was refused", code="TOOBIG", fatal=True)

    def _refuse(self, line: bytes, error: IMAPWireError) -> NoReturn:
        """Refuse a command; ``line`` is its latest line, which was read."""
        self._forget()
        self._after_refused_line(line)
        raise error

    def _tag(self, line: bytes) -> str | None:
        """The tag of the command; ``line`` is its latest line."""
        if self._expecting:
            return None
        return read_tag(self._text or line)

    def _forget(self) -> None:
        """Forget the command; what is to be thrown away stays known."""
        self._text = b""
        self._literals = []
        self._literal_total = 0
        self._remaining = 0
        self._name = ""
        self._append = None
        self._expecting = False
