"""The ways to a server: all addresses of its host, in the system's order (RFC 5321 5.1)."""

from __future__ import annotations

import ipaddress
from typing import Any, NamedTuple

from twisted.internet.address import IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.interfaces import (
    IAddress,
    IHostResolution,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
    IStreamClientEndpoint,
)
from zope.interface import implementer

from mailproto.smtp.wire import ascii_domain

__all__ = ["Route", "endpoint_name", "host_and_port", "routes_to"]


class Route(NamedTuple):
    """One way to a server.

    :ivar name: as it stands in an error's text: an IP address, or what an endpoint leads to.
    """

    name: str
    endpoint: IStreamClientEndpoint


async def routes_to(reactor: Any, host: str, port: int, timeout: float) -> list[Route]:
    """TCP to each address of a host; none if it has none.

    A name that is no host name (RFC 1123 2.1), such as ``my_host``, may have an address all
    the same: containers do.

    :param host: without brackets.
    :param timeout: seconds for each to be connected.
    :raises UnsafeArgument: it cannot be a domain.
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


def _route(reactor: Any, host: str, port: int, timeout: float) -> Route:
    kind = TCP6ClientEndpoint if ":" in host else TCP4ClientEndpoint
    return Route(host, kind(reactor, host, port, timeout))


def _host_of(address: Any) -> str:
    """An IP address, with the zone that a link-local one means nothing without (RFC 4007 11)."""
    host: str = address.host
    scope = address.scopeID if isinstance(address, IPv6Address) else 0
    return f"{host}%{scope}" if scope and "%" not in host else host


def _resolve(reactor: Any, host: str, port: int) -> Deferred[list[IAddress]]:
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
    """As in URLs: an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def endpoint_name(endpoint: Any) -> str:
    """What an endpoint leads to, for an error's text: Twisted's endpoints do not say it themselves."""
    while (inner := getattr(endpoint, "_wrappedEndpoint", None)) is not None:
        endpoint = inner
    path = getattr(endpoint, "_path", None)
    if path:
        return path.decode(errors="replace") if isinstance(path, bytes) else str(path)
    host = getattr(endpoint, "_hostText", None) or getattr(endpoint, "_host", None)
    port = getattr(endpoint, "_port", None)
    if isinstance(host, str) and isinstance(port, int):
        return host_and_port(host, port)
    return type(endpoint).__name__
