"""A server's host, however it is written: its endpoint, its name in a certificate, whether it is here."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

import idna
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint

__all__ = ["bare_host", "endpoint_of", "is_loopback"]

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


def endpoint_of(reactor: Any, host: str, port: int) -> IStreamClientEndpoint:
    """TCP to a host: any of its addresses, of either family.

    A name that is no host name (RFC 1123 2.1), such as ``my_host``, may have an address all
    the same: containers do.  Those are looked up as the system does it, for IPv4.
    """
    endpoint: IStreamClientEndpoint
    if host.isascii() and not _is_host_name(host):
        endpoint = TCP4ClientEndpoint(reactor, host, port)
    else:
        endpoint = HostnameEndpoint(reactor, host, port)
    return endpoint


def _is_host_name(host: str) -> bool:
    """Or an IPv6 address."""
    if ":" in host:
        return True
    try:
        idna.encode(host)
    except UnicodeError:
        return False
    return True
