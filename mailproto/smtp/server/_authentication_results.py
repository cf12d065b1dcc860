"""Authentication-Results fields that only we could have written, and did not (RFC 8601 5)."""

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
    """``header`` without what claims to be ``hostname``'s own judgement: readers believe that.

    :param header: field lines, each with its CRLF.
    :param lowered: the same in lower case, behind a newline (`mailproto.smtp.server._trace.lowered`).
    :param hostname: our authserv-id.
    """
    if _MARK not in lowered:
        return header
    own = canonical_domain(hostname)

    def keep(match: re.Match[bytes]) -> bytes:
        return b"" if canonical_domain(_authserv_id(match[1])) == own else match[0]

    return _FIELD.sub(keep, header)


def _authserv_id(value: bytes) -> str:
    """Who claims to have judged (RFC 8601 2.2); "" if that cannot be read."""
    at = _skip_comments(value)
    match = _ID.match(value, at)
    if match is None:
        return ""
    quoted, token = match.groups()
    return (_QUOTED_PAIR.sub(rb"\1", quoted) if token is None else token).decode(errors="replace")


def _skip_comments(value: bytes) -> int:
    """Where white space and comments, nested or not, end (RFC 5322 3.2.2)."""
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
