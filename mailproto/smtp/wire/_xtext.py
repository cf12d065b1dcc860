"""xtext, which encodes octets in the value of a parameter (RFC 3461 4)."""

from __future__ import annotations

import re

__all__ = ["decode_xtext", "encode_xtext"]

_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")
_HEXCHAR = re.compile(r"\+(..)")
_NO_XCHAR = re.compile(r"[^!-*,-<>-~]")


def encode_xtext(octets: bytes) -> str:
    """Encode octets: ``+``, ``=`` and all that are not printable become ``+`` and two hexadecimal digits."""
    return _NO_XCHAR.sub(lambda match: f"+{ord(match[0]):02X}", octets.decode("latin-1"))


def decode_xtext(text: str) -> bytes:
    """Decode xtext.

    :raises ValueError: it is not xtext; digits must be in upper case.
    """
    if not _XTEXT.fullmatch(text):
        raise ValueError("Bad xtext")
    return _HEXCHAR.sub(lambda match: chr(int(match[1], 16)), text).encode("latin-1")
