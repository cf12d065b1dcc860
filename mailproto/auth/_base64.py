"""Base64, in which SASL's messages cross the line, strictly."""

from __future__ import annotations

import binascii

from mailproto.auth._errors import SASLError

__all__ = ["MAX_RESPONSE", "decode_base64"]

MAX_RESPONSE = 12288
"""Octets of one message in base64 (RFC 4954 4: servers must take as many)."""


def decode_base64(data: bytes) -> bytes:
    """What was sent: nothing outside the alphabet, padding where it belongs (RFC 4954 4).

    :raises SASLError: for anything else, and for more than `MAX_RESPONSE` octets.
    """
    if len(data) > MAX_RESPONSE:
        raise SASLError("too long")
    if len(data) % 4:
        raise SASLError("not base64")  # strict mode takes a lone "=" for nothing
    try:
        return binascii.a2b_base64(data, strict_mode=True)
    except binascii.Error:
        raise SASLError("not base64") from None
