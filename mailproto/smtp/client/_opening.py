"""From a server's name to a client that may send: every address is tried (RFC 5321 5.1)."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, ensureDeferred
from twisted.internet.endpoints import wrapClientTLS

from mailproto.auth import ClientCredentials
from mailproto.smtp.client._client import LMTPClient, SMTPClient
from mailproto.smtp.client._connect import aborting, connect, reason
from mailproto.smtp.client._errors import (
    AuthenticationRefused,
    ConnectFailed,
    ServerUntrusted,
    SMTPClientError,
    TLSFailed,
    TLSUnavailable,
)
from mailproto.smtp.client._host import bare_host, is_loopback
from mailproto.smtp.client._race import Race
from mailproto.smtp.client._routes import Route, endpoint_name, routes_to
from mailproto.smtp.client._server_address import Credentials, ServerAddress
from mailproto.smtp.client._within import TooLate, within
from mailproto.smtp.wire import UnsafeArgument
from mailproto.tls import client_tls

__all__ = ["open_client"]

MOST_REASONS = 10
"""Addresses whose reasons an error tells."""


async def open_client(reactor: Any, server: ServerAddress) -> SMTPClient:
    """Connect, greet, start TLS and authenticate, as ``server`` has it.

    All addresses of the host are tried in the system's order, until one of them does all that.
    The next one follows whatever else went wrong: no server there, silence, no welcome (421, 554),
    no TLS, a lost connection, EHLO refused, authentication refused for now (4yz).  Only where
    the credentials are refused for good, or the server could not prove that it knows the
    password, no other address gets to see them.

    The error's text has the server's name and what became of each address that was tried.  It is
    one of those that ask to try again if any does, and rather one that a server caused.

    :raises ConnectFailed: no address could be connected to, or not all that was done within
        ``timeouts.opening``.
    :raises GreetingRefused, CommandRefused, ConnectionLost:
    :raises AuthenticationRefused, AuthenticationUnavailable:
    :raises TLSUnavailable: TLS is required and not offered, or refused.
    :raises TLSFailed: TLS is required and did not work, or the certificate is not good.
    :raises TLSFilesError: of `mailproto.auth`: ``trust_root`` cannot be read.
    """
    opening = _Opening(reactor, server)
    seconds = server.timeouts.opening
    try:
        return await within(reactor, seconds, ensureDeferred(opening.run()), SMTPClient.abort)
    except TooLate:
        raise opening.too_late(f"no connection within {seconds:g} s") from None


class _Opening:
    """What was tried, and what became of it."""

    def __init__(self, reactor: Any, server: ServerAddress) -> None:
        self._reactor = reactor
        self._server = server
        self._failed: list[tuple[str, SMTPClientError]] = []  # by the route's name
        self._now = ""  # the name of the route that is being tried

    async def run(self) -> SMTPClient:
        """Try one address after the other."""
        server = self._server
        tls: Any = None if server.tls == "none" else _tls(server)
        routes: Sequence[Route] = await self._routes()
        if server.tls == "implicit":
            routes = [Route(each.name, wrapClientTLS(tls, each.endpoint)) for each in routes]
        while routes:
            connected, failures = await self._first_of(routes)
            for route, error in failures:
                self._note(route, ConnectFailed(reason(error)))
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
            except SMTPClientError as error:
                self._note(route, error)
            tried = {id(each) for each, _ in failures} | {id(route)}
            routes = [each for each in routes if id(each) not in tried]
        raise self._error()

    async def _routes(self) -> list[Route]:
        server, seconds = self._server, self._server.timeouts.connect
        if server.endpoint is not None:
            return [Route(endpoint_name(server.endpoint), server.endpoint)]
        looking = ensureDeferred(routes_to(self._reactor, bare_host(server.host), server.any_port, seconds))
        try:
            routes = await within(self._reactor, seconds, looking, lambda _: None)
        except TooLate:
            raise self.too_late(f"its addresses could not be looked up within {seconds:g} s") from None
        except UnsafeArgument:
            raise self.too_late("this is no host name") from None
        if not routes:
            raise self.too_late("no address was found for this name")
        return routes

    async def _first_of(
        self, routes: Sequence[Route]
    ) -> tuple[tuple[Route, SMTPClient] | None, list[tuple[Route, Exception]]]:
        """Who is connected, and who refused."""
        seconds = self._server.timeouts.connect
        race = Race(self._reactor, routes, self._client)
        try:
            connected = await within(self._reactor, seconds, race.result, _abort)
        except TooLate:
            refused = {id(route) for route, _ in race.failures}
            silence = TimeoutError(f"no answer within {seconds:g} s")
            return None, race.failures + [(each, silence) for each in routes if id(each) not in refused]
        return connected, race.failures

    def _client(self) -> SMTPClient:
        server = self._server
        client_class = LMTPClient if server.lmtp else SMTPClient
        return client_class(
            self._reactor,
            hostname=server.hostname,
            timeouts=server.timeouts,
            is_remote=server.endpoint is not None and not is_loopback(bare_host(server.host)),
        )

    async def _welcomed(self, route: Route, client: SMTPClient, tls: Any) -> SMTPClient:
        """The rest of what is to be done; where TLS is optional and fails, over another connection."""
        server = self._server
        try:
            with aborting(client):
                await client.greeted()
            return await self._signed_in(client, tls if server.tls != "implicit" else None)
        except TLSFailed:
            if server.tls != "opportunistic":
                raise
        return await self._signed_in(await connect(route.endpoint, self._client()), None)

    async def _signed_in(self, client: SMTPClient, tls: Any) -> SMTPClient:
        server = self._server
        with aborting(client):
            try:
                await client.ehlo()
                if tls is not None:
                    try:
                        await client.starttls(tls)
                    except TLSUnavailable:
                        if server.tls == "required":
                            raise
                if server.credentials is not None:
                    await client.authenticate(await _given(server.credentials))
            except Exception as error:
                if not isinstance(error, CancelledError):
                    await client.quit()
                raise
        return client

    # -- what is said of it

    def _note(self, route: Route, error: SMTPClientError) -> None:
        self._failed.append((route.name, error))
        self._now = ""

    def _error(self) -> SMTPClientError:
        """What is raised when no address is left."""
        errors = [error for _, error in self._failed]
        # The first of the best: what may work later, and of that what a server had to say.
        error = min(errors, key=lambda each: (each.is_permanent, isinstance(each, ConnectFailed)))
        if isinstance(error, ConnectFailed):
            return ConnectFailed(f"Cannot connect to {self._server}: {self._reasons()}")
        return self._named(error)

    def _named(self, error: SMTPClientError) -> SMTPClientError:
        """The same, with the server's name and what became of each address."""
        return type(error)(f"{self._server}: {self._reasons()}", reply=error.reply)

    def too_late(self, why: str) -> ConnectFailed:
        """What is raised when there is no time to go on, or no way."""
        reasons = self._reasons(f"{self._now}: still waited for" if self._now else "")
        return ConnectFailed(f"Cannot connect to {self._server}: {why}{reasons and f' ({reasons})'}")

    def _reasons(self, last: str = "") -> str:
        updates: Iterable[tuple[str, SMTPClientError]] = self._failed[:MOST_REASONS]
        texts = [f"{name}: {_said(error)}" for name, error in updates]
        if len(self._failed) == 1 and not last and self._failed[0][0] in str(self._server):
            texts = [_said(self._failed[0][1])]  # the server's name says the address already
        if (more := len(self._failed) - MOST_REASONS) > 0:
            texts.append(f"{more} more")
        return "; ".join([*texts, last] if last else texts)


def _said(error: SMTPClientError) -> str:
    return error.text if error.reply is None else str(error)


def _abort(connected: tuple[Route, SMTPClient] | None) -> None:
    if connected is not None:
        connected[1].abort()


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


async def _given(credentials: Credentials) -> ClientCredentials:
    if not callable(credentials):
        return credentials
    given = credentials()
    return await given if inspect.isawaitable(given) else given
