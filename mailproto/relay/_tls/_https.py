"""Requests by HTTPS to hosts that may do anything: within limits of octets and of time."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

from treq.client import HTTPClient
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IAgentEndpointFactory, IResponse
from zope.interface import implementer

from mailproto.relay._dns import Lookup
from mailproto.relay._hosts import Candidate, resolve
from mailproto.tls import client_tls

__all__ = ["BODY_LIMIT", "HEADER_LIMIT", "REQUEST_SECONDS", "HTTPSClient", "HTTPSFailed"]

BODY_LIMIT: Final = 64 * 1024
"""Octets of the longest content that is taken (RFC 8461 3.3)."""

HEADER_LIMIT: Final = 32 * 1024
"""Octets that a host may send besides the content: its header, and what frames the content."""

REQUEST_SECONDS: Final = 60
"""How long a request may take, from the search for the host to the last octet (RFC 8461 3.3)."""

_CONNECT_SECONDS: Final = 15


class HTTPSFailed(Exception):
    """There is no usable answer; the text says why.

    :ivar is_too_long: whether it has too many octets.
    """

    is_too_long = False


class HTTPSClient:
    """Makes requests, each over a connection of its own, to hosts with valid certificates.

    :param reactor: Twisted's reactor.
    :param resolver: finds the hosts' addresses.
    :param trust_root: a file of CA certificates in PEM form; None for the platform's.
    """

    def __init__(
        self, reactor: Any, resolver: Lookup, trust_root: str | os.PathLike[str] | None = None
    ) -> None:
        self._reactor = reactor
        self._resolver = resolver
        self._trust_root = trust_root

    async def get(self, url: str, kind: str) -> bytes:
        """The content of an answer with the status 200 and the media type ``kind``.

        :raises HTTPSFailed: there is none.
        """
        return await self._request("GET", url, kind=kind)

    async def post(self, url: str, octets: bytes, headers: Mapping[str, str]) -> None:
        """Give a host some octets; its answer has a status of 200 to 299.

        :raises HTTPSFailed: it has not taken them.
        """
        await self._request("POST", url, data=octets, headers=dict(headers))

    async def _request(self, method: str, url: str, *, kind: str = "", **more: Any) -> bytes:
        end = self._reactor.seconds() + REQUEST_SECONDS
        endpoints = _Endpoints(self._reactor, self._resolver, self._trust_root)
        pool = HTTPConnectionPool(self._reactor, persistent=False)
        agent = _StrictAgent(Agent.usingEndpointFactory(self._reactor, endpoints, pool=pool), kind)
        waiting = ensureDeferred(self._content(HTTPClient(agent), method, url, **more))
        timer = self._reactor.callLater(REQUEST_SECONDS, waiting.cancel)
        try:
            return await waiting
        except HTTPSFailed:
            raise
        except Exception as error:  # of sockets, TLS and HTTP, which have no common class
            if self._reactor.seconds() >= end:
                raise HTTPSFailed(f"there was no whole answer within {REQUEST_SECONDS} s") from None
            raise HTTPSFailed(_reason(error)) from None
        finally:
            endpoints.abort()
            if timer.active():
                timer.cancel()

    async def _content(self, client: HTTPClient, method: str, url: str, **more: Any) -> bytes:
        response = await client.request(
            method, url, allow_redirects=False, unbuffered=True, reactor=self._reactor, **more
        )
        body = _Body()
        response.deliverBody(body)
        return await body.done


def _reason(error: Exception) -> str:
    """The first reason of an error, which may be wrapped in others by Twisted's web client."""
    reasons = getattr(error, "reasons", None)
    if reasons and isinstance(reasons[0], Failure) and isinstance(reasons[0].value, Exception):
        return _reason(reasons[0].value)
    return " ".join(str(error).split())[:200] or type(error).__name__


class _Body(Protocol):
    """Takes the content, no more than the limit; whoever waits for it closes the connection."""

    def __init__(self) -> None:
        self.done: Deferred[bytes] = Deferred()
        self._octets = bytearray()

    def dataReceived(self, data: bytes) -> None:
        if self.done.called:
            return
        self._octets += data
        if len(self._octets) > BODY_LIMIT:
            error = HTTPSFailed(f"it has more than {BODY_LIMIT} octets")
            error.is_too_long = True
            self.done.errback(error)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.done.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.done.callback(bytes(self._octets))
        else:
            self.done.errback(HTTPSFailed(f"its end is missing: {reason.getErrorMessage()}"))


@implementer(IAgent)
class _StrictAgent:
    """Takes only an answer as it should be: nothing that other layers could unpack or follow.

    :param kind: its media type, and the status must be 200; "" for any, with any status that means success.
    """

    def __init__(self, agent: Any, kind: str) -> None:
        self._agent = agent
        self._kind = kind.encode("ascii")

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: Any = None,  # noqa: N803
    ) -> Deferred[IResponse]:
        """As `IAgent` says."""
        headers = (headers or Headers()).copy()
        headers.removeHeader(b"accept-encoding")
        asked: Deferred[IResponse] = self._agent.request(method, uri, headers, bodyProducer)
        return asked.addCallback(self._checked)

    def _checked(self, response: Any) -> Any:
        """:raises HTTPSFailed:"""
        kind = b"".join(response.headers.getRawHeaders(b"content-type", [])[:1])
        if response.code not in ([200] if self._kind else range(200, 300)):
            raise HTTPSFailed(f"the host answers with the status {response.code}")
        if self._kind and kind.partition(b";")[0].strip().lower() != self._kind:
            raise HTTPSFailed(f"its type is not {self._kind.decode()}")
        if response.headers.hasHeader(b"content-encoding"):
            raise HTTPSFailed("it is packed")
        return response


@implementer(IAgentEndpointFactory)
class _Endpoints:
    """Makes the endpoints of one request, and closes their connections."""

    def __init__(self, reactor: Any, resolver: Lookup, trust_root: str | os.PathLike[str] | None) -> None:
        self._reactor, self._resolver, self._trust_root = reactor, resolver, trust_root
        self._made: list[_HTTPSEndpoint] = []

    def endpointForURI(self, uri: Any) -> Any:  # noqa: N802
        if uri.scheme != b"https":
            raise HTTPSFailed("it is not asked for by HTTPS")
        host = uri.host.decode("ascii")
        tls = client_tls(host, trust_root=self._trust_root)
        made = _HTTPSEndpoint(self._reactor, self._resolver, host, uri.port, tls)
        self._made.append(made)
        return made

    def abort(self) -> None:
        """Close all connections at once, whatever still comes."""
        for each in self._made:
            each.abort()


@implementer(IStreamClientEndpoint)
class _HTTPSEndpoint:
    """Connects to a host by TLS; its addresses come from our resolver, and its octets are counted."""

    def __init__(self, reactor: Any, resolver: Lookup, host: str, port: int, tls: Any) -> None:
        self._reactor, self._resolver, self._host, self._port, self._tls = reactor, resolver, host, port, tls
        self._connected: Any = None

    def connect(self, protocolFactory: Any) -> Deferred[Any]:  # noqa: N803
        """As `IStreamClientEndpoint` says."""
        return ensureDeferred(self._connect(protocolFactory))

    def abort(self) -> None:
        """Close the connection, if there is one."""
        if self._connected is not None:
            self._connected.transport.abortConnection()

    async def _connect(self, factory: Any) -> Any:
        host = Candidate(0, self._host)
        await resolve(self._resolver, host)
        if not host.addresses:
            raise host.error or HTTPSFailed(f"{self._host} has no address")
        self._connected = await self._first_of(host.addresses, _counted(factory))
        return self._connected.wrappedProtocol

    async def _first_of(self, addresses: Sequence[str], factory: Any) -> Any:
        error: Exception = HTTPSFailed("no address")
        for address in addresses:
            kind = TCP6ClientEndpoint if ":" in address else TCP4ClientEndpoint
            endpoint = kind(self._reactor, address, self._port, _CONNECT_SECONDS)
            try:
                return await wrapClientTLS(self._tls, endpoint).connect(factory)
            except Exception as failed:
                error = failed
        raise error


class _CountingProtocol(ProtocolWrapper):
    transport: Any
    left = BODY_LIMIT + HEADER_LIMIT

    def dataReceived(self, data: bytes) -> None:
        """Pass the octets on, until there are too many."""
        self.left -= len(data)
        if self.left < 0:
            self.transport.abortConnection()
        else:
            self.wrappedProtocol.dataReceived(data)


class _Counted(WrappingFactory):
    protocol = _CountingProtocol
    noisy = False


def _counted(factory: Any) -> Any:
    return _Counted(factory)  # type: ignore[no-untyped-call]
