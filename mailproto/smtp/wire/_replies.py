"""Writing replies as octets (RFC 5321 4.2)."""

from __future__ import annotations

import re

__all__ = ["MAX_TEXT", "render_lines", "render_reply"]

MAX_TEXT = 480
"""The most characters of a reply's text: a reply line has at most 512 octets (RFC 5321 4.5.3.1.5)."""

_UNPRINTABLE = re.compile(r"[^ -~]")


def render_reply(code: int, enhanced: str, text: str) -> bytes:
    """A reply of one line with an enhanced status code (RFC 2034).

    :param text: any text; characters other than printable ASCII become ``?``, and a long text is cut.
    """
    return f"{code} {enhanced} {_UNPRINTABLE.sub('?', text[:MAX_TEXT])}\r\n".encode("ascii")


def render_lines(code: int, lines: list[str]) -> bytes:
    """A reply of one or more lines (RFC 5321 4.2.1) without enhanced codes, such as EHLO's."""
    last = len(lines) - 1
    return "".join(f"{code}{' ' if i == last else '-'}{line}\r\n" for i, line in enumerate(lines)).encode()
