"""Octets of a server become responses, within limits (RFC 9051 7)."""

from __future__ import annotations

import re
from typing import Final, NoReturn

from mailproto.content import Content
from mailproto.imap.wire._answers import (
    Answer,
    BodyBegins,
    BodyPiece,
    Continuation,
    Data,
    Fetches,
    Garbage,
    IMAPResponseError,
    StatusResponse,
)
from mailproto.imap.wire._client_limits import IMAPClientLimits
from mailproto.imap.wire._usual_fetches import AFTER_LITERAL, usual_fetches
from mailproto.printable import printable

__all__ = ["IMAPClientWire"]

_UNTAGGED = re.compile(
    rb"\*[ \t]++(?:([0-9]{1,10}+)[ \t]++)?([A-Za-z][A-Za-z0-9.\-]*+)(?=[ \t\r\n(\[])[ \t]?+"
)
_TAGGED = re.compile(
    rb"([^\x00-\x20\x7f-\xff(){%*\"\\+]++)[ \t]++(OK|NO|BAD)(?=[ \t\r\n\[])[ \t]*+", re.IGNORECASE
)
_LITERAL = re.compile(rb"(~?+)\{([0-9]{1,19})\+?\}\r?\n\Z")
_ANNOUNCEMENT: Final = 26  # octets of the longest one
_STATUSES: Final = frozenset(("OK", "NO", "BAD", "BYE", "PREAUTH"))


class IMAPClientWire:
    """Parses what a server sends (`mailproto.connection.Wire`).

    It takes what servers are known to get wrong: lines that end with LF alone, empty lines, more spaces than
    one, line ends inside of a FETCH response, and lines that are no responses (`Garbage`).  It does not look
    into the data: a response is read by those who want to know what is in it.

    :ivar limits: of what is read.
    :ivar longest: the most octets of a line: ``limits.line_before_login``, until the client has signed in.
    """

    __slots__ = (
        "_broken",
        "_buffer",
        "_gathered",
        "_has_line",
        "_held",
        "_in_pieces",
        "_incoming",
        "_is_dropped",
        "_is_open",
        "_lines",
        "_literals",
        "_name",
        "_number",
        "_position",
        "_remaining",
        "_split",
        "_waiting",
        "limits",
        "longest",
    )

    def __init__(self, limits: IMAPClientLimits | None = None) -> None:
        self.limits = limits or IMAPClientLimits()
        self.longest = self.limits.line_before_login
        self._incoming: list[bytes] = []
        self._waiting = 0  # their octets
        self._has_line = False  # whether there is a line end in them
        self._buffer = b""
        self._position = 0
        self._split = 0  # octets of a FETCH response here that is not whole, but usual so far
        self._broken = False
        self._begin_response()

    def _begin_response(self) -> None:
        """Forget the response that was read."""
        self._lines: list[bytes] = []
        self._literals: list[bytes | Content | None] = []
        self._held = 0  # octets of the lines and literals
        self._number: int | None = None
        self._name = ""
        self._remaining = 0  # octets of a literal that are still to come
        self._in_pieces = False
        self._is_dropped = False  # whether the literal is that of a line that is no response
        self._is_open = False  # whether the last line has ended where a FETCH response cannot
        self._gathered: list[bytes] = []

    @property
    def pending(self) -> int:
        """Octets received and not yet part of an event."""
        return len(self._buffer) - self._position + self._waiting + self._held

    def receive(self, data: bytes) -> None:
        """Take octets."""
        if not self._broken:
            self._incoming.append(data)
            self._waiting += len(data)
            self._has_line = self._has_line or b"\n" in data

    def take_pending(self) -> bytes:
        """Remove and return what was received after the last event."""
        taken = b"".join([self._buffer[self._position :], *self._incoming])
        self._clear()
        return taken

    def next_event(self) -> Answer | None:
        """Return the next event, or None if more octets are needed.

        :raises IMAPResponseError: only once; all later octets are dropped.
        """
        while True:
            if self._remaining:
                piece = self._piece()
                if piece is None:
                    return None
                if self._in_pieces:
                    return BodyPiece(piece, not self._remaining)
                if self._is_dropped:
                    self._is_dropped = bool(self._remaining)
                    continue
                self._gathered.append(piece)
                if not self._remaining:
                    self._literals.append(b"".join(self._gathered))
                    self._gathered = []
                continue
            if self._split > len(self._buffer) - self._position + self._waiting:
                return None
            buffer, position = self._buffer, self._position
            end = buffer.find(b"\n", position) + 1
            if not end:
                if not self._join():
                    return None
                continue
            if not self._lines:
                fetches = self._usual()
                if fetches is not None:
                    return fetches
                if self._split or self._buffer is not buffer:
                    continue
            if end - position > self.longest:
                self._break("line too long", buffer[position:end])
            line = buffer[position:end]
            if self._is_open and _is_response(line):
                return self._finish()
            self._position = end
            answer = self._line(line)
            if answer is not None:
                return answer

    # -- lines

    def _usual(self) -> Fetches | None:
        """Read FETCH responses in the usual form; None if there are none here.

        One that is not whole waits until it is, and is read together with those after it.
        """
        answers: list[Data] = []
        uids: list[int] = []
        octets = 0
        if self._split:
            begin, more = self._buffer[self._position :], b"".join(self._incoming)
            most = self._split + AFTER_LITERAL - len(begin)
            self._clear()
            octets, split = usual_fetches(begin + more[:most], 0, self.limits, self.longest, answers, uids)
            if not uids:  # it is not whole, or its end is not usual
                self._buffer, self._split = begin + more, split
                return None
            self._buffer, self._position = more, octets - len(begin)
        position = self._position
        self._position, self._split = usual_fetches(
            self._buffer, position, self.limits, self.longest, answers, uids
        )
        return Fetches(answers, uids, octets + self._position - position) if uids else None

    def _line(self, line: bytes) -> Answer | None:
        """Read a line; None if its response goes on, or if there is nothing in it."""
        if self._lines:
            return self._goes_on(line)
        match = _UNTAGGED.match(line)
        if match is None:
            answer = _other(line)
            if (
                isinstance(answer, Garbage)
                and (literal := _LITERAL.search(line[-_ANNOUNCEMENT:])) is not None
            ):
                self._drop(int(literal[2]))
            return answer
        name = match[2].decode("ascii").upper()
        if match[1] is None:
            if name in _STATUSES:
                return StatusResponse.read("", name, line[match.end() :].strip())
            number = None
        else:
            number = int(match[1])
        if line[-3:] == b")\r\n" or (name != "FETCH" and not line.endswith((b"}\r\n", b"}\n"))):
            return Data(number, name, line[match.end() :].rstrip(b"\r\n"), [])
        self._number, self._name = number, name
        return self._goes_on(line[match.end() :])

    def _goes_on(self, line: bytes) -> Answer | None:
        """Read one of several lines of a response."""
        self._lines.append(line)
        self._held += len(line)
        limits = self.limits
        if self._held > limits.response or len(self._lines) > limits.literals + 1:
            self._break("response too long")
        literal = _LITERAL.search(line[-_ANNOUNCEMENT:])
        self._is_open = literal is None and self._name == "FETCH" and not line.rstrip().endswith(b")")
        if self._is_open:  # QQ passes on line ends in parameters; or the parenthesis is missing
            return None
        if literal is None:
            return self._finish()
        size = int(literal[2])
        if not size:
            self._literals.append(b"")
            return None
        self._remaining = size
        if self._name == "FETCH" and size > limits.in_memory:
            if size > limits.literal:
                self._break(f"a literal of {size} octets")
            self._in_pieces = True
            self._literals.append(None)
            return BodyBegins(self._number, b"".join(self._lines)[: -len(literal[0])], size)
        self._in_pieces = False
        self._held += size
        if self._held > limits.response:
            self._break(f"a literal of {size} octets")
        return None

    def _finish(self) -> Data:
        self._lines[-1] = self._lines[-1].rstrip(b"\r\n")
        data = Data(self._number, self._name, b"".join(self._lines), self._literals)
        self._begin_response()
        return data

    def _drop(self, size: int) -> None:
        """Drop a literal of a line that is no response: a message's text is never taken for responses."""
        if size > self.limits.literal:
            self._break(f"a literal of {size} octets")
        self._remaining, self._is_dropped = size, bool(size)

    # -- octets

    def _piece(self) -> bytes | None:
        """Some octets of a literal, or all that are left; None if there are none."""
        if self._position >= len(self._buffer):
            if not self._incoming:
                return None
            self._buffer, self._position = self._incoming[0], 0
            del self._incoming[0]
            self._waiting -= len(self._buffer)
            if not self._incoming:
                self._has_line = False
        position = self._position
        stop = min(position + self._remaining, len(self._buffer))
        self._position = stop
        self._remaining -= stop - position
        return self._buffer[position:stop]

    def _join(self) -> bool:
        """Add the received octets to the buffer, but only if it has a whole line then.

        Otherwise a line that comes octet by octet would be copied for each octet.
        """
        if self._position:
            self._buffer, self._position = self._buffer[self._position :], 0
        if not self._has_line:
            if len(self._buffer) + self._waiting > self.longest:
                self._break("line too long", b"".join([self._buffer, *self._incoming]))
            return False
        incoming = self._incoming
        whole = len(incoming) == 1 and not self._buffer
        self._buffer = incoming[0] if whole else b"".join([self._buffer, *incoming])
        self._incoming = []
        self._waiting, self._has_line = 0, False
        return True

    def _clear(self) -> None:
        self._buffer, self._position, self._split = b"", 0, 0
        self._incoming = []
        self._waiting, self._has_line = 0, False

    def _break(self, reason: str, line: bytes = b"") -> NoReturn:
        self._broken = True
        self._clear()
        self._begin_response()
        shown = f", '{printable(line, 100)}'" if line else ""  # it may be HTTP, or TLS
        raise IMAPResponseError(f"not an IMAP response{shown}: {reason}")


def _is_response(line: bytes) -> bool:
    """Whether a new response begins with this line."""
    return (line.startswith(b"*") and _UNTAGGED.match(line) is not None) or _TAGGED.match(line) is not None


def _other(line: bytes) -> Answer | None:
    """A line that is not untagged."""
    if line.startswith(b"+"):
        return Continuation(line[1:].strip(b" \t\r\n"))
    match = _TAGGED.match(line)
    if match is not None:
        status = match[2].decode("ascii").upper()
        return StatusResponse.read(match[1].decode("ascii"), status, line[match.end() :].strip())
    line = line.strip(b" \t\r\n")
    return Garbage(line) if line else None
