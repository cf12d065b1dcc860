"""A message's content in the pieces that are written to a server one at a time."""

from __future__ import annotations

from collections.abc import Iterator

from mailproto.content import CHUNK, Content
from mailproto.smtp.wire import DotStuffer, LineEnds, render_bdat

__all__ = ["bdat_chunks", "data_pieces", "whole_data"]


def whole_data(content: bytes) -> bytes:
    """For DATA: content whose line ends are right, dots doubled, with the end of data."""
    dot = b"." if content.startswith(b".") else b""
    return b"%b%b.\r\n" % (dot, content.replace(b"\r\n.", b"\r\n.."))


def data_pieces(content: Content) -> Iterator[bytes]:
    """For DATA: line ends made right and dots doubled, up to and with the end of data."""
    stuffer = DotStuffer()
    for piece in _pieces(content):
        yield stuffer.encode(piece)
    yield stuffer.finish()


def bdat_chunks(content: Content, *, is_text: bool) -> Iterator[tuple[bytes, bool]]:
    """Whole BDAT commands with their chunks; the one with True is the last (RFC 3030 2).

    :param is_text: whether line ends are made right.
    """
    held = b""  # each chunk waits for the next, so that the last one can say that it is
    for piece in _text(content) if is_text else _pieces(content):
        if held:
            yield render_bdat(len(held), last=False) + held, False
        held = piece
    yield render_bdat(len(held), last=True) + held, True


def _text(content: Content) -> Iterator[bytes]:
    ends = LineEnds()
    for piece in _pieces(content):
        if encoded := ends.encode(piece):
            yield encoded
    if end := ends.finish():
        yield end


def _pieces(content: Content) -> Iterator[bytes]:
    for start in range(0, len(content), CHUNK):
        yield content[start : start + CHUNK]
