"""Decoding content transfer encodings (RFC 2045 6) a piece at a time, and BINARY (RFC 3516)."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator, Sequence

from mailproto.content import CHUNK, Octets, chunks
from mailproto.message._index import Index
from mailproto.message._mime import transfer_encoding
from mailproto.message._scan import MESSAGE, MULTIPART, Part
from mailproto.message._steps import Steps, finish

__all__ = ["UnknownEncoding", "binary", "binary_size", "binary_size_steps", "decoded"]

_NOT_BASE64 = bytes(
    set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
)
_trailing_blanks = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n)").sub


class UnknownEncoding(Exception):
    """The part has a transfer encoding that cannot be decoded: IMAP's [UNKNOWN-CTE] (RFC 3516 4.3).

    :ivar encoding: the Content-Transfer-Encoding, in lower case.
    """

    def __init__(self, encoding: bytes) -> None:
        super().__init__(f"unknown content transfer encoding {encoding!r}")
        self.encoding = encoding


def binary(content: Octets, index: Index, path: Sequence[int]) -> Iterator[bytes] | None:
    """The octets of ``BINARY[path]`` in pieces; None if the message has no such part.

    A part that has parts itself has no encoding, and is not changed.

    :raises UnknownEncoding: before the first piece.
    """
    part = index.find(path)
    if part is None:
        return None
    if not path:
        return chunks(content, part.header, part.end)
    return decoded(content, part)


def binary_size(content: Octets, index: Index, path: Sequence[int]) -> int | None:
    """How many octets `binary` gives; they are decoded, but not kept.

    :raises UnknownEncoding: as in `binary`.
    """
    return finish(binary_size_steps(content, index, path))


def binary_size_steps(content: Octets, index: Index, path: Sequence[int]) -> Steps[int | None]:
    """As `binary_size`, in steps."""
    part = index.find(path)
    pieces = binary(content, index, path)
    if part is None or pieces is None:
        return None
    if not path:
        return part.end - part.header
    if _encoding(content, part) not in (b"base64", b"quoted-printable"):
        return part.end - part.body
    size = 0
    for piece in pieces:
        size += len(piece)
        yield
    return size


def decoded(content: Octets, part: Part, limit: int | None = None) -> Iterator[bytes]:
    """The decoded body of ``part`` in pieces; errors in the encoding are skipped.

    :param limit: how many octets of the encoded body are read.
    :raises UnknownEncoding: before the first piece.
    """
    encoding = _encoding(content, part)
    stop = part.end if limit is None else min(part.end, part.body + limit)
    pieces = _windows(content, part.body, stop)
    if encoding == b"base64":
        return _base64(pieces)
    if encoding == b"quoted-printable":
        return _quoted_printable(pieces)
    if encoding in (b"7bit", b"8bit", b"binary"):
        return pieces
    raise UnknownEncoding(encoding)


def _encoding(content: Octets, part: Part) -> bytes:
    values = part.fields(content).get(b"content-transfer-encoding")
    if part.kind in (MULTIPART, MESSAGE) or not values:
        return b"7bit"
    # "base64;" means base64; an empty field means nothing; anything else is an unknown encoding.
    return (transfer_encoding(values) or values[0].partition(b";")[0].strip() or b"7bit").lower()


def _windows(content: Octets, start: int, stop: int) -> Iterator[bytes]:
    """Pieces of at most `CHUNK`, also of ``bytes``, so that the results for each stay small."""
    for at in range(start, stop, CHUNK):
        yield content[at : min(at + CHUNK, stop)]


def _base64(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        text = rest + piece.translate(None, _NOT_BASE64)
        end = text.find(b"=")
        if end >= 0:  # RFC 2045 6.8: padding is the end of the data
            rest = text[:end]
            break
        whole = len(text) & ~3
        rest = text[whole:]
        yield binascii.a2b_base64(text[:whole])  # also of nothing, so that others have their turn
    rest = rest[: len(rest) - (len(rest) % 4 == 1)]
    if rest:
        yield binascii.a2b_base64(rest + b"=" * (-len(rest) % 4))


def _quoted_printable(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        text = rest + piece
        cut = text.rfind(b"\n") + 1
        if not cut:  # a line that is too long: cut it, but not within "=XX"
            escape = text.find(b"=", max(len(text) - 2, 0))
            cut = escape if escape >= 0 else len(text)
        rest = text[cut:]
        if cut:
            lines = text[:cut]
            if b" \r" in lines or b" \n" in lines or b"\t\r" in lines or b"\t\n" in lines:  # few are
                lines = _trailing_blanks(b"", lines)
            yield binascii.a2b_qp(lines)
    if rest:
        yield binascii.a2b_qp(rest.rstrip(b" \t"))
