"""What all structured header fields share (RFC 5322 3.2): atoms, quoted strings, comments."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import TypeVar

__all__ = ["ATEXT", "TOKEN_CHARACTERS", "cached", "comment_end", "unquote", "without_comments"]

_T = TypeVar("_T")

ATEXT = rb"[^\x00-\x20()<>@,;:\\\".\[\]\x7f]"
"""RFC 5322 3.2.3, and any 8-bit octet (RFC 6532 3.2)."""

TOKEN_CHARACTERS = rb"[^\x00-\x20()<>@,;:\\\"/\[\]?=\x7f]"
"""RFC 2045 5.1, and any 8-bit octet."""

_comment_step = re.compile(rb"[^()\\]*+(?:\\.|([()])|\\?\Z)", re.DOTALL).match
_outside_comments = re.compile(rb'(?:[^"(]++|"[^"\\]*+(?:\\.[^"\\]*+)*"?)*', re.DOTALL).match
_escaped = re.compile(rb"\\(.)|\r?\n", re.DOTALL).sub


def comment_end(value: bytes, at: int) -> int:
    """Offset after the comment, with those nested in it, that opens at ``at``; -1 if it does not close."""
    depth, at = 1, at + 1
    while at < len(value):
        match = _comment_step(value, at)
        if match is None:  # pragma: no cover - the pattern matches whatever comes
            return -1
        at = match.end()
        if match[1] == b"(":
            depth += 1
        elif match[1] == b")":
            depth -= 1
            if not depth:
                return at
    return -1


def without_comments(value: bytes, instead: bytes = b" ") -> bytes:
    """``value`` with ``instead`` for each comment; one that never closes stays."""
    if b"(" not in value:
        return value
    pieces, at = [], 0
    while at < len(value):
        match = _outside_comments(value, at)
        stop = match.end() if match else at
        pieces.append(value[at:stop])
        at = comment_end(value, stop) if stop < len(value) else stop
        if at < 0:
            pieces.append(value[stop:])
            break
        pieces.append(instead)
    return b"".join(pieces)


def unquote(text: bytes) -> bytes:
    """The inside of a quoted string or comment as it is meant: unfolded, backslashes taken off."""
    if b"\\" not in text and b"\n" not in text:
        return text
    return _escaped(lambda match: match[1] or b"", text)


def cached(read: Callable[[bytes], _T]) -> Callable[[bytes], _T]:
    """Make ``read`` remember its last answers: few values of Content-* fields make most of the world's mail.

    Values over 128 octets are read each time, so what is cached stays small.
    """
    cached = functools.lru_cache(maxsize=1024)(read)

    @functools.wraps(read)
    def read_or_remember(value: bytes) -> _T:
        return cached(value) if len(value) <= 128 else read(value)

    return read_or_remember
