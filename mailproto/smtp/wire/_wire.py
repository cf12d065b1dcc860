"""The server's side of SMTP and LMTP without I/O: octets in, events out."""

from __future__ import annotations

import enum
import re
from collections.abc import Collection

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
"""The most octets before an initial response: a mechanism's name has at most 20 characters."""


class _Expecting(enum.Enum):
    """The kind of the next line."""

    COMMAND = "a command"
    RESPONSE = "a response to an AUTH challenge"
    LONG = "the rest of a line that is too long"
    BARE = "after a bare LF, up to the next CRLF"
    NOTHING = "nothing: the client does not end its line"


_UNWANTED = frozenset({_Expecting.LONG, _Expecting.BARE})
"""The kinds of lines that are thrown away."""


class SMTPServerWire:
    """Parses what a client sends into events (`mailproto.connection.Wire`).

    Lines are commands, unless the server expects something else: after the reply 354 it calls
    `expect_content`, and after 334 `expect_response`.  The octets of a chunk follow its `Bdat`.

    A line ends with CRLF (RFC 5321 2.3.8).  A line that ends with LF alone is an error at once, and so
    is everything up to the next CRLF.  So a client that ends its lines with LF gets a reply to each
    line.  And no part of a line is run as a command if a client or proxy takes only CRLF for its end.

    :param normalise: replace bare CR and LF in content by CRLF, instead of a `DataFault`.
    :param strict: take only commands that RFC 5321 allows.
    :param own: verbs in upper case that are read as `OwnCommand`, also if they are built in.
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
        self,
        limits: SMTPWireLimits | None = None,
        *,
        normalise: bool = False,
        strict: bool = False,
        own: Collection[str] = (),
    ) -> None:
        self._limits = limits or SMTPWireLimits()
        self._parse = command_parser(self._limits, strict=strict, own=frozenset(own))
        self._normalise = normalise
        self._expecting = _Expecting.COMMAND
        self._content: ContentScanner | ChunkScanner | None = None
        self._buffer = b""
        self._position = 0
        self._swallowed = 0  # octets of the line that is being thrown away
        # They are joined when the next event is asked for, not when they come.  Otherwise, while a
        # command is running, each single octet that comes would cost a copy of all that wait.
        self._incoming: list[bytes] = []
        self._waiting = 0  # their octets

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
        """Remove and return what was received and is not part of an event yet."""
        self._join()
        taken = self._buffer[self._position :]
        self._buffer, self._position = b"", 0
        return taken

    def expect_content(self) -> None:
        """Read what comes next as a message's content, up to CRLF.CRLF."""
        self._content = ContentScanner(normalise=self._normalise, text_line=self._limits.text_line)

    def expect_response(self) -> None:
        """Read the next line as the response to an AUTH challenge."""
        self._expecting = _Expecting.RESPONSE

    def next_event(self) -> Event | None:
        """Return the next event, or None if more octets are needed.

        :raises SMTPSyntaxError: a line is not a valid command.  The next call goes on after it, unless
            the error is fatal.
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
        """Mark the octets before ``position`` as used; drop the buffer if all of it is used."""
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
        """Handle a line that is not a command, is long, or ends with a bare LF."""
        expected = self._expecting
        is_refused = expected in _UNWANTED  # before
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
        """Keep the unfinished line; if it is too long, drop it, except a CR at its end."""
        expected = self._expecting
        begun = self._buffer[self._position :].removesuffix(b"\r")
        if expected not in _UNWANTED and len(begun) > self._line_limit(expected, begun):
            self._expecting = _Expecting.LONG
        if self._expecting in _UNWANTED:
            self._consume(self._position + len(begun))
            self._swallow(len(begun))

    def _swallow(self, octets: int) -> None:
        """Count octets that are thrown away.

        :raises SMTPSyntaxError: there are too many; nothing more is read.
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
