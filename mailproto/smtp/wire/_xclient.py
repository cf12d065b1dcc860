"""Parsing XCLIENT, by which a trusted proxy names its client (Postfix's XCLIENT_README)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from mailproto.smtp.wire._errors import SMTPSyntaxError
from mailproto.smtp.wire._events import XClient
from mailproto.smtp.wire._grammar import is_host
from mailproto.smtp.wire._limits import SMTPWireLimits

__all__ = ["XCLIENT_ATTRIBUTES", "parse_xclient"]

MAX_VALUE = 255
"""The most characters of a value."""

_UNKNOWN = frozenset({"[UNAVAILABLE]", "[TEMPUNAVAIL]"})
_ATTRIBUTE = re.compile(r"([A-Za-z]+)=((?:[!-*,-~]|\+[0-9A-Fa-f]{2})+)")
"""A value is in xtext (RFC 3461 4), but may have ``=``, which addresses may have."""
_HEX = re.compile(r"\+([0-9A-Fa-f]{2})")


def parse_xclient(rest: str, limits: SMTPWireLimits) -> XClient:
    """Parse the attributes after the verb.

    :raises SMTPSyntaxError: 501, an attribute is unknown, is repeated, or has a value that is not valid.
    """
    words = [word for word in rest.replace("\t", " ").split(" ") if word]
    if not words:
        raise SMTPSyntaxError(501, "5.5.4", "Syntax: XCLIENT attribute=value ...")
    attributes: dict[str, str | None] = {}
    for word in words:
        match = _ATTRIBUTE.fullmatch(word)
        name = match[1].upper() if match else ""
        if match is None or name not in _READERS or name in attributes:
            raise SMTPSyntaxError(501, "5.5.4", "Bad XCLIENT attribute")
        try:
            value = _decode(match[2])
            attributes[name] = None if value.upper() in _UNKNOWN else _READERS[name](value)
        except ValueError:
            raise SMTPSyntaxError(501, "5.5.4", f"Bad value of XCLIENT {name}") from None
    return XClient(MappingProxyType(attributes))


def _decode(xtext: str) -> str:
    """Decode a value.

    :raises ValueError: it is not UTF-8, has control characters, or is too long.
    """
    text = _HEX.sub(lambda match: chr(int(match[1], 16)), xtext).encode("latin-1").decode()
    if not text.isprintable() or len(text) > MAX_VALUE:
        raise ValueError(text)
    return text


def _name(value: str) -> str:
    if not is_host(value):
        raise ValueError(value)
    return value


def _address(value: str) -> str:
    if value[:5].upper() == "IPV6:":
        return str(ipaddress.IPv6Address(value[5:]))
    return str(ipaddress.IPv4Address(value))


def _port(value: str) -> str:
    if not (value.isascii() and value.isdigit() and len(value) <= 5 and int(value) <= 0xFFFF):
        raise ValueError(value)
    return value


def _protocol(value: str) -> str:
    if value.upper() not in ("SMTP", "ESMTP"):
        raise ValueError(value)
    return value.upper()


_READERS: Mapping[str, Callable[[str], str]] = {
    "NAME": _name,
    "ADDR": _address,
    "PORT": _port,
    "PROTO": _protocol,
    "HELO": str,
    "LOGIN": str,
    "DESTADDR": _address,
    "DESTPORT": _port,
}
"""The reader of each attribute's value; each raises ValueError."""

XCLIENT_ATTRIBUTES = tuple(_READERS)
"""The known attributes, in the order in which EHLO lists them."""
