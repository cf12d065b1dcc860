"""A message as the body of a multi-line reply (RFC 1939 3)."""

from __future__ import annotations

import re

__all__ = ["DotStuffing"]

_BARE_LF = re.compile(rb"(?<!\r)\n")


class DotStuffing:
    """Makes a reply's body from a message's octets, which come in pieces of any size.

    A line that begins with a dot gets another dot.  A line that ends with LF alone gets its CR,
    and a last line without an end gets CRLF.  Octets are searched in bulk, and copied only where
    something must be added.
    """

    __slots__ = ("_after_cr", "_at_line_start")

    def __init__(self) -> None:
        self._at_line_start = True
        self._after_cr = False

    def encode(self, piece: bytes) -> bytes:
        """Return the next octets of the body for the next octets of the message."""
        if not piece:
            return b""
        lead = b""
        if self._after_cr and piece[:1] == b"\n":
            lead, piece = b"\n", piece[1:]
            self._at_line_start = True
        if piece.count(b"\n") != piece.count(b"\r\n"):
            piece = _BARE_LF.sub(b"\r\n", piece)
        if b"\n." in piece:
            piece = piece.replace(b"\n.", b"\n..")
        if self._at_line_start and piece[:1] == b".":
            lead += b"."
        if piece:
            self._after_cr = piece[-1:] == b"\r"
            self._at_line_start = piece[-1:] == b"\n"
        else:
            self._after_cr = False
        return lead + piece if lead else piece

    def finish(self) -> bytes:
        """Return the end of the body: the last line's end if it is missing, and the line with the dot."""
        if self._at_line_start:
            return b".\r\n"
        return b"\n.\r\n" if self._after_cr else b"\r\n.\r\n"
