"""Content made ready for the wire, in pieces of any size: line ends and dots (RFC 5321 2.3.8, 4.5.2)."""

from __future__ import annotations

from mailproto.smtp.wire._newlines import is_canonical, normalise

__all__ = ["DotStuffer", "LineEnds"]


class LineEnds:
    """Makes CRLF of each bare CR and LF, and ends the last line: content for BDAT.

    `encode` each piece, then `finish`; what both return, joined, does not depend on where
    the pieces were cut.
    """

    __slots__ = ("_at_start", "_cr")

    def __init__(self) -> None:
        self._cr = False  # the last octet was a CR, held back until it is known what follows
        self._at_start = True  # of a line

    def encode(self, piece: bytes) -> bytes:
        """The next octets to be sent, for the next octets of the content."""
        if not piece:
            return b""
        if self._cr:
            piece = b"\r" + piece
        self._cr = piece.endswith(b"\r")
        if self._cr:
            piece = piece[:-1]
        if not is_canonical(piece):
            piece = normalise(piece)
        if piece:
            piece = self._stuffed(piece)
            self._at_start = piece.endswith(b"\r\n")
        return piece

    def finish(self) -> bytes:
        """The last octets, so that the content ends with CRLF."""
        return b"" if self._at_start and not self._cr else b"\r\n"

    def _stuffed(self, piece: bytes) -> bytes:
        return piece


class DotStuffer(LineEnds):
    """`LineEnds`, with dots doubled and the end of data behind it: content for DATA."""

    __slots__ = ()

    def finish(self) -> bytes:
        """The last line's end, if it lacks, and the end of data."""
        return super().finish() + b".\r\n"

    def _stuffed(self, piece: bytes) -> bytes:
        if b"\r\n." in piece:
            piece = piece.replace(b"\r\n.", b"\r\n..")
        return b"." + piece if self._at_start and piece.startswith(b".") else piece
