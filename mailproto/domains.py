"""Domain names: A-labels, and which are equal though they are written differently."""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress
from functools import lru_cache

import idna

__all__ = ["ascii_domain", "canonical_domain", "domain_fault", "ends_in_number", "is_valid_international"]

_LONGEST = 512
"""Characters of what may be a domain: no more than 253 are left of it as A-labels (RFC 1035 2.3.4)."""

_MAX_LABELS = 127

_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_\-]*[A-Za-z0-9_])?")

_NUMBER = re.compile(r"[0-9]+|0[Xx][0-9A-Fa-f]*")

_DOTS = ".\u3002\uff0e\uff61"
"""What separates labels (RFC 3490 3.1)."""


def ascii_domain(domain: str) -> str:
    """``domain`` with A-labels for U-labels (RFC 5891 4.4); what is ASCII stays as it is.

    :raises UnicodeError: it has none.
    """
    return domain if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")


@lru_cache(maxsize=1024)
def canonical_domain(domain: str) -> str:
    """The one form of a domain: A-labels in lower case, no trailing dot (RFC 5890 2.3.2.4).

    A label that is none of a domain name is only put in lower case, and so is an address literal.
    """
    if domain.isascii() or len(domain) > _LONGEST or sum(map(domain.count, _DOTS)) > _MAX_LABELS:
        return domain.lower().rstrip(".")
    try:
        # Not lowered before: a capital sigma is a sigma here, and a final one to str.lower.
        return ascii_domain(domain).lower().rstrip(".")
    except UnicodeError:
        labels = unicodedata.normalize("NFKC", domain).split(".")
        return ".".join(map(_canonical_label, labels)).rstrip(".")


def _canonical_label(label: str) -> str:
    lower = unicodedata.normalize("NFC", label.lower())
    for spelling in (label, lower):  # what is none as it stands may be one in lower case
        with suppress(UnicodeError):
            return ascii_domain(spelling).lower()
    return lower


def is_valid_international(domain: str, *, idna2003: bool = False) -> bool:
    """Whether the U-labels and A-labels of a domain are such (RFC 5890 2.3.2.1); others are not judged.

    :param idna2003: take A-labels of IDNA 2003 (RFC 3490), too: domains of emoji have no others.
    """
    if len(domain) > _LONGEST:
        return False
    try:
        for label in domain.lower().split("."):
            if label.startswith("xn--"):
                try:
                    idna.decode(label)
                except UnicodeError:
                    if not idna2003:
                        return False
                    label.encode("ascii").decode("idna")
            elif not label.isascii():
                idna.encode(label, uts46=True)
    except UnicodeError:
        return False
    return True


def ends_in_number(domain: str) -> bool:
    """Whether the last label of a domain in ASCII is a number, as of ``127.1`` and ``0x7f000001``.

    No host is called so (RFC 1123 2.1): the system makes an IPv4 address of it (inet_aton).
    """
    return bool(_NUMBER.fullmatch(domain.removesuffix(".").rpartition(".")[2]))


def domain_fault(name: str) -> str:
    """Why ``name`` is no domain name (RFC 1035 2.3.4), as words that stand after it; "" if it is one.

    It may be in any script, and end with a dot.  A label may have an underscore, as those of
    containers do, though no host name has (RFC 1123 2.1).
    """
    if len(name) > 254:
        return "has more than 253 octets"
    try:
        name = ascii_domain(name).removesuffix(".")
    except UnicodeError:
        return "is no domain name"
    if len(name) > 253:
        return "has more than 253 octets"
    for label in name.split("."):
        if not label:
            return "has an empty label"
        if len(label) > 63:
            return "has a label of more than 63 octets"
        if not _LABEL.fullmatch(label):
            return f"has the label {label!r}: only letters, digits and - between them can be in one"
    return ""
