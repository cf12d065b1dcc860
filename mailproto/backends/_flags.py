"""Flags as backends keep them: the five of RFC 9051 2.3.2 and any keyword."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mailproto.errors import OverQuota
from mailproto.model import SYSTEM_FLAGS

__all__ = ["MAX_KEYWORDS", "MAX_KEYWORD_LENGTH", "check_keywords", "kept_flags"]

MAX_KEYWORDS = 100
"""Keywords that one message can have: every listing of the mailbox repeats them."""

MAX_KEYWORD_LENGTH = 255
"""Characters of one keyword."""

_ATOM = re.compile(r"[!#$&\'+-\[^-z|}~]+")  # RFC 9051 9: ATOM-CHAR

_SPELLING = {flag.casefold(): flag for flag in SYSTEM_FLAGS}


def kept_flags(flags: Iterable[str]) -> frozenset[str]:
    """Those of ``flags`` that can be kept, each once, system flags in their usual spelling.

    ``\\Recent`` and what else begins with a backslash is dropped (RFC 9051 2.3.2).

    :raises OverQuota: for a keyword that is too long.
    :raises ValueError: for one that is no atom; protocols let none through.
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
    """The flags that a message is to have.

    :raises OverQuota: for more than `MAX_KEYWORDS` keywords.
    """
    if len(flags) > MAX_KEYWORDS and len(flags.difference(SYSTEM_FLAGS)) > MAX_KEYWORDS:
        raise OverQuota("Too many keywords on one message")
    return flags
