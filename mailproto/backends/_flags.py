"""The flags that backends store: the five system flags of RFC 9051 2.3.2, and keywords."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mailproto.errors import OverQuota
from mailproto.model import SYSTEM_FLAGS

__all__ = ["MAX_KEYWORDS", "MAX_KEYWORD_LENGTH", "check_keywords", "kept_flags"]

MAX_KEYWORDS = 100
"""The most keywords of one message; clients fetch them with every listing."""

MAX_KEYWORD_LENGTH = 255
"""The most characters of one keyword."""

_ATOM = re.compile(r"[!#$&\'+-\[^-z|}~]+")  # RFC 9051 9: ATOM-CHAR

_SPELLING = {flag.casefold(): flag for flag in SYSTEM_FLAGS}


def kept_flags(flags: Iterable[str]) -> frozenset[str]:
    """The flags that can be stored, each once, system flags in their usual spelling.

    ``\\Recent`` and other flags with a backslash are dropped (RFC 9051 2.3.2).

    :raises OverQuota: a keyword is too long.
    :raises ValueError: a keyword is not an atom; protocols refuse these themselves.
    """
    kept: dict[str, str] = {}
    for flag in flags:
        folded = flag.casefold()
        if not flag.startswith("\\"):
            if not _ATOM.fullmatch(flag):
                raise ValueError(f"not a keyword: {flag!r}")
            if len(flag) > MAX_KEYWORD_LENGTH:
                raise OverQuota("Keyword too long")
            kept.setdefault(folded, flag)
        elif folded in _SPELLING:
            kept[folded] = _SPELLING[folded]
    return frozenset(kept.values())


def check_keywords(flags: frozenset[str]) -> frozenset[str]:
    """Check the number of a message's keywords; returns ``flags``.

    :raises OverQuota: there are more than `MAX_KEYWORDS` keywords.
    """
    if len(flags) > MAX_KEYWORDS and len(flags.difference(SYSTEM_FLAGS)) > MAX_KEYWORDS:
        raise OverQuota("Too many keywords on one message")
    return flags
