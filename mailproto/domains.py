"""Domain names: A-labels, and which are equal though they are written differently."""

from __future__ import annotations

from functools import lru_cache

import idna

__all__ = ["ascii_domain", "canonical_domain", "is_valid_international", "spellings"]


def ascii_domain(domain: str) -> str:
    """``domain`` with A-labels for U-labels (RFC 5891 4.4); what is ASCII stays as it is.

    :raises UnicodeError: it has none.
    """
    return domain if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")


@lru_cache(maxsize=1024)
def canonical_domain(domain: str) -> str:
    """The one form of a domain: A-labels in lower case, no trailing dot (RFC 5890 2.3.2.4).

    What is no domain name, such as an address literal, is only put in lower case.
    """
    bare = domain.removesuffix(".").lower()
    try:
        return ascii_domain(bare)
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
