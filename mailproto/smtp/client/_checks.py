"""What can be the host and the port of a server."""

from __future__ import annotations

import ipaddress
import re

from mailproto.domains import ascii_domain, ends_in_number
from mailproto.smtp.client._domain import domain_fault
from mailproto.smtp.client._host import bare_host

__all__ = ["check_host", "check_port"]

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
