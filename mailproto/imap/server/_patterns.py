"""Matching mailbox names with the patterns of LIST (RFC 9051 6.3.9)."""

from __future__ import annotations

from mailproto.model import DELIMITER, INBOX

__all__ = ["Pattern"]


class Pattern:
    """One pattern: ``*`` matches anything, ``%`` matches anything without the delimiter.

    All ways to match are followed at once, as the bits of an integer (bit i: the first i
    literals have matched).  So every pattern takes one step for each character of a name.

    INBOX is compared without case, also at the beginning of a pattern for its inferiors.  Other
    names are compared with case.
    """

    __slots__ = ("_accepted", "_any", "_folded", "_inferior", "_level", "_literals")

    def __init__(self, text: str) -> None:
        literals: dict[str, int] = {}
        at = anything = level = 0
        for character in text:
            if character == "*":
                anything |= 1 << at
            elif character == "%":
                level |= 1 << at
            else:
                literals[character] = literals.get(character, 0) | 1 << at
                at += 1
        self._literals, self._any, self._level, self._accepted = literals, anything, anything | level, 1 << at
        # Patterns for INBOX and for its inferiors, if they differ from this one.
        folded = text.upper()
        self._folded = Pattern(folded) if folded != text else None
        begins, rest = text[: len(INBOX)], text[len(INBOX) :]
        self._inferior = Pattern(INBOX + rest) if begins != INBOX == begins.upper() else None

    def matches(self, name: str) -> bool:
        """Whether the pattern matches the whole ``name``."""
        literals, anything, level = self._literals, self._any, self._level
        states = 1
        for character in name:
            stay = anything if character == DELIMITER else level
            states = (states & literals.get(character, 0)) << 1 | states & stay
            if not states:
                break
        if states & self._accepted:
            return True
        if name == INBOX:
            return self._folded is not None and self._folded.matches(name)
        if self._inferior is not None and name.startswith(INBOX + DELIMITER):
            return self._inferior.matches(name)
        return False
