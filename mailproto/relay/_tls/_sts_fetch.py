"""Fetches a policy of MTA-STS by HTTPS, from a host that may do anything (RFC 8461 3.3)."""

from __future__ import annotations

import os
from collections.abc import Sequence
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
from mailproto.relay._tls._sts_policy import STSPolicy, parse_policy
from mailproto.tls import client_tls

__all__ = ["FETCH_SECONDS", "POLICY_LIMIT", "FetchFailed", "PolicyHost"]

POLICY_LIMIT: Final = 64 * 1024
"""Octets of the longest policy (RFC 8461 3.3)."""

HEADER_LIMIT: Final = 32 * 1024
"""Octets that a host may send besides the policy: its header, and what frames the content."""

FETCH_SECONDS: Final = 60
"""How long fetching may take, from the search for the host to the last octet (RFC 8461 3.3)."""

_CONNECT_SECONDS: Final = 15


class FetchFailed(Exception):
    """The policy cannot be had; the text says why.

    :ivar result: as in TLS reports (RFC 8460 4.3.2.1).
    """

    def __init__(self, text: str, result: str = "sts-policy-fetch-error") -> None:
        super().__init__(text)
        self.result = result


class PolicyHost:
    """Fetches policies from the hosts ``mta-sts.DOMAIN``.

    :param resolver: finds their addresses.
    :param trust_root: a file of CA certificates in PEM form; None for the platform's.
    :param port: of HTTPS.
    """

    def __init__(
        self,
        reactor: Any,
        resolver: Lookup,
        *,
        trust_root: str | os.PathLike[str] | None = None,
        port: int = 443,
    ) -> None:
        self._reactor = reactor
        self._resolver = resolver
        self._trust_root = trust_root
        self._port = port

    async def fetch(self, domain: str) -> tuple[bytes, STSPolicy]:
        """The policy of a domain in A-labels: its octets, and what they mean.

        :raises FetchFailed: there is none, or it is not valid.
        """
        end = self._reactor.seconds() + FETCH_SECONDS
        endpoints = _Endpoints(self._reactor, self._resolver, self._trust_root)
        fetching = ensureDeferred(self._fetch(domain, endpoints))
        timer = self._reactor.callLater(FETCH_SECONDS, fetching.cancel)
        try:
            octets = await fetching
        except FetchFailed:
            raise
        except Exception as error:  # of sockets, TLS and HTTP, which have no common class
            if self._reactor.seconds() >= end:
                raise FetchFailed(f"it was not there within {FETCH_SECONDS} s") from None
            raise FetchFailed(_reason(error)) from None
        finally:
            endpoints.abort()
            if timer.active():
                timer.cancel()
        try:
            return octets, parse_policy(octets)
        except ValueError as error:
            raise FetchFailed(str(error), "sts-policy-invalid") from None

    async def _fetch(self, domain: str, endpoints: _Endpoints) -> bytes:
        pool = HTTPConnectionPool(self._reactor, persistent=False)
        agent = _StrictAgent(Agent.usingEndpointFactory(self._reactor, endpoints, pool=pool))
        port = "" if self._port == 443 else f":{self._port}"
        url = f"https://mta-sts.{domain}{port}/.well-known/mta-sts.txt"
        response = await HTTPClient(agent).get(
            url, allow_redirects=False, unbuffered=True, reactor=self._reactor
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
        if len(self._octets) > POLICY_LIMIT:
            self.done.errback(FetchFailed(f"it has more than {POLICY_LIMIT} octets", "sts-policy-invalid"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.done.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.done.callback(bytes(self._octets))
        else:
            self.done.errback(FetchFailed(f"its end is missing: {reason.getErrorMessage()}"))


@implementer(IAgent)
class _StrictAgent:
    """Takes only an answer with a policy, as it is: nothing that other layers could unpack or follow."""

    def __init__(self, agent: Any) -> None:
        self._agent = agent

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
        return self._agent.request(method, uri, headers, bodyProducer).addCallback(_checked)  # type: ignore[no-any-return]


def _checked(response: Any) -> Any:
    """:raises FetchFailed:"""
    kind = b"".join(response.headers.getRawHeaders(b"content-type", [])[:1])
    if response.code != 200:
        fault = f"the host answers with the status {response.code}"
    elif kind.partition(b";")[0].strip().lower() != b"text/plain":
        fault = "its type is not text/plain"
    elif response.headers.hasHeader(b"content-encoding"):
        fault = "it is packed"
    else:
        return response
    raise FetchFailed(fault)


@implementer(IAgentEndpointFactory)
class _Endpoints:
    """Makes the endpoints of one attempt, and closes their connections."""

    def __init__(self, reactor: Any, resolver: Lookup, trust_root: str | os.PathLike[str] | None) -> None:
        self._reactor, self._resolver, self._trust_root = reactor, resolver, trust_root
        self._made: list[_PolicyEndpoint] = []

    def endpointForURI(self, uri: Any) -> Any:  # noqa: N802
        host = uri.host.decode("ascii")
        tls = client_tls(host, trust_root=self._trust_root)
        made = _PolicyEndpoint(self._reactor, self._resolver, host, uri.port, tls)
        self._made.append(made)
        return made

    def abort(self) -> None:
        """Close all connections at once, whatever still comes."""
        for each in self._made:
            each.abort()


@implementer(IStreamClientEndpoint)
class _PolicyEndpoint:
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
            raise host.error or FetchFailed(f"{self._host} has no address")
        self._connected = await self._first_of(host.addresses, _counted(factory))
        return self._connected.wrappedProtocol

    async def _first_of(self, addresses: Sequence[str], factory: Any) -> Any:
        error: Exception = FetchFailed("no address")
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
    left = POLICY_LIMIT + HEADER_LIMIT

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
