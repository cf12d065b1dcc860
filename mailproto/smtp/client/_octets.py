"""What a message's octets are, as far as it decides how they can be sent."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from mailproto.content import CHUNK, Content
from mailproto.smtp.wire import is_canonical

__all__ = ["Octets", "look_at"]

_HEADER_LINES = re.compile(rb"(?:(?:[^\x00-\x20\x7f:]++[ \t]*+:|[ \t])[^\r\n]*+(?:\r\n?|\n|\Z))*")
"""Fields and their continuations; the first line that is neither is the body's."""


class Octets(NamedTuple):
    """What `look_at` saw.

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


def look_at(content: Content, *, is_binary: bool) -> Octets:
    """Look at all of it, once.

    :param is_binary: whether a bare CR or LF is meant.  A NUL always is: it can be sent in no
        other way.
    :raises OSError: the file cannot be read.
    """
    octets = _count((content[start : start + CHUNK] for start in range(0, len(content), CHUNK)), is_binary)
    return octets if octets.is_ascii else octets._replace(header_is_ascii=_has_ascii_header(content))


def _count(pieces: Iterable[bytes], is_binary: bool) -> Octets:
    size = bare = 0  # CRs and LFs that stand alone
    has_nul, is_ascii = False, True
    end = b""  # the last octet before the piece
    for piece in pieces:
        size += len(piece)
        if not is_canonical(piece):
            bare += piece.count(b"\r") + piece.count(b"\n") - 2 * piece.count(b"\r\n")
            if end == b"\r" and piece.startswith(b"\n"):
                bare -= 2
        has_nul = has_nul or b"\0" in piece
        is_ascii = is_ascii and piece.isascii()
        end = piece[-1:] or end
    if has_nul or (is_binary and bare):
        return Octets(True, False, size, is_ascii, is_ascii)
    unended = end not in b"\r\n"  # neither is nothing at all
    return Octets(False, not (bare or unended), size + bare + 2 * unended, is_ascii, is_ascii)


def _has_ascii_header(content: Content) -> bool:
    """For content that is not ASCII; a header longer than the first piece is taken for no better."""
    beginning = content[:CHUNK]
    lines = _HEADER_LINES.match(beginning)
    return lines is not None and lines.end() < len(beginning) and lines[0].isascii()
