"""Writing replies as octets (RFC 5321 4.2)."""

from __future__ import annotations

import re

__all__ = ["MAX_TEXT", "render_lines", "render_reply"]

MAX_TEXT = 480
"""The most characters of a line's text: a reply line has at most 512 octets (RFC 5321 4.5.3.1.5)."""

MAX_LINES = 20
"""The most lines of a reply's text; the rest of a longer text is left out."""

_UNPRINTABLE = re.compile(r"[^ -~]")


def render_reply(code: int, enhanced: str, text: str) -> bytes:
    """A reply with an enhanced status code in each line (RFC 2034).

    :param text: any text.  Each of its lines becomes a line of the reply, a line that is too long becomes
        several.  Characters other than printable ASCII become ``?``.
    """
    if len(text) > MAX_TEXT or "\n" in text:
        lines = [f"{enhanced} {line}" for line in _lines(text)]
        return render_lines(code, lines)
    return f"{code} {enhanced} {_UNPRINTABLE.sub('?', text)}\r\n".encode("ascii")


def _lines(text: str) -> list[str]:
    """The lines of a text, each short enough; long ones are cut at a space if there is one."""
    lines: list[str] = []
    for line in text[: MAX_LINES * MAX_TEXT].splitlines():
        left = _UNPRINTABLE.sub("?", line)
        while len(left) > MAX_TEXT:
            end = left.rfind(" ", 1, MAX_TEXT + 1)
            end = MAX_TEXT if end < 0 else end
            lines.append(left[:end])
            left = left[end:].removeprefix(" ")
        lines.append(left)
    return lines[:MAX_LINES]


def render_lines(code: int, lines: list[str]) -> bytes:
    """A reply of one or more lines (RFC 5321 4.2.1) without enhanced codes, such as EHLO's."""
    last = len(lines) - 1
    return "".join(f"{code}{' ' if i == last else '-'}{line}\r\n" for i, line in enumerate(lines)).encode()
