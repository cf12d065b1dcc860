"""Lines of a field (RFC 5322 2.2.3)."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["LINE_MAX", "WORD_MAX", "Token", "fold"]

LINE_MAX = 998
"""Octets of a line without its CRLF (RFC 5322 2.1.1)."""

WORD_MAX = LINE_MAX - 1
"""Octets of what stands alone on a line, after its white space."""

_LINE = 76
"""Octets that a line should have at most, even with encoded words (RFC 2047 2)."""

Token = tuple[bytes, bytes]
"""White space, before which a line may end unless it is none, and what follows it."""


def fold(name: bytes, tokens: Iterable[Token]) -> bytes:
    """One field, CRLF included.  A line ends only before white space; what has none stands whole.

    :raises ValueError: that is longer than a line.
    """
    if len(name) > WORD_MAX:
        raise ValueError(f"a header field's name is longer than a line may be: {len(name)} octets")
    lines: list[bytes] = []
    line = [name, b":"]
    length = len(name) + 1
    is_first = True
    for space, text in _units(tokens):
        space = b" " if is_first else space
        size = len(space) + len(text)
        if length + size > (LINE_MAX if is_first else _LINE):
            lines.append(b"".join(line))
            line, length = [], 0
            if size > LINE_MAX:
                raise ValueError(
                    f"a word of the field {name.decode()} is longer than a line may be: {len(text)} octets"
                )
        line += [space, text]
        length += size
        is_first = False
    lines.append(b"".join(line))
    return b"\r\n".join(lines) + b"\r\n"


def _units(tokens: Iterable[Token]) -> Iterable[Token]:
    """Tokens that have no white space between them, as one."""
    space, pieces = b"", list[bytes]()
    for before, text in tokens:
        if before and pieces:
            yield space, b"".join(pieces)
            pieces = []
        if not pieces:
            space = before
        pieces.append(text)
    if pieces:
        yield space, b"".join(pieces)
