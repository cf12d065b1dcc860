"""Whole messages and bodies in lines that end with CRLF."""

from __future__ import annotations

import io

from mailproto.content import CHUNK
from mailproto.smtp.wire import LineEnds, is_canonical

__all__ = ["with_line_ends"]


def with_line_ends(message: str | bytes) -> bytes:
    """In pieces, so that other threads have their turn; what is right already is not copied."""
    if isinstance(message, bytes) and _is_canonical(message):
        return message
    ends = LineEnds()
    octets = io.BytesIO()
    for start in range(0, len(message), CHUNK):
        piece = message[start : start + CHUNK]
        octets.write(ends.encode(piece.encode() if isinstance(piece, str) else piece))
    octets.write(ends.finish())
    return octets.getvalue()


def _is_canonical(message: bytes) -> bool:
    """Whether it is lines that end with CRLF."""
    at = 0
    while at < len(message):
        stop = at + CHUNK
        stop += message[stop - 1 : stop] == b"\r"
        if not is_canonical(message[at:stop]):
            return False
        at = stop
    return message.endswith(b"\r\n") or not message
