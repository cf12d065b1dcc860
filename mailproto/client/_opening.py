"""Opens a client: tries every address of the server's host (RFC 5321 5.1)."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from twisted.internet.defer import CancelledError, ensureDeferred
from twisted.internet.endpoints import wrapClientTLS
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IStreamClientEndpoint

from mailproto.auth.sasl import ClientCredentials
from mailproto.client._address import Credentials, ServerAddress, bare_host
from mailproto.client._routes import Race, Route, connect, endpoint_name, routes_to
from mailproto.client._timeouts import TooLate, within
from mailproto.client.errors import (
    AuthenticationRefused,
    ClientError,
    ConnectFailed,
    ServerUntrusted,
    TLSFailed,
    TLSUnavailable,
)
from mailproto.tls import client_tls
from mailproto.typing import ClientEndpoint, ClientTLSContext, Reactor

if TYPE_CHECKING:
    from mailproto.client._client import Client

__all__ = ["aborting", "connect_client", "given_credentials", "open_client"]

MOST_REASONS = 10
"""The most addresses whose errors are in an error's text."""

ClientT = TypeVar("ClientT", bound="Client[Any, Any]")


async def open_client(
    reactor: Reactor, server: ServerAddress, make: Callable[[], ClientT], default_port: int
) -> ClientT:
    """Implements `Client.open`.

    :param make: makes an unconnected client, for each attempt.
    """
    timeouts = make().timeouts
    seconds = timeouts.opening
    port = default_port if server.port is None else server.port
    opening = _Opening(reactor, server, make, port, timeouts.connect)
    try:
        return await within(reactor, seconds, ensureDeferred(opening.run()), _abort)
    except TooLate:
        raise opening.too_late(f"no connection within {seconds:g} s") from None


async def connect_client(reactor: Reactor, endpoint: ClientEndpoint, client: ClientT) -> ClientT:
    """Implements `Client.connect`."""
    seconds = client.timeouts.connect
    name = endpoint_name(endpoint)
    connecting = connect(cast(IStreamClientEndpoint, endpoint), client.protocol)
    try:
        await within(reactor, seconds, connecting, lambda _: client.abort())
    except CancelledError:
        raise
    except TooLate:
        reason = f"no answer within {seconds:g} s"
        raise ConnectFailed(f"Cannot connect to {name}: {reason}", reason=reason) from None
    except Exception as error:
        reason = _reason(error)
        raise ConnectFailed(f"Cannot connect to {name}: {reason}", reason=reason) from error
    with aborting(client):
        await client.greeted()
    return client


class _Opening(Generic[ClientT]):
    """The attempts to open a client, and their errors."""

    def __init__(
        self,
        reactor: Reactor,
        server: ServerAddress,
        make: Callable[[], ClientT],
        port: int,
        seconds: float,
    ) -> None:
        self._reactor = reactor
        self._server = server
        self._make = make
        self._name = server.name(port)
        self._port = port
        self._seconds = seconds  # to look up the addresses, and again to connect to one
        self._failed: list[tuple[str, ClientError]] = []  # names of routes and their errors
        self._now = ""  # the name of the current route

    async def run(self) -> ClientT:
        """Try one address after the other."""
        server = self._server
        tls: ClientTLSContext | None = None if server.tls == "none" else _tls(server)
        routes: Sequence[Route] = await self._routes()
        if server.tls == "implicit":
            creator = cast(IOpenSSLClientConnectionCreator, tls)
            routes = [Route(each.name, wrapClientTLS(creator, each.endpoint)) for each in routes]
        while routes:
            connected, failures = await self._first_of(routes)
            for route, error in failures:
                self._note(route, ConnectFailed(_reason(error)))
            if connected is None:
                break
            route, client = connected
            self._now = route.name
            try:
                return await self._welcomed(route, client, tls)
            except (AuthenticationRefused, ServerUntrusted) as error:
                self._note(route, error)
                if error.is_permanent or isinstance(error, ServerUntrusted):
                    raise self._named(error) from error
            except ClientError as error:
                self._note(route, error)
            tried = {id(each) for each, _ in failures} | {id(route)}
            routes = [each for each in routes if id(each) not in tried]
        raise self._error()

    async def _routes(self) -> list[Route]:
        server, seconds = self._server, self._seconds
        if server.endpoint is not None:
            return [Route(endpoint_name(server.endpoint), server.endpoint)]
        looking = ensureDeferred(routes_to(self._reactor, bare_host(server.host), self._port, seconds))
        try:
            routes = await within(self._reactor, seconds, looking, lambda _: None)
        except TooLate:
            raise self.too_late(f"its addresses could not be looked up within {seconds:g} s") from None
        except UnicodeError:
            raise self.too_late("this is no host name") from None
        if not routes:
            raise self.too_late("no address was found for this name")
        return routes

    async def _first_of(
        self, routes: Sequence[Route]
    ) -> tuple[tuple[Route, ClientT] | None, list[tuple[Route, Exception]]]:
        """The first connected client, if any, and the errors of the other routes."""
        seconds = self._seconds
        race = Race(self._reactor, routes, self._make)
        try:
            connected = await within(self._reactor, seconds, race.result, _abort_connected)
        except TooLate:
            refused = {id(route) for route, _ in race.failures}
            silence = TimeoutError(f"no answer within {seconds:g} s")
            return None, race.failures + [(each, silence) for each in routes if id(each) not in refused]
        return connected, race.failures

    async def _welcomed(self, route: Route, client: ClientT, tls: ClientTLSContext | None) -> ClientT:
        """Do the remaining steps; if optional TLS fails, over another connection."""
        server = self._server
        try:
            with aborting(client):
                await client.greeted()
            return await self._signed_in(client, tls if server.tls != "implicit" else None)
        except TLSFailed:
            if server.tls != "opportunistic":
                raise
        return await self._signed_in(await connect_client(self._reactor, route.endpoint, self._make()), None)

    async def _signed_in(self, client: ClientT, tls: ClientTLSContext | None) -> ClientT:
        server = self._server
        with aborting(client):
            try:
                await client._introduce()
                if tls is not None:
                    try:
                        await client.starttls(tls)
                    except TLSUnavailable:
                        if server.tls == "required":
                            raise
                if server.credentials is not None:
                    await client.authenticate(await given_credentials(server.credentials))
            except Exception as error:
                if not isinstance(error, CancelledError):
                    await client.quit()
                raise
        return client

    # -- errors

    def _note(self, route: Route, error: ClientError) -> None:
        self._failed.append((route.name, error))
        self._now = ""

    def _error(self) -> ClientError:
        """The error to raise when no address is left."""
        errors = [error for _, error in self._failed]
        # The first of the preferred kind: a temporary error, and among those a server's reply.
        error = min(errors, key=lambda each: (each.is_permanent, isinstance(each, ConnectFailed)))
        if isinstance(error, ConnectFailed):
            return ConnectFailed(f"Cannot connect to {self._name}: {self._reasons()}")
        return self._named(error)

    def _named(self, error: ClientError) -> ClientError:
        """The same error, with the server's name and the error of each address."""
        return type(error)(f"{self._name}: {self._reasons()}", reply=error.reply)

    def too_late(self, why: str) -> ConnectFailed:
        """The error to raise if there is no time left, or no address."""
        reasons = self._reasons(f"{self._now}: still waited for" if self._now else "")
        return ConnectFailed(f"Cannot connect to {self._name}: {why}{reasons and f' ({reasons})'}")

    def _reasons(self, last: str = "") -> str:
        updates: Iterable[tuple[str, ClientError]] = self._failed[:MOST_REASONS]
        texts = [f"{name}: {error}" for name, error in updates]
        if len(self._failed) == 1 and not last and self._failed[0][0] in self._name:
            texts = [str(self._failed[0][1])]  # the server's name is the address
        if (more := len(self._failed) - MOST_REASONS) > 0:
            texts.append(f"{more} more")
        return "; ".join([*texts, last] if last else texts)


def _reason(error: Exception) -> str:
    """An error's text on one line, to be used inside another text."""
    if isinstance(error, ConnectError) and isinstance(error.osError, int):  # Twisted says it twice
        return os.strerror(error.osError)
    return " ".join(str(error).split()).removesuffix(".") or type(error).__name__


def _abort(client: Client[Any, Any]) -> None:
    client.abort()


def _abort_connected(connected: tuple[Route, Client[Any, Any]] | None) -> None:
    if connected is not None:
        connected[1].abort()


@contextmanager
def aborting(client: Client[Any, Any]) -> Iterator[None]:
    """Abort the connection if the block is cancelled, by Twisted or by asyncio."""
    try:
        yield
    except (CancelledError, asyncio.CancelledError, GeneratorExit):
        client.abort()
        raise


def _tls(server: ServerAddress) -> Any:
    try:
        return client_tls(
            bare_host(server.host),
            verify=server.tls != "opportunistic",
            trust_root=server.trust_root,
            client_certificate=server.client_certificate,
        )
    except ValueError:
        raise TLSFailed(f"No certificate can be for {server.host!r}") from None


async def given_credentials(credentials: Credentials) -> ClientCredentials:
    """The credentials, or what the function gives."""
    if not callable(credentials):
        return credentials
    given = credentials()
    return await given if inspect.isawaitable(given) else given
