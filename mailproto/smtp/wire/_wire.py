"""The server's side of SMTP and LMTP: octets in, events out, no I/O."""

from __future__ import annotations

import enum
import re

from mailproto.smtp.wire._chunks import ChunkScanner
from mailproto.smtp.wire._commands import command_parser
from mailproto.smtp.wire._content import ContentScanner
from mailproto.smtp.wire._errors import SMTPSyntaxError
from mailproto.smtp.wire._events import AuthResponse, Bdat, DataChunk, Event
from mailproto.smtp.wire._limits import SMTPWireLimits

__all__ = ["SMTPServerWire"]

_CR = 0x0D
_AUTH = re.compile(rb"AUTH[ \t]", re.IGNORECASE)
_AUTH_COMMAND = len("AUTH ") + 20 + len(" ")
"""What may stand before an initial response: a mechanism's name has 20 characters at most."""


class _Expecting(enum.Enum):
    """What the next line is."""

    COMMAND = "a command"
    RESPONSE = "a response to an AUTH challenge"
    LONG = "the rest of a line that is too long"
    BARE = "what follows a bare LF, up to the next CRLF"
    NOTHING = "nothing: the client does not end its line"


_UNWANTED = frozenset({_Expecting.LONG, _Expecting.BARE})
"""Where octets are thrown away as they come."""


class SMTPServerWire:
    """What a client sends, as events (`mailproto.connection.Wire`).

    Lines are commands, but for what the server asked for: after a 354 it calls
    `expect_content`, after a 334 `expect_response`.  Behind a `Bdat` its octets follow unasked.

    A line ends with CRLF (RFC 5321 2.3.8).  One that ends with LF alone is an error at once, and so
    is what follows it up to the next CRLF: a client that ends its lines with LF gets an answer to
    each, and a client or proxy that knows CRLF only sees no part of a line run as a command.

    :param normalise: make CRLF of bare CR and LF in content, instead of a `DataFault`.
    :param strict: take no command but as RFC 5321 allows it.
    """

    __slots__ = (
        "_buffer",
        "_content",
        "_expecting",
        "_incoming",
        "_limits",
        "_normalise",
        "_parse",
        "_position",
        "_swallowed",
        "_waiting",
    )

    def __init__(
        self, limits: SMTPWireLimits | None = None, *, normalise: bool = False, strict: bool = False
    ) -> None:
        self._limits = limits or SMTPWireLimits()
        self._parse = command_parser(self._limits, strict=strict)
        self._normalise = normalise
        self._expecting = _Expecting.COMMAND
        self._content: ContentScanner | ChunkScanner | None = None
        self._buffer = b""
        self._position = 0
        self._swallowed = 0  # of the line that is being thrown away
        # Joined when the next event is asked for, not at each arrival: otherwise one who
        # sends octet by octet behind a running command makes us copy everything each time.
        self._incoming: list[bytes] = []
        self._waiting = 0  # octets of those

    @property
    def pending(self) -> int:
        """Octets received and not yet part of an event."""
        return len(self._buffer) - self._position + self._waiting

    def receive(self, data: bytes) -> None:
        """Take octets."""
        if self._expecting is _Expecting.NOTHING:
            return
        if self._buffer or self._incoming:
            self._incoming.append(data)
            self._waiting += len(data)
        else:
            self._buffer = data

    def take_pending(self) -> bytes:
        """Give up what was received and is not part of an event yet."""
        self._join()
        taken = self._buffer[self._position :]
        self._buffer, self._position = b"", 0
        return taken

    def expect_content(self) -> None:
        """What comes next is a message's content, up to CRLF.CRLF."""
        self._content = ContentScanner(normalise=self._normalise, text_line=self._limits.text_line)

    def expect_response(self) -> None:
        """The next line is a response to an AUTH challenge."""
        self._expecting = _Expecting.RESPONSE

    def next_event(self) -> Event | None:
        """The next event, or None for "more octets".

        :raises SMTPSyntaxError: for a line that is no command; the next call goes on after it,
            unless the error is fatal.
        """
        if self._incoming:
            self._join()
        buffer, content = self._buffer, self._content
        if content is not None and (buffer or type(content) is ChunkScanner):  # a chunk may be empty
            return self._next_of_content(content)
        if not buffer:
            return None
        start = self._position
        end = buffer.find(b"\n", start)
        if end < 0:
            self._await_line_end()
            return None
        is_bare = end == start or buffer[end - 1] != _CR
        line = buffer[start : end if is_bare else end - 1]
        end += 1
        if end == len(buffer):
            self._buffer, self._position = b"", 0
        else:
            self._position = end
        if is_bare or self._expecting is not _Expecting.COMMAND or len(line) > self._limits.command_line:
            return self._unusual_line(line, is_bare=is_bare)
        command = self._parse(line)
        if type(command) is Bdat:
            self._content = ChunkScanner(command)
        return command

    def _next_of_content(self, content: ContentScanner | ChunkScanner) -> Event | None:
        event, used = content.scan(self._buffer, self._position)
        self._consume(self._position + used)
        if event is not None and type(event) is not DataChunk:
            self._content = None
        return event

    def _consume(self, position: int) -> None:
        """What is before ``position`` is done with; nothing is kept of a buffer that is."""
        if position == len(self._buffer):
            self._buffer, self._position = b"", 0
        else:
            self._position = position

    def _join(self) -> None:
        incoming = self._incoming
        if self._buffer:
            incoming.insert(0, self._buffer[self._position :])
        self._buffer = incoming[0] if len(incoming) == 1 else b"".join(incoming)
        self._position = 0
        incoming.clear()
        self._waiting = 0

    def _unusual_line(self, line: bytes, *, is_bare: bool) -> Event:
        """One that is no command, or longer than most may be, or ends with a bare LF."""
        expected = self._expecting
        is_refused = expected in _UNWANTED  # already
        is_long = expected is _Expecting.LONG or (
            not is_refused and len(line) > self._line_limit(expected, line)
        )
        if is_long or is_refused:
            self._swallow(len(line))
            self._swallowed = 0
        self._expecting = _Expecting.BARE if is_bare else _Expecting.COMMAND
        if is_long:
            raise SMTPSyntaxError(500, "5.5.6", "Line too long")
        if is_bare or is_refused:
            raise SMTPSyntaxError(500, "5.5.2", "A command line ends with CRLF, not with a bare LF")
        return AuthResponse(line) if expected is _Expecting.RESPONSE else self._parse(line)

    def _await_line_end(self) -> None:
        """Keep what has come of a line; forget it, but for what may be half a CRLF, if it is too long."""
        expected = self._expecting
        begun = self._buffer[self._position :].removesuffix(b"\r")
        if expected not in _UNWANTED and len(begun) > self._line_limit(expected, begun):
            self._expecting = _Expecting.LONG
        if self._expecting in _UNWANTED:
            self._consume(self._position + len(begun))
            self._swallow(len(begun))

    def _swallow(self, octets: int) -> None:
        """Count what is thrown away.

        :raises SMTPSyntaxError: it is too much, and nothing more is read.
        """
        self._swallowed += octets
        if self._swallowed > self._limits.swallowed:
            self._expecting = _Expecting.NOTHING
            self._buffer, self._position = b"", 0
            raise SMTPSyntaxError(421, "4.7.0", "A line without end, closing connection", fatal=True)

    def _line_limit(self, expected: _Expecting, line: bytes) -> int:
        if expected is _Expecting.RESPONSE:
            return self._limits.auth_line
        if _AUTH.match(line):
            return _AUTH_COMMAND + self._limits.auth_line
        return self._limits.command_line
