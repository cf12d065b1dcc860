"""What a host can be called, whether it is the server's or our own."""

from __future__ import annotations

import re

from mailproto.domains import ascii_domain

__all__ = ["domain_fault"]

_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_\-]*[A-Za-z0-9_])?")


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
