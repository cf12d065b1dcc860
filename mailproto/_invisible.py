"""Characters that cannot be seen, or that change how others are shown."""

from __future__ import annotations

import re
import unicodedata

from idna import valid_contextj

__all__ = ["INVISIBLE", "called", "invisible_in_address"]

# Default_Ignorable_Code_Point (Unicode 5.21), and characters that are drawn blank but are not spaces in
# Unicode: the Braille blank, the musical null notehead, the Khitan filler.
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U00016fe4\U0001bca0-\U0001bca3\U0001d159"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)

_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp", "Zs"))
"""Controls, format characters such as U+202E, which reverses what follows it, and separators."""

_NO_CHARACTERS = range(0xFDD0, 0xFDF0)
"""Noncharacters, besides the last two of each plane (Unicode 23.7)."""

_JOINERS = "\u200c\u200d"


def invisible_in_address(text: str) -> str:
    """The first invisible character beyond ASCII in an address or a part of it, or "".

    RFC 6531 3.3 takes every character beyond ASCII.  This refuses those that identifiers cannot have (RFC
    8264 9.7 and 9.13): then two addresses that look the same are seldom two, and none disturbs the line in
    which it is shown.  ZERO WIDTH JOINER and NON-JOINER are accepted where a script needs them (RFC 5892 A.1
    and A.2), as in Persian and in Sinhala; characters that Unicode does not know yet are accepted, too.

    :returns: its number and name, such as ``U+202E (RIGHT-TO-LEFT OVERRIDE)``.
    """
    if text.isascii():
        return ""
    for position, character in enumerate(text):
        if character.isascii():
            continue
        if character in _JOINERS:
            is_seen = _joins(text, position)
        else:
            is_seen = not (
                unicodedata.category(character) in _UNSEEN
                or INVISIBLE.match(character)
                or ord(character) in _NO_CHARACTERS
                or ord(character) & 0xFFFE == 0xFFFE
            )
        if not is_seen:
            return called(character)
    return ""


def called(character: str) -> str:
    """The character's number and name, in ASCII, because it may make a line unreadable."""
    number = f"U+{ord(character):04X}"
    try:
        return f"{number} ({unicodedata.name(character)})"
    except ValueError:  # controls and unassigned characters have no name
        return number


def _joins(text: str, position: int) -> bool:
    start = max(position - _NEAR, 0)
    try:
        return bool(valid_contextj(text[start : position + _NEAR], position - start))
    except ValueError:  # it follows a character without a name
        return False


_NEAR = 64
"""Characters on each side of a joiner that are looked at: the longest label."""
