"""Reading what a POP3 client sends: each line is a command, or a response to a SASL challenge."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from mailproto.errors import WireError
from mailproto.pop3.wire._limits import POP3WireLimits

__all__ = [
    "Command",
    "POP3ServerWire",
    "POP3SyntaxError",
    "Response",
]

_COMMAND = re.compile(rb"([!-~]+)(?: ([^\x00-\x08\x0a-\x1f\x7f]*))?\r\n")


class POP3SyntaxError(WireError):
    """A line that is not POP3; the text is for the client.  Reading goes on with the next line."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    :ivar keyword: in upper case.
    :ivar rest: everything after the space that follows the keyword.  Spaces in it are kept, because
        a password may have some (RFC 1939 7 PASS).
    """

    keyword: str
    rest: bytes = b""

    @property
    def arguments(self) -> list[bytes]:
        """The arguments of every command but PASS."""
        return self.rest.split()


@dataclass(frozen=True, slots=True)
class Response:
    """A line that answers a challenge (RFC 5034 4): base64, or ``*`` to cancel."""

    data: bytes


Event: TypeAlias = Command | Response


class POP3ServerWire:
    """Octets in, commands out.

    A line ends with CRLF.  A line that ends with LF alone is an error, and so is everything up to
    the next CRLF: a client that ends lines with CRLF only means all of that as one command.  A
    line that is too long is thrown away while it comes.
    """

    def __init__(self, limits: POP3WireLimits | None = None) -> None:
        self._limits = limits or POP3WireLimits()
        self._buffer = bytearray()
        self._start = 0  # of the next line
        self._searched = 0  # there is no LF in [start:searched]
        self._overlong = 0  # octets of the line that were thrown away
        self._is_bare = False  # the last line ended with LF alone
        self._lost = False
        self._response = False

    @property
    def pending(self) -> int:
        """Octets received and not yet part of an event."""
        return len(self._buffer) - self._start

    def receive(self, data: bytes) -> None:
        """Take octets.  This never raises."""
        if self._lost:
            return
        if self._start:
            del self._buffer[: self._start]
            self._searched -= self._start
            self._start = 0
        self._buffer += data

    def take_pending(self) -> bytes:
        """Remove and return what was received and is not part of an event yet."""
        taken = bytes(self._buffer[self._start :])
        self._buffer.clear()
        self._start = self._searched = 0
        return taken

    def expect_response(self) -> None:
        """Read the next line as the response to a challenge."""
        self._response = True

    def next_event(self) -> Event | None:
        """Return the next line as an event, or None if more octets are needed.

        :raises POP3SyntaxError: the line is not POP3; it has been consumed.  The error is fatal for
            a line that does not end; nothing comes after it.
        """
        buffer, start = self._buffer, self._start
        if start == len(buffer) and not self._overlong:
            return None
        end = buffer.find(b"\n", self._searched)
        if start <= end < start + self._limits.line and not (
            self._response or self._overlong or self._is_bare
        ):
            # The usual case; all others follow.
            match = _COMMAND.fullmatch(buffer, start, end + 1)
            if match is not None:
                self._start = self._searched = end + 1
                keyword, rest = match.groups(b"")
                return Command(keyword.decode("ascii").upper(), rest)
        if end < 0:
            if self._overlong or self.pending > self._limit():
                kept = buffer.endswith(b"\r")  # it may be half a CRLF
                self._overlong += self.pending - kept
                del buffer[: len(buffer) - kept]
                self._start = 0
                self._check_swallowed()
            self._searched = len(buffer)
            return None
        limit = self._limit()
        self._start = self._searched = end + 1
        is_response, self._response = self._response, False
        was_bare, self._is_bare = self._is_bare, buffer[max(end - 1, start) : end] != b"\r"
        if self._overlong or end + 1 - start > limit:
            self._overlong += end + 1 - start
            self._check_swallowed()
            self._overlong = 0
            raise POP3SyntaxError("Line too long")
        if was_bare or self._is_bare:
            raise POP3SyntaxError("Lines end with CRLF")
        if is_response:
            return Response(bytes(buffer[start : end - 1]))
        match = _COMMAND.fullmatch(buffer, start, end + 1)
        if match is None:
            raise POP3SyntaxError("Malformed command")
        keyword, rest = match.groups(b"")
        return Command(keyword.decode("ascii").upper(), rest)

    def _check_swallowed(self) -> None:
        if self._overlong > self._limits.swallowed:
            self._buffer.clear()
            self._start = self._searched = self._overlong = 0
            self._lost = True
            error = POP3SyntaxError("A line without end")
            error.fatal = True
            raise error

    def _limit(self) -> int:
        """The most octets that the line at ``start`` may have."""
        start = self._start
        is_auth = self._response or self._buffer[start : start + 5].upper() == b"AUTH "
        return self._limits.auth_line if is_auth else self._limits.line
