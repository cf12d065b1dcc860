"""Line ends of content: CRLF, and neither half of it alone (RFC 5321 2.3.8)."""

from __future__ import annotations

import re

__all__ = ["is_canonical", "normalise"]

_ANY_NEWLINE = re.compile(rb"\r\n|\r|\n")


def is_canonical(octets: bytes) -> bool:
    """Whether each CR and each LF is half of a CRLF.

    Taking all CRs out and putting one before each LF gives back such octets and no others.
    To replace single octets is several times as fast as to count pairs.
    """
    return octets.replace(b"\r", b"").replace(b"\n", b"\r\n") == octets


def normalise(octets: bytes) -> bytes:
    """``octets`` with a CRLF for each bare CR and each bare LF."""
    return _ANY_NEWLINE.sub(b"\r\n", octets)
