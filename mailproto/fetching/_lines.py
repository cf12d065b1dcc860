"""A message's lines as files on Unix have them."""

from __future__ import annotations

from collections.abc import Iterator

from mailproto.content import Octets, chunks

__all__ = ["unix_lines"]


def unix_lines(octets: Octets) -> Iterator[bytes]:
    """The pieces of a message with LF for each CRLF; any other CR stays."""
    held = b""
    for piece in chunks(octets):
        piece = held + piece
        held = b"\r" if piece.endswith(b"\r") else b""
        yield piece[: len(piece) - len(held)].replace(b"\r\n", b"\n")
    if held:
        yield held
