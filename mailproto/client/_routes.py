"""The addresses of a server, and the connection to the first one that answers."""

from __future__ import annotations

import ipaddress
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from twisted.internet.address import IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IHostResolution,
    IProtocol,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from zope.interface import implementer

from mailproto._twisted_internals import endpoint_address
from mailproto.domains import ascii_domain
from mailproto.typing import Reactor, ReactorTime

if TYPE_CHECKING:
    from mailproto.client._client import Client

__all__ = ["HEAD_START", "Race", "Route", "connect", "endpoint_name", "host_and_port", "routes_to"]


HEAD_START = 0.3
"""Seconds until the next address is tried, too (RFC 8305 5)."""

ClientT = TypeVar("ClientT", bound="Client[Any, Any]")


class Route(NamedTuple):
    """One address of a server.

    :ivar name: for error texts: an IP address, or an endpoint's address.
    """

    name: str
    endpoint: IStreamClientEndpoint


async def routes_to(reactor: Reactor, host: str, port: int, timeout: float) -> list[Route]:
    """A route by TCP to each address of a host, in the system's order (RFC 5321 5.1).

    Names such as ``my_host``, which are not valid host names (RFC 1123 2.1), are looked up, too, because
    containers have such names.

    :param host: without brackets.
    :param timeout: seconds to connect to each address.
    :raises UnicodeError: ``host`` is not a valid domain.
    """
    try:
        ipaddress.ip_address(host)
    except ValueError:
        name = ascii_domain(host)
    else:
        return [_route(reactor, host, port, timeout)]
    if not IReactorPluggableNameResolver.providedBy(reactor):
        return [Route(name, TCP4ClientEndpoint(reactor, name, port, timeout))]
    found = await _resolve(reactor, name, port)
    hosts = dict.fromkeys(_host_of(address) for address in found)
    return [_route(reactor, each, port, timeout) for each in hosts]


def _route(reactor: Reactor, host: str, port: int, timeout: float) -> Route:
    kind = TCP6ClientEndpoint if ":" in host else TCP4ClientEndpoint
    return Route(host, kind(reactor, host, port, timeout))


def _host_of(address: Any) -> str:
    """An IP address, with the zone that a link-local address needs (RFC 4007 11)."""
    host: str = address.host
    scope = address.scopeID if isinstance(address, IPv6Address) else 0
    return f"{host}%{scope}" if scope and "%" not in host else host


def _resolve(reactor: IReactorPluggableNameResolver, host: str, port: int) -> Deferred[list[IAddress]]:
    found: list[IAddress] = []
    done: Deferred[list[IAddress]] = Deferred()

    @implementer(IResolutionReceiver)
    class Receiver:
        def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:  # noqa: N802, N803
            pass

        def addressResolved(self, address: IAddress) -> None:  # noqa: N802
            found.append(address)

        def resolutionComplete(self) -> None:  # noqa: N802
            done.callback(found)

    reactor.nameResolver.resolveHostName(Receiver(), host, portNumber=port)
    return done


def host_and_port(host: str, port: int) -> str:
    """``host:port``, with an IPv6 address in brackets as in URLs."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def endpoint_name(endpoint: Any) -> str:
    """An endpoint's address for error texts, because Twisted's endpoints do not show it themselves."""
    address = endpoint_address(endpoint)
    if address is None:
        return type(endpoint).__name__
    return address if isinstance(address, str) else host_and_port(*address)


class _ProtocolFactory(Factory):
    """Gives the one protocol that it was made for."""

    noisy = False

    def __init__(self, protocol: IProtocol) -> None:
        self._protocol = protocol

    def buildProtocol(self, addr: IAddress) -> IProtocol:  # type: ignore[override]
        return self._protocol


def connect(endpoint: IStreamClientEndpoint, protocol: IProtocol) -> Deferred[IProtocol]:
    """As Twisted's ``connectProtocol``, which makes a class for each connection, and these are never
    freed, nor are their protocols."""
    return endpoint.connect(_ProtocolFactory(protocol))


class Race(Generic[ClientT]):
    """Connects to several addresses, one after the other, until the first connection is made.

    If an address refuses, the next one is tried at once; if it does not answer, after `HEAD_START`. When
    one is connected, the other attempts are cancelled; these addresses may be tried again.

    :param routes: at least one.
    :param make: makes a client for each attempt.
    :ivar result: fires with the route and the connected client, or with None if all attempts failed;
        cancelling it ends all attempts.
    :ivar failures: the failed routes, each with its error.
    """

    def __init__(self, clock: ReactorTime, routes: Sequence[Route], make: Callable[[], ClientT]) -> None:
        self._clock = clock
        self._make = make
        self._routes = deque(routes)
        self._pending: dict[int, Deferred[ClientT]] = {}
        self._timer: IDelayedCall | None = None
        self.failures: list[tuple[Route, Exception]] = []
        self.result: Deferred[tuple[Route, ClientT] | None] = Deferred(lambda _: self._stop())
        self._next()

    def _next(self) -> None:
        """Begin another attempt; running ones go on."""
        self._timer = None
        route = self._routes.popleft()
        client = self._make()
        attempt = connect(route.endpoint, client.protocol).addCallback(lambda _: client)
        self._pending[id(attempt)] = attempt
        if self._routes:
            self._timer = self._clock.callLater(HEAD_START, self._next)
        attempt.addCallbacks(self._connected, self._failed, (route, attempt), {}, (route, attempt), {})

    def _connected(self, client: ClientT, route: Route, attempt: Deferred[ClientT]) -> None:
        if self._pending.pop(id(attempt), None) is None:
            client.abort()  # the attempt had been cancelled
            return
        self._stop()
        self.result.callback((route, client))

    def _failed(self, failure: Failure, route: Route, attempt: Deferred[ClientT]) -> None:
        if self._pending.pop(id(attempt), None) is None:
            return
        error = failure.value
        self.failures.append((route, error if isinstance(error, Exception) else RuntimeError(repr(error))))
        self._stop_waiting()
        if self._routes:
            self._timer = self._clock.callLater(0, self._next)  # no recursion: there may be many
        elif not self._pending:
            self.result.callback(None)

    def _stop(self) -> None:
        self._stop_waiting()
        self._routes.clear()
        pending = list(self._pending.values())
        self._pending.clear()
        for attempt in pending:
            attempt.cancel()

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
