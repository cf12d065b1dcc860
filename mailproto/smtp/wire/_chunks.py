"""The content after BDAT: a number of octets with any values (RFC 3030)."""

from __future__ import annotations

import sys

from mailproto.smtp.wire._content import ContentCheck
from mailproto.smtp.wire._events import Bdat, ChunkEnd, DataChunk

__all__ = ["ChunkScanner", "ChunkedText"]


class ChunkScanner:
    """Counts the octets of one chunk."""

    __slots__ = ("_last", "_left")

    def __init__(self, command: Bdat) -> None:
        self._left = command.size
        self._last = command.last

    def scan(self, buffer: bytes, position: int) -> tuple[DataChunk | ChunkEnd | None, int]:
        """As `ContentScanner.scan`, but nothing is held back.  A `ChunkEnd` is the last event."""
        octets = buffer[position : position + self._left]
        self._left -= len(octets)
        if not self._left:
            return ChunkEnd(octets, self._last), len(octets)
        return (DataChunk(octets) if octets else None), len(octets)


class ChunkedText(ContentCheck):
    """Checks a message in chunks in the same way as one after DATA.

    Chunks may be cut within a CRLF, so a CR at the end is kept until the next octet is known.

    :param normalise: replace each bare CR or LF by CRLF, instead of a `DataFault`.
    :param text_line: the most octets of a line without its CRLF (`SMTPWireLimits`); by default, any
        number.
    """

    __slots__ = ("_held",)

    def __init__(self, *, normalise: bool, text_line: int = sys.maxsize) -> None:
        super().__init__(normalise=normalise, text_line=text_line)
        self._held = b""

    def check(self, octets: bytes) -> bytes:
        """Check ``octets``; return those that can be passed on now: none after a `fault`."""
        if self._held:
            octets, self._held = self._held + octets, b""
        if octets.endswith(b"\r"):
            octets, self._held = octets[:-1], b"\r"
        return self._check(octets)

    def finish(self) -> bytes:
        """End the message; return what was kept."""
        held, self._held = self._held, b""
        return self._check(held)
