"""Line ends of content: CRLF, without bare CR and LF (RFC 5321 2.3.8)."""

from __future__ import annotations

__all__ = ["is_canonical", "normalise"]


def is_canonical(octets: bytes) -> bool:
    """Whether each CR and each LF is part of a CRLF.

    If so, removing all CRs and putting one before each LF gives the same octets.  Replacing single
    octets is several times as fast as counting pairs.
    """
    return octets.replace(b"\r", b"").replace(b"\n", b"\r\n") == octets


def normalise(octets: bytes) -> bytes:
    """``octets`` with a CRLF for each bare CR and each bare LF.

    Three passes take a fifth of the time of one pass that searches for all kinds of newlines.
    """
    return octets.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
