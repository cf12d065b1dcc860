"""IP addresses: lists of networks, and which addresses count as one client."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from mailproto._ip import ip_address, network_of

__all__ = ["UNIX", "Networks", "ip_address", "network_of"]

UNIX = "unix"
"""The entry for Unix sockets in `Networks`."""


class Networks:
    """A list of peers: ``"192.0.2.1" in Networks(["192.0.2.0/24", "2001:db8::/32", "unix"])``.

    A link-local address may have a zone, ``fe80::1%eth0``; without a zone it means all links.

    :param networks: networks, addresses, and `UNIX` for all clients of Unix sockets.
    :raises ValueError: for anything else, such as a network with host bits set.
    """

    __slots__ = ("_networks", "_unix")

    def __init__(self, networks: Iterable[str] = ()) -> None:
        words = list(networks)
        self._unix = UNIX in words
        self._networks = [_network(word) for word in words if word != UNIX]

    def __bool__(self) -> bool:
        """Whether the list has any entry."""
        return self._unix or bool(self._networks)

    def __contains__(self, host: str) -> bool:
        """Whether a peer is in the list; "" means a peer over a Unix socket."""
        if not host:
            return self._unix
        address = ip_address(host)
        return address is not None and any(_is_in(address, network) for network in self._networks)


def _network(word: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """A network; IPv4 networks that are mapped into IPv6 become IPv4, as in `ip_address`."""
    network = ipaddress.ip_network(word)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < _MAPPED_PREFIX:
        return network
    return ipaddress.IPv4Network((mapped, network.prefixlen - _MAPPED_PREFIX))


_MAPPED_PREFIX = 96
"""Bits before the IPv4 address in an IPv4-mapped IPv6 address (RFC 4291 2.5.5.2)."""


def _is_in(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
    network: ipaddress.IPv4Network | ipaddress.IPv6Network,
) -> bool:
    """Compares zones, too: on another link the same address belongs to another machine (RFC 4007 6)."""
    zone = getattr(network.network_address, "scope_id", None)
    return address in network and zone in (None, getattr(address, "scope_id", None))
