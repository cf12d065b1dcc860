"""Whether a host is this server itself, so that mail to it would go in a circle."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection

from mailproto._ip import ip_address
from mailproto.domains import canonical_domain

__all__ = ["OwnPlaces"]


class OwnPlaces:
    """The names of this server, and where it takes mail.

    :param names: in any spelling.
    :param addresses: (address, port) where this server listens for mail of other servers; the address 0.0.0.0
        or :: means every address of this machine.
    """

    def __init__(self, names: Collection[str], addresses: Collection[tuple[str, int]]) -> None:
        self._names = frozenset(map(canonical_domain, names))
        self._addresses: set[tuple[str, int]] = set()
        self._ports: set[int] = set()  # at every address
        for host, port in addresses:
            address = ip_address(host)
            if address is None or address.is_unspecified:
                self._ports.add(port)
            else:
                self._addresses.add((str(address), port))

    def has_name(self, host: str) -> bool:
        """Whether a host in A-labels has a name of ours."""
        return host in self._names

    def has_address(self, text: str, port: int) -> bool:
        """Whether this server listens at an address and port."""
        address = ip_address(text)
        if address is None:
            return False
        return (str(address), port) in self._addresses or (port in self._ports and _is_of_machine(address))


def _is_of_machine(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether it is an address of this machine: no other can be bound."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True
