"""Parsing a server's replies, within limits (RFC 5321 4.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from mailproto._arguments import check_fields
from mailproto.errors import WireError
from mailproto.model import Outcome
from mailproto.printable import MAX_SHOWN, printable

__all__ = ["Reply", "ReplyLimits", "SMTPClientWire", "SMTPReplyError"]

_ENHANCED = re.compile(rb"([245]\.[0-9]{1,3}\.[0-9]{1,3}):?(?:[ \t]+|\Z)")  # OpenSMTPD writes a colon
_USUAL = re.compile(rb"([2-5][0-9][0-9]) ([^\r\n]*+)\r\n")
_CODES = {b"%d" % code: code for code in range(200, 600)}


MAX_PASSED_LINES = 20
"""The most lines of a reply that are passed on to another client."""


class SMTPReplyError(WireError):
    """The server sent something that is not a reply, or is too long; the connection is unusable."""

    fatal = True


@dataclass(frozen=True, slots=True)
class ReplyLimits:
    """Limits of a server's replies.

    :ivar line: octets of a line: at least 512 (RFC 5321 4.5.3.1.5), and 12288 for the challenges of
        AUTH (RFC 4954 4).
    :ivar lines: lines of a reply; a reply to EHLO has one for each extension.
    :ivar octets: octets of all lines of a reply.
    """

    ABOVE_0: ClassVar[frozenset[str]] = frozenset({"line", "lines", "octets"})

    line: int = 12300
    lines: int = 500
    octets: int = 1 << 16

    def __post_init__(self) -> None:
        """Check all numbers."""
        check_fields(self)


class Reply(NamedTuple):
    """One reply, of one or more lines.

    :ivar code: 200 to 599.
    :ivar lines: the text of each line after the code and its separator, as it came.
    """

    code: int
    lines: tuple[bytes, ...]

    @property
    def enhanced(self) -> str:
        """The enhanced status code (RFC 2034) if there is one of the same class as the code, or else ""."""
        match = _ENHANCED.match(self.lines[0])
        if match and match[1][0] == 48 + self.code // 100:
            return match[1].decode()
        return ""

    @property
    def text(self) -> str:
        """All lines joined, without enhanced status codes, and made printable by `mailproto.printable`."""
        # Each line has at least a space, so more lines would not be shown.
        return printable(b" ".join(self._texts(self.lines[:MAX_SHOWN])))

    def _texts(self, lines: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """The lines without enhanced status codes."""
        enhanced = self.enhanced.encode()
        if not enhanced:
            return lines
        return tuple(
            line[match.end() :] if (match := _ENHANCED.match(line)) and match[1] == enhanced else line
            for line in lines
        )

    @property
    def is_permanent(self) -> bool:
        """Whether it is a permanent failure (5yz): the same command would be refused again."""
        return self.code >= 500

    @property
    def summary(self) -> str:
        """The reply for people to read: ``550 5.1.1 No such user``."""
        return " ".join(part for part in (str(self.code), self.enhanced, self.text) if part)

    def outcome(self) -> Outcome:
        """The reply as an `Outcome`; if it has no enhanced code, with the general code of its class."""
        return Outcome(self.code, self.enhanced or f"{self.code // 100}.0.0", self.text)

    def passed_on(self) -> Outcome:
        """As `outcome`, but the text keeps its lines, so that the reply can be given to another client.

        At most `MAX_PASSED_LINES` are kept, and `mailproto.printable.MAX_SHOWN` characters of each.
        """
        lines = self._texts(self.lines[:MAX_PASSED_LINES])
        enhanced = self.enhanced or f"{self.code // 100}.0.0"
        return Outcome(self.code, enhanced, "\n".join(map(printable, lines)))

    def __str__(self) -> str:
        return f"{self.code} '{printable(b' '.join(self.lines[:MAX_SHOWN]))}'"


class SMTPClientWire:
    """Parses what a server sends into replies (`mailproto.connection.Wire`).

    It accepts common and harmless deviations: a line may end with LF alone, and a line may have
    only a code.  Otherwise it is strict: all lines of a reply must have the same code.
    """

    __slots__ = (
        "_broken",
        "_buffer",
        "_code",
        "_has_line",
        "_incoming",
        "_limits",
        "_lines",
        "_octets",
        "_position",
        "_waiting",
    )

    def __init__(self, limits: ReplyLimits | None = None) -> None:
        self._limits = limits or ReplyLimits()
        self._incoming: list[bytes] = []
        self._waiting = 0  # their octets
        self._has_line = False  # whether there is a line end in them
        self._buffer = b""
        self._position = 0
        self._code = 0
        self._lines: list[bytes] = []
        self._octets = 0  # of self._lines
        self._broken = False

    @property
    def pending(self) -> int:
        """Octets received and not yet part of a reply."""
        return len(self._buffer) - self._position + self._waiting + self._octets

    def receive(self, data: bytes) -> None:
        """Take octets."""
        if not self._broken:
            self._incoming.append(data)
            self._waiting += len(data)
            self._has_line = self._has_line or b"\n" in data

    def next_event(self) -> Reply | None:
        """Return the next reply, or None if more octets are needed.

        :raises SMTPReplyError: only once; all later octets are dropped.
        """
        while True:
            buffer, position = self._buffer, self._position
            if (
                not self._lines
                and (usual := _USUAL.match(buffer, position))
                and (end := usual.end()) - position <= self._limits.line
            ):
                self._position = end
                return Reply(_CODES[usual[1]], (usual[2],))
            end = buffer.find(b"\n", position)
            if end < 0:
                if not self._fill_buffer():
                    return None
                continue
            line = buffer[position:end].rstrip(b"\r")
            self._position = end + 1
            if len(line) > self._limits.line:
                raise self._break("line too long", line)
            code = _CODES.get(line[:3])
            if code is None:
                raise self._break("no reply code", line)
            separator, text = line[3:4], line[4:]
            if separator == b" " or not separator:
                if not self._lines:
                    return Reply(code, (text,))
                self._add(code, text)
                lines, self._lines, self._octets = tuple(self._lines), [], 0
                return Reply(code, lines)
            if separator != b"-":
                raise self._break("no separator after the code", line)
            self._add(code, text)

    def _fill_buffer(self) -> bool:
        """Add the received octets to the buffer, but only if it has a whole line then.

        Otherwise a line that comes octet by octet would be copied for each octet.
        """
        if self._position:
            self._buffer, self._position = self._buffer[self._position :], 0
        if not self._has_line:
            if len(self._buffer) + self._waiting > self._limits.line + 1:
                raise self._break("line too long", b"".join([self._buffer, *self._incoming]))
            return False
        incoming = self._incoming
        whole = len(incoming) == 1 and not self._buffer
        self._buffer = incoming[0] if whole else b"".join([self._buffer, *incoming])
        self._incoming.clear()
        self._waiting, self._has_line = 0, False
        return True

    def _add(self, code: int, text: bytes) -> None:
        if self._lines and code != self._code:
            raise self._break("the codes of one reply differ", b"%d %b" % (code, text))
        self._code = code
        self._lines.append(text)
        self._octets += len(text) + 6
        if len(self._lines) > self._limits.lines:
            raise self._break("too many lines")
        if self._octets > self._limits.octets:
            raise self._break("reply too long")

    def _break(self, reason: str, line: bytes = b"") -> SMTPReplyError:
        self._broken = True
        self._buffer, self._position = b"", 0
        self._lines, self._octets = [], 0
        self._incoming.clear()
        self._waiting, self._has_line = 0, False
        shown = f", '{printable(line, 100)}'" if line else ""  # it may be HTTP, or TLS
        return SMTPReplyError(f"not an SMTP reply{shown}: {reason}")
