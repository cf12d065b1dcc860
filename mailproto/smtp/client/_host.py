"""A server's host, however it is written: its name in a certificate, whether it is here."""

from __future__ import annotations

import ipaddress
import re

__all__ = ["bare_host", "is_loopback"]

_LITERAL = re.compile(r"\[(?:IPv6:)?([0-9A-Fa-f:.]++(?:%[^\]]++)?)\]", re.IGNORECASE)


def bare_host(host: str) -> str:
    """An IP address without the brackets of URLs and address literals (RFC 5321 4.1.3)."""
    literal = _LITERAL.fullmatch(host)
    return literal[1] if literal else host


def is_loopback(host: str) -> bool:
    """Whether a host, without brackets, is this machine by what it is called (RFC 6761 6.3)."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower().removesuffix(".") == "localhost"
