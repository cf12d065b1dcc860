"""Numbers that operators write: of octets, and of what has a limit."""

from __future__ import annotations

import re

__all__ = ["number", "octets"]

_SIZE = re.compile(r"([0-9]{1,15})([KMGT]?)", re.IGNORECASE)


def octets(text: str) -> int:
    """A number of octets, perhaps in units of 1024, 1024**2, ...: ``1500``, ``10K``, ``5M``, ``1G``, ``2T``.

    :raises ValueError: it is none.
    """
    found = _SIZE.fullmatch(text)
    if found is None or (size := int(found[1]) << 10 * " KMGT".index(found[2].upper() or " ")) >= 1 << 63:
        raise ValueError(f"not a number of octets, such as 500M or 1G: {text!r}")
    return size


def number(text: str) -> int:
    """A number.

    :raises ValueError: it is none.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ValueError(f"not a number: {text!r}")
    return int(text)
