"""The pieces of structured fields (RFC 5322 3.2), none of them lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from mailproto.message import comment_end

__all__ = ["COMMENT", "QUOTED", "SPECIAL", "WORD", "Lexeme", "lexemes"]

WORD, QUOTED, COMMENT, SPECIAL = range(4)

_PIECE = re.compile(
    rb'([ \t]*+)(?:((?:[^ \t()<>@,;:\\"\[\]]++|\[[^\]\\\[]*+\])+)'
    rb'|("[^"\\]*+(?:\\.[^"\\]*+)*")|([^ \t]))',
    re.DOTALL,
).match
_BLANKS_MAX = 64


class Lexeme(NamedTuple):
    """One piece.

    :ivar space: the white space before it, so much that a line of it does no harm.
    :ivar text: as it stands, with its quotes or parentheses.
    """

    space: bytes
    kind: int
    text: bytes


def lexemes(value: bytes) -> Iterator[Lexeme]:
    """Of a value that is on one line; what follows quotes or parentheses that do not close is a word."""
    at = 0
    while match := _PIECE(value, at):
        space = match[1] if len(match[1]) <= _BLANKS_MAX else b" "
        at = match.end()
        if match[2] is not None:
            yield Lexeme(space, WORD, match[2])
        elif match[3] is not None:
            yield Lexeme(space, QUOTED, match[3])
        elif match[4] not in b'("':
            yield Lexeme(space, SPECIAL, match[4])
        else:
            start = at - 1
            at = comment_end(value, start) if match[4] == b"(" else -1
            if at < 0:
                yield Lexeme(space, WORD, value[start:].rstrip(b" \t"))
                break
            yield Lexeme(space, COMMENT, value[start:at])
