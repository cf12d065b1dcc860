"""A message's content: examining it, and the pieces in which it is sent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from mailproto.content import CHUNK, Octets
from mailproto.smtp.wire import DotStuffer, LineEnds, is_canonical, render_bdat

__all__ = ["PIECE", "ContentInfo", "bdat_chunks", "data_pieces", "examine", "pieces", "whole_data"]

PIECE = 1 << 17
"""Octets of content that are handled at a time: some ms if all of them are newlines."""

_HEADER_LINES = re.compile(rb"(?:(?:[^\x00-\x20\x7f:]++[ \t]*+:|[ \t])[^\r\n]*+(?:\r\n?|\n|\Z))*")
"""Header fields and their continuations; the body begins at the first line that is neither."""


class ContentInfo(NamedTuple):
    """The result of `examine`.

    :ivar is_binary: whether the content is not lines, and must be sent as it is (RFC 3030 3).
    :ivar is_canonical: whether all lines end with CRLF, the last one too.
    :ivar size: the octets that are sent, with CRLF at the end of each line (RFC 1870 6.1).
    :ivar is_ascii: whether the whole content is ASCII.
    :ivar header_is_ascii: whether the header is ASCII, so that it does not need SMTPUTF8.
    """

    is_binary: bool
    is_canonical: bool
    size: int
    is_ascii: bool
    header_is_ascii: bool


def examine(content: Octets, *, is_binary: bool) -> Iterator[ContentInfo | None]:
    """Read the whole content, a piece at each step; only the last value is not None.

    :param is_binary: whether bare CRs and LFs are kept.  Content with a NUL is always binary,
        because it cannot be sent otherwise.
    :raises OSError: the file cannot be read.
    """
    count = _Count()
    for piece in pieces(content):
        count.add(piece)
        yield None
    octets = count.info(is_binary=is_binary)
    yield octets if octets.is_ascii else octets._replace(header_is_ascii=_has_ascii_header(content))


class _Count:
    """Collects what is known about the pieces so far."""

    def __init__(self) -> None:
        self._size = 0
        self._bare = 0  # how many bare CRs and LFs
        self._has_nul, self._is_ascii = False, True
        self._end = b""  # the last octet

    def add(self, piece: bytes) -> None:
        self._size += len(piece)
        if not is_canonical(piece):
            self._bare += piece.count(b"\r") + piece.count(b"\n") - 2 * piece.count(b"\r\n")
            if self._end == b"\r" and piece.startswith(b"\n"):
                self._bare -= 2
        self._has_nul = self._has_nul or b"\0" in piece
        self._is_ascii = self._is_ascii and piece.isascii()
        self._end = piece[-1:] or self._end

    def info(self, *, is_binary: bool) -> ContentInfo:
        bare, is_ascii = self._bare, self._is_ascii
        if self._has_nul or (is_binary and bare):
            return ContentInfo(True, False, self._size, is_ascii, is_ascii)
        unended = self._end not in b"\r\n"  # False for empty content, too
        return ContentInfo(False, not (bare or unended), self._size + bare + 2 * unended, is_ascii, is_ascii)


def _has_ascii_header(content: Octets) -> bool:
    """For content that is not ASCII; a header longer than the first piece is taken as not ASCII, too."""
    beginning = content[:CHUNK]
    lines = _HEADER_LINES.match(beginning)
    return lines is not None and lines.end() < len(beginning) and lines[0].isascii()


def pieces(content: Octets) -> Iterator[bytes]:
    """The content in pieces of `PIECE` octets.

    :raises OSError: the file cannot be read.
    """
    for start in range(0, len(content), PIECE):
        yield content[start : start + PIECE]


def whole_data(content: bytes) -> bytes:
    """For DATA: content with CRLF line ends, with dots doubled, and with the end of data."""
    dot = b"." if content.startswith(b".") else b""
    return b"%b%b.\r\n" % (dot, content.replace(b"\r\n.", b"\r\n.."))


def data_pieces(content: Octets) -> Iterator[bytes]:
    """For DATA: any content in pieces, with CRLF line ends, dots doubled, and the end of data."""
    stuffer = DotStuffer()
    for piece in pieces(content):
        yield stuffer.encode(piece)
    yield stuffer.finish()


def bdat_chunks(content: Octets, *, is_text: bool) -> Iterator[tuple[bytes, bool]]:
    """BDAT commands with their chunks, each with whether it is the last (RFC 3030 2).

    :param is_text: whether all line ends become CRLF.
    """
    ends = LineEnds()
    left = len(content)
    for piece in pieces(content):
        left -= len(piece)
        if is_text:
            piece = ends.encode(piece) + (b"" if left else ends.finish())
        yield render_bdat(len(piece), last=not left) + piece, not left
    if not content:
        yield render_bdat(0, last=True), True
