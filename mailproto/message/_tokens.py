"""Tokens of structured header fields (RFC 5322 3.2): atoms, quoted strings, comments."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import TypeVar

__all__ = [
    "ATEXT",
    "COMMENTS_LIMIT",
    "TOKEN_CHARACTERS",
    "cached",
    "comment_end",
    "unquote",
    "without_comments",
]

_T = TypeVar("_T")

ATEXT = rb"[^\x00-\x20()<>@,;:\\\".\[\]\x7f]"
"""A character of an atom (RFC 5322 3.2.3), or any 8-bit octet (RFC 6532 3.2)."""

TOKEN_CHARACTERS = rb"[^\x00-\x20()<>@,;:\\\"/\[\]?=\x7f]"
"""A character of a token (RFC 2045 5.1), or any 8-bit octet."""

_comment_step = re.compile(rb"[^()\\]*+(?:\\.[^()\\]*+)*(?:([(]++|[)]++)|\\?\Z)", re.DOTALL).match
_outside_comments = re.compile(rb'(?:[^"(]++|"[^"\\]*+(?:\\.[^"\\]*+)*"?)*', re.DOTALL).match
_escaped = re.compile(rb"\\(.)|\r?\n", re.DOTALL).sub


COMMENTS_LIMIT = 1000
"""How many comments, one beside the other, are read in a comment."""

_OPENING = ord("(")


def comment_end(value: bytes, at: int) -> int:
    """The offset after the comment at ``at``, which may be nested; -1 if it is not closed.

    A comment with more than about `COMMENTS_LIMIT` comments in it counts as not closed.
    """
    depth, at = 1, at + 1
    for _ in range(2 * COMMENTS_LIMIT):
        if at >= len(value):
            return -1
        match = _comment_step(value, at)
        if match is None:  # pragma: no cover - the pattern matches whatever comes
            return -1
        at = match.end()
        if parentheses := match[1]:
            if parentheses[0] == _OPENING:
                depth += len(parentheses)
            elif len(parentheses) < depth:
                depth -= len(parentheses)
            else:
                return at - len(parentheses) + depth
    return -1


def without_comments(value: bytes, instead: bytes = b" ") -> bytes:
    """``value`` with ``instead`` for each comment; a comment that is not closed is kept."""
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
    """The text of a quoted string or comment: unfolded, and without quoting backslashes."""
    if b"\\" not in text and b"\n" not in text:
        return text
    return _escaped(lambda match: match[1] or b"", text)


def cached(read: Callable[[bytes], _T]) -> Callable[[bytes], _T]:
    """Cache the results of ``read``: most mail has one of a few values in its Content-* fields.

    Values over 128 octets are not cached, so the cache stays small.
    """
    with_cache = functools.lru_cache(maxsize=1024)(read)

    @functools.wraps(read)
    def read_cached(value: bytes) -> _T:
        return with_cache(value) if len(value) <= 128 else read(value)

    return read_cached
