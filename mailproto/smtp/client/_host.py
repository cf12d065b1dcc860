"""A server's host, however it is written: whether it can be one, and whether it is here; and its port."""

from __future__ import annotations

import ipaddress
import re

from mailproto.domains import ascii_domain, ends_in_number

__all__ = ["bare_host", "check_host", "check_port", "domain_fault", "is_loopback"]

_LITERAL = re.compile(r"\[(?:IPv6:)?([0-9A-Fa-f:.]++(?:%[^\]]++)?)\]", re.IGNORECASE)
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_\-]*[A-Za-z0-9_])?")
_ZONE = re.compile(r"[A-Za-z0-9_.~\-]+")  # RFC 6874 2


def check_host(host: str) -> None:
    """See that ``host`` can be one: a domain name in any script, or an IP address, in brackets or not.

    :raises TypeError: it is no str.
    :raises ValueError: it cannot; the text has it, and says why.
    """
    if not isinstance(host, str):
        raise TypeError(f"a host is a str, not {type(host).__name__}")
    if why := _fault_of(host):
        raise ValueError(f"not a host: {host[:300]!r} {why}")


def _fault_of(host: str) -> str:
    if not host:
        return "is empty"
    if host[0] == "[" or ":" in host:
        return "" if _is_address(host) else "is no IP address (a port is given by itself)"
    if fault := domain_fault(host):
        return fault
    if ends_in_number(ascii_domain(host)) and not _is_address(host):
        return "is no IP address"
    return ""


def _is_address(host: str) -> bool:
    bare = bare_host(host)
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return False
    _, has_zone, zone = bare.partition("%")
    is_tagged = host[:6].lower() == "[ipv6:"
    return bool(not has_zone or _ZONE.fullmatch(zone)) and (address.version == 6 or not is_tagged)


def check_port(port: int | None) -> None:
    """See that ``port`` can be one.  :raises TypeError, ValueError: as `check_host`."""
    if port is None:
        return
    if not isinstance(port, int) or isinstance(port, bool):
        raise TypeError(f"a port is an int, not {type(port).__name__}")
    if not 1 <= port <= 65535:
        raise ValueError(f"not a port: {port} is not from 1 to 65535")


def domain_fault(name: str) -> str:
    """Why ``name`` is no domain name (RFC 1035 2.3.4), as words that stand after it; "" if it is one.

    It may be in any script, and end with a dot.  A label may have an underscore, as those of
    containers do, though no host name has (RFC 1123 2.1).
    """
    if len(name) > 254:
        return "has more than 253 octets"
    try:
        name = ascii_domain(name).removesuffix(".")
    except UnicodeError:
        return "is no domain name"
    if len(name) > 253:
        return "has more than 253 octets"
    for label in name.split("."):
        if not label:
            return "has an empty label"
        if len(label) > 63:
            return "has a label of more than 63 octets"
        if not _LABEL.fullmatch(label):
            return f"has the label {label!r}: only letters, digits and - between them can be in one"
    return ""


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
