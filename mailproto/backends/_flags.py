"""The flags that backends store: the five system flags of RFC 9051 2.3.2, and keywords."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mailproto.errors import OverQuota
from mailproto.model import SYSTEM_FLAGS

__all__ = [
    "MAX_KEYWORDS",
    "MAX_KEYWORDS_OCTETS",
    "MAX_KEYWORD_LENGTH",
    "TooManyKeywords",
    "check_keywords",
    "kept_flags",
]

MAX_KEYWORDS = 100
"""The most keywords of one message; clients fetch them with every listing."""

MAX_KEYWORD_LENGTH = 255
"""The most characters of one keyword."""

MAX_KEYWORDS_OCTETS = 2000
"""The most octets of one message's keywords, together."""

_ATOM = re.compile(r"[!#$&\'+-\[^-z|}~]+")  # RFC 9051 9: ATOM-CHAR

_SPELLING = {flag.casefold(): flag for flag in SYSTEM_FLAGS}


class TooManyKeywords(OverQuota):
    """A message or a mailbox would have too many keywords, or too long ones (RFC 5530 3, LIMIT)."""

    imap = "LIMIT"
    default_text = "Too many keywords"


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
                raise TooManyKeywords("Keyword too long")
            kept.setdefault(folded, flag)
        elif folded in _SPELLING:
            kept[folded] = _SPELLING[folded]
    return frozenset(kept.values())


def check_keywords(flags: frozenset[str]) -> frozenset[str]:
    """Check the number and the length of a message's keywords; returns ``flags``.

    :raises OverQuota: there are more than `MAX_KEYWORDS` keywords, or they have more than
        `MAX_KEYWORDS_OCTETS` octets together.
    """
    if len(flags) * MAX_KEYWORD_LENGTH > MAX_KEYWORDS_OCTETS:
        keywords = flags.difference(SYSTEM_FLAGS)
        if len(keywords) > MAX_KEYWORDS or sum(map(len, keywords)) > MAX_KEYWORDS_OCTETS:
            raise TooManyKeywords("Too many keywords on one message")
    return flags
