"""Makes text from the other end of a connection safe to show in a log or an exception."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["MAX_SHOWN", "printable"]

MAX_SHOWN = 1000
"""The most characters that are shown of one text."""

_NOT_ASCII = re.compile(r"[^ -~]")


def printable(text: str | bytes, limit: int = MAX_SHOWN) -> str:
    """``text`` as one line that is safe to show in a terminal.

    A terminal acts on control characters (ANSI escapes), and format characters such as U+202E reverse
    letters or are invisible.  These, and octets that are not UTF-8, are shown as Python escapes: ``\\x1b``,
    ``\\u202e``.  Every kind of space becomes a plain space.

    :param limit: the most characters of the result; a longer text is cut, and ends in ``...``.
    """
    if isinstance(text, bytes):
        text = text[: 4 * limit + 4].decode("utf-8", "backslashreplace")
    if len(text) <= limit and text.isprintable():
        return text
    shown = _NOT_ASCII.sub(_shown, text[: limit + 1])
    return shown if len(shown) <= limit else shown[: max(limit - 3, 0)] + "..."


def _shown(match: re.Match[str]) -> str:
    character = match[0]
    if character.isprintable():
        return character
    if character == "\t" or unicodedata.category(character) == "Zs":
        return " "
    return character.encode("unicode_escape").decode("ascii")
