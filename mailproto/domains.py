"""Domain names that are equal though they are written differently."""

from __future__ import annotations

from functools import lru_cache

import idna

__all__ = ["canonical_domain", "is_valid_international", "spellings"]


@lru_cache(maxsize=1024)
def canonical_domain(domain: str) -> str:
    """The one form of a domain: A-labels in lower case, no trailing dot (RFC 5890 2.3.2.4).

    What is no domain name, such as an address literal, is only put in lower case.
    """
    bare = domain.removesuffix(".").lower()
    if bare.isascii():
        return bare
    try:
        return idna.encode(bare, uts46=True).decode()
    except UnicodeError:
        return bare


def spellings(domain: str) -> list[str]:
    """The forms under which an account's name may have been given: A-labels, and U-labels if they differ."""
    canonical = canonical_domain(domain)
    if "xn--" not in canonical:
        return [canonical]
    try:
        return [canonical, idna.decode(canonical)]
    except UnicodeError:
        return [canonical]


def is_valid_international(domain: str) -> bool:
    """Whether the U-labels and A-labels of a domain are such (RFC 5890 2.3.2.1); others are not judged."""
    try:
        for label in domain.lower().split("."):
            if label.startswith("xn--"):
                idna.decode(label)
            elif not label.isascii():
                idna.encode(label, uts46=True)
    except UnicodeError:
        return False
    return True
