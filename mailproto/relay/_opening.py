"""`Opener`: opens clients to exchanges, with the TLS that each must have."""

from __future__ import annotations

import os
from collections import OrderedDict
from typing import Any, Final, Protocol, cast

from twisted.internet.defer import CancelledError, TimeoutError, ensureDeferred
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
    wrapClientTLS,
)
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IStreamClientEndpoint

from mailproto._arguments import check_line, check_methods, check_path, check_type
from mailproto._twisted_arguments import check_clock
from mailproto.client.base import aborting
from mailproto.client.errors import ClientError, ConnectFailed, ConnectionLost, TLSFailed, TLSUnavailable
from mailproto.errors import MailError, Refused
from mailproto.relay._exchange import OPPORTUNISTIC, Exchange, TLSDemand
from mailproto.smtp import SMTPClient
from mailproto.smtp.limits import SMTPTimeouts
from mailproto.smtp.lmtp import LMTPClient
from mailproto.tls import client_tls, dane_tls
from mailproto.typing import Reactor

__all__ = ["PLAIN_FOR", "REMEMBERED_LIMIT", "Opener"]

PLAIN_FOR: Final = 15 * 60
"""Seconds for which TLS is not tried again where it failed and was only opportunistic."""

REMEMBERED_LIMIT: Final = 10_000
"""The most addresses of which that is remembered."""


class SessionCounter(Protocol):
    """What counts how TLS went."""

    def succeeded(self, exchange: Exchange) -> None:
        """A session has TLS as it must."""

    def failed(self, exchange: Exchange, address: str, error: MailError) -> None:
        """A session has not, or has failed for another reason."""


class Opener:
    """Opens clients to exchanges.

    :param reactor: Twisted's reactor.
    :param hostname: this server's name in EHLO.
    :param timeouts: how long a server may take for each step; ``opening`` is for all addresses together.
    :param trust_root: a file of CA certificates in PEM form, to trust instead of the platform's own.
    :param counts: what counts how TLS went, for reports (`mailproto.relay.policies.TLSReports`); None for
        nothing.
    :raises TypeError, ValueError: an argument is not valid.
    """

    def __init__(
        self,
        reactor: Reactor,
        *,
        hostname: str = "",
        timeouts: SMTPTimeouts | None = None,
        trust_root: str | os.PathLike[str] | None = None,
        counts: SessionCounter | None = None,
    ) -> None:
        check_clock("reactor", reactor)
        check_line("hostname", hostname)
        if timeouts is not None:
            check_type("timeouts", timeouts, SMTPTimeouts, "an SMTPTimeouts or None")
        if trust_root is not None:
            check_path("trust_root", trust_root, "the path of a PEM file, or None")
        if counts is not None:
            check_methods("counts", counts, "a TLSReports or None", "succeeded", "failed")
        self._reactor: Any = reactor
        self._hostname = hostname
        self._timeouts = timeouts or SMTPTimeouts()
        self._trust_root = trust_root
        self._counts = counts
        self._plain: OrderedDict[tuple[str, int], float] = OrderedDict()  # where TLS failed, and until when

    async def open_client(self, exchange: Exchange) -> SMTPClient:
        """Connect to the first address that works, and get ready to send: greeting, EHLO, TLS, AUTH.

        Opportunistic TLS that fails is left out on another connection, and for `PLAIN_FOR` seconds.

        :returns: the client, an `LMTPClient` where the exchange speaks LMTP.  Its ``peer`` is the address,
            and ``is_verified`` says whether its certificate is good.
        :raises MailError: no address works.  It is the error of one of them, a temporary one if there is
            one, with its codes; ``str()`` of it names the host and the addresses.  A server's refusal is a
            `GreetingRefused` or `CommandRefused` with its reply.  Where TLS or the credentials fail, the
            error is temporary (451 4.7.x), whatever the server said, because that can be mended.  A server
            without REQUIRETLS, where the message demands it, is a permanent error (550 5.7.30).
        """
        opening = ensureDeferred(self._open(exchange))
        opening.addTimeout(self._timeouts.opening, self._reactor)
        try:
            return await opening
        except TimeoutError:
            text = f"Cannot connect to {exchange}: not ready within {self._timeouts.opening:g} s"
            raise ConnectFailed(text) from None

    async def _open(self, exchange: Exchange) -> SMTPClient:
        errors: list[tuple[str, MailError]] = []
        for address in exchange.addresses or (exchange.path,):
            try:
                return await self._open_address(exchange, address)
            except MailError as error:
                errors.append((address, error))
        raise _joined(exchange, errors)

    async def _open_address(self, exchange: Exchange, address: str) -> SMTPClient:
        demand, place = exchange.tls, (address, exchange.port)
        if demand.is_tried_only:
            try:
                return await self._counted(exchange, address)
            except (TLSFailed, TLSUnavailable):
                demand = OPPORTUNISTIC
        if demand.level == "opportunistic":
            if not self._is_plain(place):
                try:
                    if demand is exchange.tls:
                        return await self._counted(exchange, address)
                    return await self._attempt(exchange, address, demand)
                except TLSFailed:
                    self._note_plain(place)
            return await self._attempt(exchange, address, TLSDemand("none"))
        return await self._counted(exchange, address)

    async def _counted(self, exchange: Exchange, address: str) -> SMTPClient:
        """One connection as it must be, which counts for reports."""
        counts = self._counts
        try:
            client = await self._attempt(exchange, address, exchange.tls)
        except MailError as error:
            if counts is not None:
                counts.failed(exchange, address, error)
            raise
        if counts is not None and client.is_encrypted:
            counts.succeeded(exchange)
        elif counts is not None:
            counts.failed(exchange, address, TLSUnavailable())
        return client

    async def _attempt(self, exchange: Exchange, address: str, demand: TLSDemand) -> SMTPClient:
        """One connection."""
        kind = LMTPClient if exchange.is_lmtp else SMTPClient
        tls = self._context(exchange, demand)
        endpoint = self._endpoint(exchange, address)
        if demand.is_implicit:
            endpoint = wrapClientTLS(cast(IOpenSSLClientConnectionCreator, tls), endpoint)
        client = await kind.connect(self._reactor, endpoint, hostname=self._hostname, timeouts=self._timeouts)
        try:
            with aborting(client):
                await self._make_ready(client, exchange, demand, None if demand.is_implicit else tls)
        except Exception as error:
            if not isinstance(error, CancelledError):
                client.quit()  # which nobody waits for
            raise
        return client

    async def _make_ready(self, client: SMTPClient, exchange: Exchange, demand: TLSDemand, tls: Any) -> None:
        await client.ehlo()
        if tls is not None:
            try:
                await client.starttls(tls)
            except TLSUnavailable:
                if demand.level != "opportunistic":
                    raise
            except TLSFailed:
                raise
            except ConnectionLost as error:  # the server closes instead of answering STARTTLS
                raise TLSFailed(f"STARTTLS: {error}") from None
        if demand.needs_requiretls and "REQUIRETLS" not in client.capabilities:
            raise Refused(
                550, "5.7.30", f"{exchange.host} does not offer REQUIRETLS, which the message demands"
            )
        if exchange.credentials is not None:
            await client.authenticate(exchange.credentials)

    def _endpoint(self, exchange: Exchange, address: str) -> IStreamClientEndpoint:
        seconds = self._timeouts.connect
        if exchange.path:
            return UNIXClientEndpoint(self._reactor, exchange.path, seconds)
        kind = TCP6ClientEndpoint if ":" in address else TCP4ClientEndpoint
        return kind(self._reactor, address, exchange.port, seconds)

    def _context(self, exchange: Exchange, demand: TLSDemand) -> Any:
        """The TLS context; None for no TLS.  :raises TLSFailed: no certificate can be for such a name."""
        try:
            if demand.level == "none":
                return None
            if demand.level == "dane":
                return dane_tls(demand.names, demand.records)
            if demand.level == "verified":
                return client_tls(demand.names[0], trust_root=self._trust_root)
            return client_tls(exchange.host, verify=False)
        except ValueError as error:
            raise TLSFailed(str(error)) from None

    # -- where TLS failed

    def _is_plain(self, place: tuple[str, int]) -> bool:
        until = self._plain.get(place)
        if until is None:
            return False
        if self._reactor.seconds() < until:
            return True
        del self._plain[place]
        return False

    def _note_plain(self, place: tuple[str, int]) -> None:
        self._plain[place] = self._reactor.seconds() + PLAIN_FOR
        while len(self._plain) > REMEMBERED_LIMIT:
            self._plain.popitem(last=False)


def _joined(exchange: Exchange, errors: list[tuple[str, MailError]]) -> MailError:
    """The error for all addresses: the first temporary one, preferably not a mere lack of connection."""
    address, error = min(
        errors, key=lambda each: (_is_permanent(each[1]), isinstance(each[1], ConnectFailed))
    )
    if not isinstance(error, ClientError):
        return error
    if isinstance(error, ConnectFailed):
        return ConnectFailed(f"Cannot connect to {exchange}{_reasons(exchange, errors)}")
    reply = error.reply if error.is_answer else None
    return type(error)(f"{exchange.host}[{address}]: {error}", reply=reply)


def _reasons(exchange: Exchange, errors: list[tuple[str, MailError]]) -> str:
    """Why no address works: each reason once, and each address, unless it is that of the exchange."""
    by_reason: dict[str, list[str]] = {}
    for address, error in errors:
        reason = error.reason if isinstance(error, ConnectFailed) else str(error)
        by_reason.setdefault(reason, []).append(address)
    named = [
        (reason, ", ".join(each for each in addresses if each not in (exchange.host, exchange.path)))
        for reason, addresses in by_reason.items()
    ]
    if len(named) == 1:
        [(reason, addresses)] = named
        return f" ({addresses}): {reason}" if addresses else f": {reason}"
    return ": " + "; ".join(f"{addresses}: {reason}" for reason, addresses in named)


def _is_permanent(error: MailError) -> bool:
    return error.is_permanent and error.is_answer if isinstance(error, ClientError) else error.code >= 500
