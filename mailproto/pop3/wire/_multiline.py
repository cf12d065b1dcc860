"""A message as the body of a multi-line reply (RFC 1939 3)."""

from __future__ import annotations

__all__ = ["DotStuffing", "DotUnstuffing"]

_LAST_LINE = b".\r\n"
_END = b"\r\n" + _LAST_LINE


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

    @staticmethod
    def whole(message: bytes) -> bytes:
        """What `encode` and `finish` make of a whole message, but for the line with the dot; in less time.

        :returns: the message itself if nothing must be added.
        """
        if b"\n" in message.replace(b"\r\n", b"  "):
            message = message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        if b"\r\n." in message:  # the longer a text is, the more octets are skipped in the search for it
            message = message.replace(b"\r\n.", b"\r\n..")
        if message[:1] == b".":
            message = b"." + message
        if not message or message[-1:] == b"\n":
            return message
        return message + (b"\n" if message[-1:] == b"\r" else b"\r\n")

    def encode(self, piece: bytes) -> bytes:
        """Return the next octets of the body for the next octets of the message."""
        if not piece:
            return b""
        lead = b""
        if self._after_cr and piece[:1] == b"\n":
            lead, piece = b"\n", piece[1:]
            self._at_line_start = True
        # A replacement of the same length takes a tenth of the time that counting single octets does.
        if b"\n" in piece.replace(b"\r\n", b"  "):
            piece = piece.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
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


class DotUnstuffing:
    """Takes a multi-line reply apart again: finds its end, and undoes what `DotStuffing` does.

    The end is a line with a dot alone, and lines end with CRLF here: a message with other line ends, which a
    server passes on as they are, cannot end its reply early, so that its text would be taken for replies.
    """

    __slots__ = ("_at_line_start",)

    def __init__(self) -> None:
        self._at_line_start = True

    def decode(self, buffer: bytearray, start: int) -> tuple[bytes, int, bool]:
        """The next octets of the message, from what was received.

        :param buffer: the octets received; those before ``start`` are not looked at.
        :returns: octets (b"" if more must be received), how far ``buffer`` was used, and whether the end
            has come.
        """
        if self._at_line_start and buffer.startswith(b".", start):
            if len(buffer) - start < len(_LAST_LINE) and _LAST_LINE.startswith(buffer[start:]):
                return b"", start, False
            if buffer.startswith(_LAST_LINE, start):
                return b"", start + len(_LAST_LINE), True
            start += 1
        end = buffer.find(_END, start)
        if end >= 0:
            return self._lines(buffer, start, end + 2), end + len(_END), True
        stop = len(buffer)
        for held in range(min(len(_END) - 1, stop - start), 0, -1):
            if buffer.endswith(_END[:held]):
                stop -= held
                break
        self._at_line_start = self._at_line_start and stop == start
        return self._lines(buffer, start, stop), stop, False

    def _lines(self, buffer: bytearray, start: int, stop: int) -> bytes:
        octets = bytes(buffer[start:stop])
        return octets.replace(b"\r\n.", b"\r\n") if b"\r\n." in octets else octets
