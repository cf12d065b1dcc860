"""Replies as octets (RFC 5321 4.2)."""

from __future__ import annotations

import re

__all__ = ["MAX_TEXT", "render_lines", "render_reply"]

MAX_TEXT = 480
"""Characters of a reply's text: a reply line has 512 octets (RFC 5321 4.5.3.1.5)."""

_UNPRINTABLE = re.compile(r"[^ -~]")


def render_reply(code: int, enhanced: str, text: str) -> bytes:
    """One line with an enhanced status code (RFC 2034).

    ``text`` may come from anywhere: what is not printable ASCII becomes ``?``, and what is
    too long is cut.
    """
    return f"{code} {enhanced} {_UNPRINTABLE.sub('?', text[:MAX_TEXT])}\r\n".encode("ascii")


def render_lines(code: int, lines: list[str]) -> bytes:
    """A reply of one or more lines (RFC 5321 4.2.1), without enhanced codes; EHLO's, for one."""
    last = len(lines) - 1
    return "".join(f"{code}{' ' if i == last else '-'}{line}\r\n" for i, line in enumerate(lines)).encode()
