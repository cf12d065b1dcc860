"""A message's content: what its octets are, and the pieces in which they are sent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from mailproto.content import CHUNK, Content
from mailproto.smtp.wire import DotStuffer, LineEnds, is_canonical, render_bdat

__all__ = ["PIECE", "ContentInfo", "bdat_chunks", "data_pieces", "examine", "pieces", "whole_data"]

PIECE = 1 << 17
"""Octets of content that are worked on at a time: some ms if all of them are newlines."""

_HEADER_LINES = re.compile(rb"(?:(?:[^\x00-\x20\x7f:]++[ \t]*+:|[ \t])[^\r\n]*+(?:\r\n?|\n|\Z))*")
"""Fields and their continuations; the first line that is neither is the body's."""


class ContentInfo(NamedTuple):
    """What `examine` saw.

    :ivar is_binary: whether they are not lines, and must be sent as they are (RFC 3030 3).
    :ivar is_canonical: whether they are lines that end with CRLF, the last one too.
    :ivar size: how many are sent, once line ends are made right (RFC 1870 6.1).
    :ivar header_is_ascii: whether those up to the empty line are; so that SMTPUTF8 is not needed.
    """

    is_binary: bool
    is_canonical: bool
    size: int
    is_ascii: bool
    header_is_ascii: bool


def examine(content: Content, *, is_binary: bool) -> Iterator[ContentInfo | None]:
    """Look at all of it, a piece at each step; only the last thing that comes is an answer.

    :param is_binary: whether a bare CR or LF is meant.  A NUL always is: it can be sent in no
        other way.
    :raises OSError: the file cannot be read.
    """
    count = _Count()
    for piece in pieces(content):
        count.add(piece)
        yield None
    octets = count.info(is_binary=is_binary)
    yield octets if octets.is_ascii else octets._replace(header_is_ascii=_has_ascii_header(content))


class _Count:
    """What was seen so far."""

    def __init__(self) -> None:
        self._size = 0
        self._bare = 0  # CRs and LFs that stand alone
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
        unended = self._end not in b"\r\n"  # neither is nothing at all
        return ContentInfo(False, not (bare or unended), self._size + bare + 2 * unended, is_ascii, is_ascii)


def _has_ascii_header(content: Content) -> bool:
    """For content that is not ASCII; a header longer than the first piece is taken for no better."""
    beginning = content[:CHUNK]
    lines = _HEADER_LINES.match(beginning)
    return lines is not None and lines.end() < len(beginning) and lines[0].isascii()


def pieces(content: Content) -> Iterator[bytes]:
    """As it is, `PIECE` octets at a time.  :raises OSError: the file cannot be read."""
    for start in range(0, len(content), PIECE):
        yield content[start : start + PIECE]


def whole_data(content: bytes) -> bytes:
    """For DATA: content whose line ends are right, dots doubled, with the end of data."""
    dot = b"." if content.startswith(b".") else b""
    return b"%b%b.\r\n" % (dot, content.replace(b"\r\n.", b"\r\n.."))


def data_pieces(content: Content) -> Iterator[bytes]:
    """For DATA: line ends made right and dots doubled, up to and with the end of data."""
    stuffer = DotStuffer()
    for piece in pieces(content):
        yield stuffer.encode(piece)
    yield stuffer.finish()


def bdat_chunks(content: Content, *, is_text: bool) -> Iterator[tuple[bytes, bool]]:
    """Whole BDAT commands with their chunks; the one with True is the last (RFC 3030 2).

    :param is_text: whether line ends are made right.
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
