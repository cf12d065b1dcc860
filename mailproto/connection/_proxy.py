"""Connections through a proxy, such as HAProxy, which names the real client in a header."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IHalfCloseableProtocol,
    IProtocol,
    IProtocolFactory,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from mailproto._arguments import check_type
from mailproto._logger import PackageLogger
from mailproto._twisted_arguments import check_clock, check_factory
from mailproto.connection._limits import Limits
from mailproto.connection._networks import Networks, ip_address
from mailproto.connection._peer import UNKNOWN, peer_of, rename_peer
from mailproto.connection._proxy_header import ProxyHeader, ProxyHeaderError, parse_proxy_header
from mailproto.typing import ReactorTime

__all__ = ["ProxiedFactory"]


class ProxiedFactory(Factory):
    """Wraps any factory: listed proxies must name the client before anything else.

    A listed peer must begin with a header of the PROXY protocol, version 1 or 2; otherwise its connection
    is closed without a reply.  A header from any other peer is not read as one.

    The wrapped factory's protocols find the client's address in ``transport.getPeer()``.  If the proxy
    names no client, that is the proxy's own address.  A `ServerConnection` also knows clients whose address
    is unknown, and proxies without a client (health checks): these do not wait for a greeting, and no limit
    for each peer counts them.  Neither kind counts as a client on this machine.

    To serve TLS from the first octet, wrap the factory that speaks it: the header comes first.

    :param factory: makes the protocols that talk with the clients.
    :param proxies: the addresses of the proxies: a `Networks`, or a list such as ``["127.0.0.1"]``.
    :raises TypeError, ValueError: an argument cannot be used; the text says what it takes.
    """

    noisy = False
    log = PackageLogger()

    def __init__(
        self,
        factory: IProtocolFactory,
        proxies: Networks | Iterable[str],
        *,
        clock: ReactorTime,
        limits: Limits | None = None,
    ) -> None:
        check_factory("factory", factory)
        check_clock("clock", clock)
        check_type("limits", limits, (Limits, type(None)), "of the class Limits or None")
        self.clock = clock
        self.limits = limits or Limits()
        self.wrappedFactory = factory
        self._proxies = Networks.of("proxies", proxies)
        self.waiting: set[_ProxiedConnection] = set()

    def buildProtocol(self, addr: IAddress | None) -> IProtocol | None:  # type: ignore[override]
        """A protocol that reads the header, or the wrapped factory's protocol if the peer is not a
        proxy."""
        if getattr(addr, "host", "") in self._proxies:
            return _ProxiedConnection(self)
        return self.build_wrapped(addr)

    def build_wrapped(self, address: Any) -> IProtocol | None:
        """The protocol of a client at ``address``."""
        protocol: IProtocol | None = self.wrappedFactory.buildProtocol(address)
        return protocol

    def doStart(self) -> None:
        """A port starts to listen (`IProtocolFactory`)."""
        super().doStart()  # type: ignore[no-untyped-call]
        self.wrappedFactory.doStart()

    def doStop(self) -> None:
        """A port stops listening (`IProtocolFactory`)."""
        super().doStop()  # type: ignore[no-untyped-call]
        self.wrappedFactory.doStop()

    def stopFactory(self) -> None:
        """The last port has stopped: close the connections whose header is still missing."""
        for connection in list(self.waiting):
            connection.abort()


@implementer(IHalfCloseableProtocol)
class _ProxiedConnection(Protocol):
    """Reads the header, then only passes octets on.

    It stays between the transport and the protocol, because a transport that starts TLS later expects the
    same protocol above it.
    """

    factory: ProxiedFactory
    transport: Any  # several of Twisted's interfaces at once

    def __init__(self, factory: ProxiedFactory) -> None:
        self.factory = factory
        self._received = b""
        self._protocol: IProtocol | None = None
        self._timer: IDelayedCall | None = None

    def connectionMade(self) -> None:
        self.factory.waiting.add(self)
        self._timer = self.factory.clock.callLater(self.factory.limits.proxy_timeout, self._too_late)

    def dataReceived(self, data: bytes) -> None:
        if self._protocol is not None:
            self._protocol.dataReceived(data)
        elif self._timer is not None:
            self._received += data
            self._read_header()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._stop_waiting()
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            protocol.connectionLost(reason)

    def readConnectionLost(self) -> None:
        """The client has closed its side, and may wait for replies (`IHalfCloseableProtocol`)."""
        protocol = IHalfCloseableProtocol(self._protocol, None)
        if protocol is None:
            self.transport.loseConnection()
        else:
            protocol.readConnectionLost()

    def writeConnectionLost(self) -> None:
        """We never close only our side (`IHalfCloseableProtocol`)."""

    @property
    def alpn(self) -> Sequence[bytes]:
        """The protocol names for ALPN (`ServerConnection.alpn`)."""
        return getattr(self._protocol, "alpn", ())

    def abort(self) -> None:
        """Close at once."""
        self._stop_waiting()
        transport = self.transport
        getattr(transport, "abortConnection", transport.loseConnection)()

    def _read_header(self) -> None:
        try:
            result = parse_proxy_header(self._received, self.factory.limits.proxy_header)
        except ProxyHeaderError as error:
            self._refuse(str(error))
            return
        if result is None:
            return
        self._stop_waiting()
        header, length = result
        rest, self._received = self._received[length:], b""
        self._introduce(header)
        protocol = self._protocol = self.factory.build_wrapped(self.transport.getPeer())
        if protocol is None:
            self.abort()
            return
        protocol.makeConnection(self.transport)
        if rest and self._protocol is not None:
            protocol.dataReceived(rest)

    def _introduce(self, header: ProxyHeader) -> None:
        """Make the transport report the client's address."""
        transport = self.transport
        proxy = peer_of(transport)
        if header.source is None or header.destination is None:
            rename_peer(transport, proxy.on_its_own() if header.is_own else proxy.client_at(UNKNOWN))
        elif _is_same(header.source, transport.getPeer()):
            # This is a health check of HAProxy's with version 1.
            rename_peer(transport, proxy.on_its_own())
        else:
            client = proxy.client_at(header.source[0])
            rename_peer(transport, client)
            if client.host != proxy.host:
                peer, host = _address(*header.source), _address(*header.destination)
                transport.getPeer = lambda: peer
                transport.getHost = lambda: host

    def _refuse(self, reason: str) -> None:
        self.factory.log.warn(
            "{peer}: listed as a proxy, but sent {reason}", peer=peer_of(self.transport), reason=reason
        )
        self.abort()

    def _too_late(self) -> None:
        self._refuse(f"no PROXY header in {self.factory.limits.proxy_timeout:g} seconds")

    def _stop_waiting(self) -> None:
        self.factory.waiting.discard(self)
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()


def _is_same(end: tuple[str, int], address: IAddress) -> bool:
    """Whether ``end``, as a proxy names it, is ``address``."""
    host, port = end
    return (ip_address(host), port) == (
        ip_address(getattr(address, "host", "")),
        getattr(address, "port", None),
    )


def _address(host: str, port: int) -> IPv4Address | IPv6Address:
    return IPv6Address("TCP", host, port) if ":" in host else IPv4Address("TCP", host, port)
