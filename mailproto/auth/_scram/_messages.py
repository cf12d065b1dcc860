"""The syntax of SCRAM's messages (RFC 5802 7): attributes, names, nonces."""

from __future__ import annotations

import re
import secrets

from mailproto.auth._sasl_messages import SASLError

__all__ = [
    "MAX_SCRAM_MESSAGE",
    "attributes",
    "escape_name",
    "message_text",
    "new_nonce",
    "parse_nonce",
    "unescape_name",
]

MAX_SCRAM_MESSAGE = 4096
"""The most octets of one message; real ones have a few hundred."""

_NONCE = re.compile(r"[\x21-\x2b\x2d-\x7e]+")
_EXTENSION = re.compile(r"([A-Za-z])=.+", re.DOTALL)
_DEFINED = frozenset("acimnprsve")
_ESCAPE = re.compile("=(2C|3D)?")


def message_text(message: bytes) -> str:
    """Decode a message.  :raises SASLError: it is too long, is not UTF-8, or has a NUL."""
    if len(message) > MAX_SCRAM_MESSAGE:
        raise SASLError("SCRAM message too long")
    try:
        text = message.decode()
    except UnicodeDecodeError:
        raise SASLError("SCRAM messages are UTF-8") from None
    if "\0" in text:
        raise SASLError("NUL in a SCRAM message")
    return text


def attributes(text: str, letters: str) -> list[str]:
    """The values of the attributes named by ``letters``, which must come first and in that order.

    Extensions after them are ignored.  Two kinds are errors: ``m``, which must be understood (5.1), and
    attributes of other messages.

    :raises SASLError:
    """
    parts = text.split(",")
    if len(parts) < len(letters):
        raise SASLError("SCRAM attributes are missing")
    values = []
    for letter, part in zip(letters, parts, strict=False):
        if not part.startswith(f"{letter}=") or len(part) == 2:
            raise SASLError(f"SCRAM attribute {letter} is missing")
        values.append(part[2:])
    for part in parts[len(letters) :]:
        extension = _EXTENSION.fullmatch(part)
        if extension is None or extension[1] in _DEFINED:
            raise SASLError("SCRAM attribute out of place")
    return values


def escape_name(name: str) -> str:
    """Encode a name as a ``saslname``."""
    return name.replace("=", "=3D").replace(",", "=2C")


def unescape_name(value: str) -> str:
    """Decode a ``saslname``.  :raises SASLError: it has a ``=`` that begins no escape."""

    def character(found: re.Match[str]) -> str:
        if found[1] is None:
            raise SASLError("bad = in a SCRAM name")
        return "," if found[1] == "2C" else "="

    return _ESCAPE.sub(character, value)


def parse_nonce(value: str) -> str:
    """Check a nonce.  :raises SASLError: it is not printable ASCII."""
    if not _NONCE.fullmatch(value):
        raise SASLError("bad SCRAM nonce")
    return value


def new_nonce() -> str:
    """A new nonce: 144 random bits in ASCII."""
    return secrets.token_urlsafe(18)
