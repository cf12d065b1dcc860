"""Line ends and dots in content that is sent, in pieces of any size (RFC 5321 2.3.8, 4.5.2)."""

from __future__ import annotations

from mailproto.smtp.wire._newlines import is_canonical, normalise

__all__ = ["DotStuffer", "LineEnds"]


class LineEnds:
    """Content for BDAT: each bare CR and LF becomes CRLF, and the last line gets an end.

    Call `encode` for each piece, then `finish`.  The octets that they return together do not depend
    on where the pieces were cut.
    """

    __slots__ = ("_at_start", "_cr")

    def __init__(self) -> None:
        self._cr = False  # whether the last octet was a CR, which is held back until the next octet
        self._at_start = True  # whether a line begins here

    def encode(self, piece: bytes) -> bytes:
        """Return the next octets to send, for the next octets of the content."""
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
        """Return the last octets to send, so that the content ends with CRLF."""
        return b"" if self._at_start and not self._cr else b"\r\n"

    def _stuffed(self, piece: bytes) -> bytes:
        return piece


class DotStuffer(LineEnds):
    """Content for DATA: as `LineEnds`, with dots doubled, and with the end of data."""

    __slots__ = ()

    def finish(self) -> bytes:
        """Return the last line's end if it is missing, and the end of data."""
        return super().finish() + b".\r\n"

    def _stuffed(self, piece: bytes) -> bytes:
        if b"\r\n." in piece:
            piece = piece.replace(b"\r\n.", b"\r\n..")
        return b"." + piece if self._at_start and piece.startswith(b".") else piece
