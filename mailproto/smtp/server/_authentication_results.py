"""Removing forged Authentication-Results fields, which claim to be this server's (RFC 8601 5)."""

from __future__ import annotations

import re

from mailproto.domains import canonical_domain

__all__ = ["without_own_results"]

_MARK = b"\nauthentication-results"
_FIELD = re.compile(
    rb"^authentication-results[ \t]*:(.*(?:\n[ \t].*)*)(?:\n|\Z)", re.IGNORECASE | re.MULTILINE
)
_PIECE = re.compile(rb"[ \t\r\n]+|[()]|\\.|[^ \t\r\n()\\]+|\\", re.DOTALL)
_ID = re.compile(rb'"((?:[^"\\]|\\.)*)"|([^\x00-\x20\x7f()<>@,;:\\"/\[\]?=]+)', re.DOTALL)
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)


def without_own_results(header: bytes, lowered: bytes, hostname: str) -> bytes:
    """``header`` without the fields that claim to be ``hostname``'s: readers would trust them.

    :param header: field lines, each with its CRLF.
    :param lowered: the same in lower case, after a newline (`mailproto.smtp.server._trace.lowered`).
    :param hostname: this server's authserv-id.
    """
    if _MARK not in lowered:
        return header
    own = canonical_domain(hostname)

    def keep(match: re.Match[bytes]) -> bytes:
        return b"" if canonical_domain(_authserv_id(match[1])) == own else match[0]

    return _FIELD.sub(keep, header)


def _authserv_id(value: bytes) -> str:
    """The authserv-id in a field (RFC 8601 2.2); "" if it cannot be read."""
    at = _skip_comments(value)
    match = _ID.match(value, at)
    if match is None:
        return ""
    quoted, token = match.groups()
    return (_QUOTED_PAIR.sub(rb"\1", quoted) if token is None else token).decode(errors="replace")


def _skip_comments(value: bytes) -> int:
    """The offset after white space and comments, nested or not (RFC 5322 3.2.2)."""
    depth = 0
    for match in _PIECE.finditer(value):
        piece = match[0]
        if piece == b"(":
            depth += 1
        elif piece == b")" and depth:
            depth -= 1
        elif not depth and not piece.isspace():
            return match.start()
    return len(value)
