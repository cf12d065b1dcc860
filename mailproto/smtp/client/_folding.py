"""How header fields of the email package's messages become octets."""

from __future__ import annotations

import re
from email.header import Header
from email.policy import EmailPolicy
from typing import Any

__all__ = ["ASCII", "UTF8", "can_stay"]

_NEWLINE = re.compile(r"\r\n|\r|\n")
_NAME = re.compile(r"[!-9;-~]+")
_LINE_MAX = 998
"""Octets of a line without its CRLF (RFC 5322 2.1.1)."""


class _Folding(EmailPolicy):
    """What stands in a message stays as it came; only what cannot be sent so is written anew.

    That is what is not ASCII, where it must be, and what is too long for a line.  Fields that
    were set, and not read, are folded by the email package.
    """

    def fold_binary(self, name: str, value: Any) -> bytes:
        """One field, CRLF included.

        :raises ValueError: it is none, or would be more than one.
        """
        if not _NAME.fullmatch(name):
            raise ValueError(f"not a header field's name: {name!r}")
        if not hasattr(value, "fold"):
            value = str(value) if isinstance(value, Header) else value
            lines = _NEWLINE.split(value)
            if any(line[:1] not in (" ", "\t") for line in lines[1:]):
                raise ValueError(f"a line of its own in the field {name}")
            # The length is 0 within what is signed (RFC 1847 2.1).
            if self.max_line_length == 0 or can_stay(name, value, utf8=self.utf8):
                field = f"{name}: {self.linesep.join(lines)}{self.linesep}"
                return field.encode("utf-8", "surrogateescape")
            value = _repaired("".join(lines))
        folded = self._folded(name, value)
        # The email package leaves some of what is no word in its place.
        return folded.encode("utf-8" if self.utf8 else "ascii", "replace")

    def _folded(self, name: str, value: Any) -> str:
        """In the structure that the field has, or in none, if the email package sees no sense in it."""
        try:
            header = value if hasattr(value, "fold") else self.header_factory(name, value)
            folded: str = header.fold(policy=self)
        except Exception:  # it raises what it likes
            text = Header(_repaired(str(value)), "utf-8", header_name=name).encode(linesep=self.linesep)
            folded = f"{name}: {text}{self.linesep}"
        return folded


def can_stay(name: str, value: Any, *, utf8: bool = False) -> bool:
    """Whether a field was read, or set as it is to be, and may be sent so."""
    if not isinstance(value, str) or hasattr(value, "fold"):
        return False
    lines = _NEWLINE.split(value)
    lines[0] = f"{name}: {lines[0]}"
    return (utf8 or value.isascii()) and max(map(len, lines)) <= _LINE_MAX


def _repaired(text: str) -> str:
    """With the octets that the email package did not understand, which usually are UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


ASCII = _Folding(linesep="\r\n", cte_type="8bit")
UTF8 = ASCII.clone(utf8=True)
