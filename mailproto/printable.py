"""Text from the other end of a connection, made fit to be shown: in a log, in an exception."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["MAX_SHOWN", "printable"]

MAX_SHOWN = 1000
"""Characters that are shown of one text."""

_NOT_ASCII = re.compile(r"[^ -~]")


def printable(text: str | bytes, limit: int = MAX_SHOWN) -> str:
    """One line that says what ``text`` says and does nothing to the reader or the terminal.

    A terminal acts on control characters (ANSI escapes), and format characters such as U+202E
    turn letters around or are not seen at all.  These, and octets that are not UTF-8, are shown
    as Python writes them in a string: ``\\x1b``, ``\\u202e``.  Any kind of space is a space.

    :param limit: characters of the result; what is longer is cut, and ends in ``...``.
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
