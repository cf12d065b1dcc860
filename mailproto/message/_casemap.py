"""The i;unicode-casemap collation (RFC 5051), by which SEARCH and SORT compare text."""

from __future__ import annotations

import unicodedata

__all__ = ["casemap"]


class _SimpleTitlecase(dict[int, int]):
    """Titlecase of one character by one character, worked out once each."""

    def __missing__(self, code: int) -> int:
        title = chr(code).title()
        self[code] = mapped = ord(title) if len(title) == 1 else code
        return mapped


_titlecase = _SimpleTitlecase()


def casemap(text: str) -> str:
    """``text`` in titlecase, character by character, then decomposed; equal texts compare equal."""
    if text.isascii():
        return text.upper()
    return unicodedata.normalize("NFKD", text.translate(_titlecase))
