"""IP addresses: how they are read, and which of them count as one client."""

from __future__ import annotations

import ipaddress

__all__ = ["ip_address", "network_of"]


def ip_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Parse an address; an IPv4-mapped IPv6 address becomes an IPv4 address."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def network_of(host: str) -> str:
    """The network that counts as one client: an IPv4 address or an IPv6 /64, which one site controls."""
    address = ip_address(host) if ":" in host else None
    if not isinstance(address, ipaddress.IPv6Address):
        return host
    return str(ipaddress.IPv6Address(int(address) >> 64 << 64))
