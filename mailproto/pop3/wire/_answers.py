"""Reading what a POP3 server sends: replies, and the octets of multi-line ones."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import TypeAlias

from mailproto.errors import WireError
from mailproto.pop3.wire._limits import POP3ReplyLimits
from mailproto.pop3.wire._multiline import DotUnstuffing

__all__ = ["Body", "POP3ClientWire", "POP3Event", "POP3ReplyError", "Reply"]

_REPLY = re.compile(rb"(\+OK|-ERR|\+)(?![A-Za-z0-9]) ?([^\n]*)", re.IGNORECASE)
_CODE = re.compile(r"\[([^\[\]\s]{1,64})\] ?")

_EMPTY = 10
"""Empty lines before a reply that are left out: Exchange Online sends some."""

_TEMPORARY = ("SYS/TEMP", "IN-USE", "LOGIN-DELAY")


class POP3ReplyError(WireError):
    """A line that is no reply, or one that is too long: nothing after it can be understood."""

    fatal = True


@dataclass(frozen=True, slots=True)
class Reply:
    """The first line of a server's answer, or a challenge.

    :ivar status: ``+OK``, ``-ERR``, or ``+`` for a challenge (RFC 5034 4).
    :ivar text: the rest of the line; "" if there is none.
    :ivar code: the response code in upper case without its brackets (RFC 2449 8), such as ``SYS/TEMP``; "" if
        there is none.  It is at the beginning of ``text``, too.
    """

    status: str
    text: str = ""
    code: str = ""

    def __str__(self) -> str:
        return self.summary

    @property
    def is_ok(self) -> bool:
        """Whether the server has done what it was asked for."""
        return self.status == "+OK"

    @property
    def summary(self) -> str:
        """The line."""
        return f"{self.status} {self.text}".rstrip()

    @property
    def is_permanent(self) -> bool:
        """Whether it is a refusal, and its code does not say that the same may succeed later."""
        return self.status == "-ERR" and self.code not in _TEMPORARY


@dataclass(frozen=True, slots=True)
class Body:
    """Octets of a multi-line answer, without the dots that were added to its lines.

    :ivar octets: they end anywhere; b"" is possible.
    :ivar is_last: whether the answer ends with them.
    """

    octets: bytes
    is_last: bool


POP3Event: TypeAlias = Reply | Body


class POP3ClientWire:
    """Octets in; replies, and the octets of multi-line answers, out.

    Only the command tells whether lines follow a reply, so each must be announced with `expect`, in order.
    A line of a reply may end with LF alone; those of multi-line answers end as `DotUnstuffing` says.  A few
    empty lines before a reply are left out.
    """

    def __init__(self, limits: POP3ReplyLimits | None = None) -> None:
        self._limits = limits or POP3ReplyLimits()
        self._buffer = bytearray()
        self._start = 0
        self._searched = 0  # there is no LF in [start:searched]
        self._empty = 0  # empty lines since the last reply
        self._multiline: deque[bool] = deque()
        self._body: DotUnstuffing | None = None

    @property
    def pending(self) -> int:
        """Octets received and not yet part of an event."""
        return len(self._buffer) - self._start

    def expect(self, *, multiline: bool = False) -> None:
        """A command is sent: lines will follow if it is answered with ``+OK`` and is ``multiline``.

        A reply that was not announced, such as the greeting, has no lines.  A challenge is part of the answer
        to the command before it.
        """
        self._multiline.append(multiline)

    def receive(self, data: bytes) -> None:
        """Take octets.  This never raises."""
        if self._start:
            del self._buffer[: self._start]
            self._searched = max(self._searched - self._start, 0)
            self._start = 0
        self._buffer += data

    def next_event(self) -> POP3Event | None:
        """Return the next event, or None if more octets are needed.

        :raises POP3ReplyError: the server does not speak POP3.
        """
        if self._body is not None:
            return self._next_body(self._body)
        while (line := self._line()) is not None:
            if line.strip():
                self._empty = 0
                return self._reply(line)
            self._empty += 1
            if self._empty > _EMPTY:
                raise self._broken("Empty lines without end")
        return None

    def _line(self) -> bytes | None:
        """The next line without its end; None if it is not whole."""
        end = self._buffer.find(b"\n", max(self._searched, self._start))
        length = (end + 1 if end >= 0 else len(self._buffer)) - self._start
        if length > self._limits.line:
            raise self._broken("A reply that is too long")
        if end < 0:
            self._searched = len(self._buffer)
            return None
        line = bytes(self._buffer[self._start : end])
        self._start = self._searched = end + 1
        return line.removesuffix(b"\r")

    def _next_body(self, body: DotUnstuffing) -> Body | None:
        octets, self._start, is_last = body.decode(self._buffer, self._start)
        if is_last:
            self._body = None
            self._searched = self._start
        elif not octets:
            return None
        return Body(octets, is_last)

    def _reply(self, line: bytes) -> Reply:
        match = _REPLY.fullmatch(line)
        if match is None:
            raise self._broken("A line that is no reply")
        status = match[1].decode("ascii").upper()
        text = _text(match[2])
        if status == "+":
            return Reply(status, text)
        code = _CODE.match(text)
        if self._multiline and self._multiline.popleft() and status == "+OK":
            self._body = DotUnstuffing()
        return Reply(status, text, code[1].upper() if code else "")

    def _broken(self, text: str) -> POP3ReplyError:
        self._buffer.clear()
        self._start = self._searched = 0
        return POP3ReplyError(text)


def _text(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("latin-1")
