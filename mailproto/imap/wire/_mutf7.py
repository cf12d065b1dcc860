"""Modified UTF-7 (RFC 3501 5.1.3), in which IMAP4rev1 writes mailbox names.

A name has exactly one valid spelling: `decode` takes only what `encode` gives.  With two
spellings of one name, a client could see two mailboxes, or get past a check.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64

__all__ = ["decode", "encode"]

_PLAIN = re.compile(rb"[\x20-\x25\x27-\x7e]*+")
_SHIFTED = re.compile(rb"&([A-Za-z0-9+,]*+)-")
_NOT_ITSELF = re.compile(r"&|[^\x20-\x7e]+")


def encode(name: str) -> bytes:
    """Encode a name.

    :raises ValueError: for a surrogate that is not part of a pair.
    """
    return _NOT_ITSELF.sub(_shift, name).encode("ascii")


def _shift(match: re.Match[str]) -> str:
    text = match[0]
    if text == "&":
        return "&-"
    base64 = b2a_base64(text.encode("utf-16-be"), newline=False)
    return "&" + base64.rstrip(b"=").replace(b"/", b",").decode("ascii") + "-"


def decode(data: bytes) -> str:
    """Decode a name.

    :raises ValueError: for octets above 0x7e or below 0x20, for an ``&`` that is not closed, for
        base64 that is not UTF-16, and for anything that `encode` writes otherwise.
    """
    if _PLAIN.fullmatch(data):
        return data.decode("ascii")
    pieces = []
    position = 0
    for match in _SHIFTED.finditer(data):
        pieces.append(data[position : match.start()].decode("ascii"))
        pieces.append(_unshift(match[1]))
        position = match.end()
    pieces.append(data[position:].decode("ascii"))
    name = "".join(pieces)
    if encode(name) != data:
        raise ValueError("not the one modified UTF-7 form of a name")
    return name


def _unshift(base64: bytes) -> str:
    if not base64:
        return "&"
    padding = b"=" * (-len(base64) % 4)
    return a2b_base64(base64.replace(b",", b"/") + padding).decode("utf-16-be")
