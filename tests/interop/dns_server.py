"""A server of the DNS in this process: twisted.names', with zones in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.names import dns
from twisted.names.authority import FileAuthority
from twisted.names.server import DNSServerFactory

__all__ = ["TLSA", "Records", "serve_dns"]

Records = Mapping[str, Sequence[Any]]
"""The records (`twisted.names.dns`) of names."""


class TLSA(dns.UnknownRecord):
    """twisted.names has none of its own."""

    TYPE = 52

    def __init__(self, record: tuple[int, int, int, bytes]) -> None:
        super().__init__(bytes(record[:3]) + record[3], ttl=600)


class _Zone(FileAuthority):
    def __init__(self, zone: str, records: Records) -> None:
        self._zone = zone
        self._found = records
        super().__init__("")

    def loadFile(self, filename: str) -> None:
        zone = self._zone
        soa = dns.Record_SOA(mname=f"ns.{zone}", rname=f"root.{zone}", minimum=60, ttl=600)
        self.soa = (zone.encode(), soa)
        self.records: Any = {name.encode(): found for name, found in self._found.items()}
        self.records[zone.encode()] = [*self.records.get(zone.encode(), []), soa]


class _Validating(DNSServerFactory):
    """Says of all its answers that they are authentic, as a resolver does that has validated them."""

    noisy = False

    def sendReply(self, protocol: Any, message: Any, address: Any) -> None:
        message.authenticData = 1
        super().sendReply(protocol, message, address)


def serve_dns(
    reactor: Any, zone: str, records: Records, *, port: int = 0
) -> tuple[int, list[Callable[[], Any]]]:
    """Answer on 127.0.0.1, by UDP and TCP at the same port.

    :param zone: the name that all others are below.
    :returns: the port, and what ends it.
    """
    factory = _Validating(authorities=[_Zone(zone, records)])
    stream = reactor.listenTCP(port, factory, interface="127.0.0.1")
    number: int = stream.getHost().port
    datagrams = reactor.listenUDP(number, dns.DNSDatagramProtocol(factory), interface="127.0.0.1")
    return number, [stream.stopListening, datagrams.stopListening]
