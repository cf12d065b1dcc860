"""An attachment: its name and type, and its octets as a stream."""

from __future__ import annotations

import io
from collections.abc import Iterator

from mailproto.content import Octets
from mailproto.message._file_name import file_name
from mailproto.message._ids import message_id
from mailproto.message._one_line import one_line
from mailproto.message._scan import MESSAGE, Part
from mailproto.message._transfer import UnknownEncoding, decoded

__all__ = ["Attachment"]

_OCTETS = "application/octet-stream"
_BUFFER = 1 << 16


class Attachment:
    """A part of a message that is not its text: a file, an image in the text, a forwarded message.

    Its octets are read from the message's content; once that is closed, reading them raises ValueError.

    :ivar is_embedded: whether the HTML text uses it, such as an image that it shows by its
        `content_id`.
    """

    __slots__ = ("_content", "_part", "is_embedded")

    def __init__(self, content: Octets, part: Part, *, is_embedded: bool) -> None:
        self._content = content
        self._part = part
        self.is_embedded = is_embedded

    def __repr__(self) -> str:
        return f"<Attachment {self.name!r}, {self.media_type}, {self.encoded_size} octets encoded>"

    @property
    def name(self) -> str:
        """The file name that the sender gives (RFC 2183 2.3, RFC 2231), decoded; "" if there is none.

        It has no folders in it, no control characters, and at most `FILE_NAME_LIMIT` octets in UTF-8.
        It may still be the name of a file that you have, in which case ``open(name, "xb")`` fails.
        """
        return file_name(self._content, self._part)

    @property
    def media_type(self) -> str:
        """Such as ``application/pdf``, in lower case, without parameters: what the sender says it is.

        ``application/octet-stream`` if it is not valid, or if the transfer encoding is unknown (RFC 2045
        6.4).
        """
        try:
            decoded(self._content, self._part, 0)
        except UnknownEncoding:
            return _OCTETS
        if self._part.kind == MESSAGE and b"content-type" not in self._part.fields(self._content):
            return "message/rfc822"  # in a digest (RFC 2046 5.1.5)
        kind, subtype, _ = self._part.content_type(self._content)
        if not subtype or not (kind + subtype).isascii():
            return _OCTETS
        return f"{kind.decode()}/{subtype.decode()}".lower()

    @property
    def content_id(self) -> str:
        """The Content-ID (RFC 2392) without its brackets, for ``cid:`` in the HTML text; "" if none."""
        values = self._part.fields(self._content).get(b"content-id")
        found = message_id(values[0]) if values else None
        return one_line((found or b"").decode("utf-8", "replace"))

    @property
    def encoded_size(self) -> int:
        """Octets in the message; base64 makes four of three."""
        return self._part.end - self._part.body

    def open(self) -> io.BufferedReader:
        """A new stream of the decoded octets, which decodes while it is read.

        It holds less than 2 MB in memory, whatever the size.  Errors in base64 and quoted-printable are
        skipped; in an unknown encoding, the octets are as they are in the message.  There is nothing to
        close.

        Decoding takes about 5 ms for a megabyte, so read a large attachment in a thread.
        """
        try:
            pieces = decoded(self._content, self._part)
        except UnknownEncoding:
            pieces = self._content_pieces()
        return io.BufferedReader(_Pieces(pieces), _BUFFER)

    def _content_pieces(self) -> Iterator[bytes]:
        for start in range(self._part.body, self._part.end, _BUFFER):
            yield self._content[start : min(start + _BUFFER, self._part.end)]


class _Pieces(io.RawIOBase):
    """A binary stream of pieces of octets."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._piece = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # any writable buffer
        while not self._piece:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._piece = memoryview(piece)
        size = min(len(buffer), len(self._piece))
        buffer[:size] = self._piece[:size]
        self._piece = self._piece[size:]
        return size
