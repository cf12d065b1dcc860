"""Text from a header without anything that could begin another line, wherever it is written next."""

from __future__ import annotations

import re

__all__ = ["one_line", "without_nul"]

_CONTROLS = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029]+").sub
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def one_line(text: str) -> str:
    """``text`` with a blank for control characters and line ends in a row, also those of Unicode."""
    return _CONTROLS(" ", text) if not text.isprintable() else text


def without_nul(text: str) -> str:
    """``text`` with U+FFFD for NUL, which many databases refuse."""
    return text.replace("\0", _REPLACEMENT) if "\0" in text else text
