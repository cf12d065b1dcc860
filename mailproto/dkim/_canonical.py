"""The "relaxed" canonicalization of header fields and bodies (RFC 6376 3.4.2, 3.4.4)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from mailproto.content import CHUNK, Content

__all__ = ["body_hash", "relaxed_field"]

_SPACES = re.compile(rb"[ \t]+")
_FOLD = re.compile(rb"\r?\n")
_EMPTY_LINES = b"\r\n" * 4096


def relaxed_field(name: bytes, value: bytes) -> bytes:
    """A field, without the CRLF at its end.

    :param value: with its folds.
    """
    unfolded = _SPACES.sub(b" ", _FOLD.sub(b"", value)).strip(b" \t\r\n")
    return name.strip(b" \t").lower() + b":" + unfolded


def body_hash(content: Content, start: int) -> bytes:
    """SHA-256 of the body, which begins at ``start``; lines end with CRLF.

    A body without any line is hashed as no octets (3.4.4).
    """
    digest = hashlib.sha256()
    for piece in _relaxed_body(content, start):
        digest.update(piece)
    return digest.digest()


def _relaxed_body(content: Content, start: int) -> Iterator[bytes]:
    empty_lines = 0  # those that count only if something follows
    is_inside_line = False  # something of an unfinished line was given
    for lines in _whole_lines(content, start):
        lines = _SPACES.sub(b" ", lines).replace(b" \r\n", b"\r\n")
        text = lines.rstrip(b"\r\n")
        if text:
            yield from _repeated(empty_lines)
            yield text
            empty_lines = 0
            is_inside_line = True
        empty_lines += lines.count(b"\n", len(text))
    if is_inside_line:
        yield b"\r\n"


def _repeated(count: int) -> Iterator[bytes]:
    """So many line ends; there may be millions."""
    size = 2 * count
    for start in range(0, size, len(_EMPTY_LINES)):
        yield _EMPTY_LINES[: size - start]


def _whole_lines(content: Content, start: int) -> Iterator[bytes]:
    """Pieces of the body that end where a line ends; the last one may lack its CRLF."""
    rest = b""
    for piece in content.chunks(start, len(content)):
        piece = rest + piece
        cut = piece.rfind(b"\n") + 1
        if cut:
            yield piece[:cut]
        rest = piece[cut:]
        if len(rest) > _LONGEST:  # such a line is nobody's: it is only not to be quadratic
            text = rest.rstrip(b" \t\r")
            yield text
            # The white space counts as one space, or as none: what follows decides.
            rest = _SPACES.sub(b" ", rest[len(text) :])
    if rest:
        yield rest.rstrip(b" \t")


_LONGEST = 16 * CHUNK
