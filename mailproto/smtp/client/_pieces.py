"""A message's content in the pieces that are written to a server one at a time."""

from __future__ import annotations

from collections.abc import Iterator

from mailproto.content import Content
from mailproto.smtp.wire import DotStuffer, LineEnds, render_bdat

__all__ = ["PIECE", "bdat_chunks", "data_pieces", "pieces", "whole_data"]

PIECE = 1 << 17
"""Octets of content that are worked on at a time: some ms if all of them are newlines."""


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
