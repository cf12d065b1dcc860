"""Octets as quoted-printable and base64 (RFC 2045 6.7, 6.8), in pieces: other threads have their turn."""

from __future__ import annotations

import binascii
from collections.abc import Iterator

__all__ = ["base64", "count_ascii", "quoted_printable"]

_CHUNK = 57 << 10
"""Octets; lines of base64 stand for 57."""

_HIGH = bytes(range(128, 256))


def count_ascii(octets: bytes) -> int:
    """How many of them are ASCII."""
    return sum(len(piece.translate(None, _HIGH)) for piece in _pieces(octets))


def base64(octets: bytes) -> str:
    """Lines of 76."""
    lines = []
    for piece in _pieces(octets):
        lines += [binascii.b2a_base64(piece[at : at + 57]).decode("ascii") for at in range(0, len(piece), 57)]
    return "".join(lines)


def quoted_printable(octets: bytes) -> str:
    """Of text whose lines end with CRLF."""
    found = []
    at = 0
    while at < len(octets):
        stop = at + _CHUNK
        if stop < len(octets):
            end = octets.rfind(b"\r\n", at, stop)
            stop = end + 2 if end >= 0 else stop - (octets[stop - 1 : stop] == b"\r")
        piece = binascii.b2a_qp(octets[at:stop]).decode("ascii")
        found.append(piece if piece.endswith("\r\n") or stop >= len(octets) else piece + "=\r\n")
        at = stop
    return "".join(found)


def _pieces(octets: bytes) -> Iterator[bytes]:
    for start in range(0, len(octets), _CHUNK):
        yield octets[start : start + _CHUNK]
