"""IP addresses: lists of networks, and which addresses count as one client."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from mailproto._arguments import wrong_type, wrong_value
from mailproto._ip import ip_address, network_of

__all__ = ["UNIX", "Networks", "ip_address", "network_of"]

IPAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

UNIX = "unix"
"""The entry for Unix sockets in `Networks`."""


class Networks:
    """A list of peers: ``"192.0.2.1" in Networks(["192.0.2.0/24", "2001:db8::/32", "unix"])``.

    A link-local address may have a zone, ``fe80::1%eth0``; without a zone it means all links.

    :param networks: networks and addresses, as text or as objects of ``ipaddress``, and `UNIX` for all
        clients of Unix sockets.
    :raises TypeError: for one str instead of several, and for anything else that is no network.
    :raises ValueError: for a text that is no network, such as one with host bits set.
    """

    __slots__ = ("_networks", "_unix")

    _networks: Sequence[IPNetwork]
    _unix: bool

    def __init__(self, networks: Networks | Iterable[str | IPNetwork | IPAddress] = ()) -> None:
        self._set("networks", networks)

    @classmethod
    def of(cls, name: str, networks: object) -> Networks:
        """The value of a parameter that takes a `Networks`, or what makes one.

        :param name: the parameter's name, for the error.
        :raises TypeError, ValueError: as for the class.
        """
        if isinstance(networks, Networks):
            return networks
        made = cls()
        made._set(name, networks)
        return made

    def _set(self, name: str, networks: object) -> None:
        if isinstance(networks, Networks):
            self._unix, self._networks = networks._unix, networks._networks
            return
        words = _words(name, networks)
        self._unix = UNIX in words
        self._networks = [_network(name, word) for word in words if word != UNIX]

    def __bool__(self) -> bool:
        """Whether the list has any entry."""
        return self._unix or bool(self._networks)

    def __contains__(self, host: str) -> bool:
        """Whether a peer is in the list; "" means a peer over a Unix socket."""
        if not host:
            return self._unix
        address = ip_address(host)
        return address is not None and any(_is_in(address, network) for network in self._networks)

    def overlaps(self, other: Networks) -> bool:
        """Whether a peer can be in both lists; zones do not count."""
        if self._unix and other._unix:
            return True
        return any(
            one.version == two.version and one.overlaps(two)
            for one in self._networks
            for two in other._networks
        )


def _words(name: str, networks: Any) -> list[Any]:
    if isinstance(networks, (str, bytes)):
        # Otherwise each of its characters would be a network, or the text would be searched for addresses.
        shown_as = networks if isinstance(networks, str) else networks.decode("ascii", "replace")
        raise wrong_type(name, networks, _TAKES, f"write [{shown_as!r}]")
    if isinstance(networks, type) or not isinstance(networks, Iterable):
        raise wrong_type(name, networks, _TAKES)
    if isinstance(networks, _NETWORK):  # it would be the list of its addresses
        raise wrong_type(name, networks, _TAKES, f"write [{str(networks)!r}]")
    return list(networks)


_TAKES = "a Networks or a list such as ['192.0.2.0/24', '::1', 'unix']"
_ADDRESS = (ipaddress.IPv4Address, ipaddress.IPv6Address)
_NETWORK = (ipaddress.IPv4Network, ipaddress.IPv6Network)


def _network(name: str, word: object) -> IPNetwork:
    """A network; IPv4 networks that are mapped into IPv6 become IPv4, as in `ip_address`.

    :raises TypeError, ValueError: it is none; the text says what is wrong.
    """
    if not isinstance(word, (str, *_ADDRESS, *_NETWORK)):
        raise wrong_type(f"each of {name or 'them'}", word, "a network as text, such as '192.0.2.0/24'")
    try:
        network = ipaddress.ip_network(str(word))
    except ValueError:
        takes = "a network such as '192.0.2.0/24'"
        raise wrong_value(f"each of {name or 'them'}", word, takes, _without_host_bits(str(word))) from None
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < _MAPPED_PREFIX:
        return network
    return ipaddress.IPv4Network((mapped, network.prefixlen - _MAPPED_PREFIX))


def _without_host_bits(word: str) -> str:
    """What to write instead of a network with host bits set."""
    try:
        return f"write {ipaddress.ip_network(word, strict=False)}"
    except ValueError:
        return ""


_MAPPED_PREFIX = 96
"""Bits before the IPv4 address in an IPv4-mapped IPv6 address (RFC 4291 2.5.5.2)."""


def _is_in(
    address: IPAddress,
    network: IPNetwork,
) -> bool:
    """Compares zones, too: on another link the same address belongs to another machine (RFC 4007 6)."""
    zone = getattr(network.network_address, "scope_id", None)
    return address in network and zone in (None, getattr(address, "scope_id", None))
