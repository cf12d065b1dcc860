"""Which server mail is given to, and on what terms."""

from __future__ import annotations

import inspect
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from twisted.internet.defer import CancelledError
from twisted.internet.endpoints import wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.ssl import PrivateCertificate

from mailproto.auth import ClientCredentials, client_tls
from mailproto.smtp.client._checks import check_host, check_port
from mailproto.smtp.client._client import LMTPClient, SMTPClient
from mailproto.smtp.client._connect import aborting, connect
from mailproto.smtp.client._errors import TLSFailed, TLSUnavailable
from mailproto.smtp.client._host import bare_host, endpoint_of, is_loopback
from mailproto.smtp.client._own_name import check_own_name
from mailproto.smtp.client._timeouts import ClientTimeouts

__all__ = ["MailServer", "open_client"]

_Credentials: TypeAlias = ClientCredentials | Callable[[], ClientCredentials | Awaitable[ClientCredentials]]


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in.

    :ivar host: a domain name or IP address, in brackets or not; the certificate is compared with it.
    :ivar port: by default 465 with implicit TLS, 587 with credentials, 24 for LMTP, otherwise 25.
    :ivar tls: ``required``: STARTTLS, or nothing is sent.  ``implicit``: TLS from the first
        octet.  Both take only a certificate that is good and for ``host``.  ``opportunistic``:
        STARTTLS with any certificate where it works, plaintext where not.  ``none``: plaintext.
    :ivar credentials: who we are: a `mailproto.auth.Password`, `Token` or `Certificate`, or what
        gives one for each connection, as for tokens that expire.  They are never sent in clear,
        but to a process of this machine: with an ``endpoint`` that is one whose ``host`` is
        localhost or a loopback address, since what is connected to may be a proxy.
    :ivar trust_root: a file of CA certificates in PEM form, instead of the platform's.
    :ivar client_certificate: to be shown to the server if it asks; with a `Certificate` as
        ``credentials`` it says who we are.
    :ivar endpoint: what to connect to, instead of ``host`` and ``port``: a Unix socket, a proxy.
    :ivar lmtp: whether it speaks LMTP.
    :ivar hostname: what we call ourselves; by default this machine's name or address.
    :raises ValueError: ``host`` can be no domain name and is no address, ``port`` is none, and so on.
    :raises TypeError: one of them is of another type.
    """

    host: str = "localhost"
    port: int | None = None
    tls: Literal["required", "implicit", "opportunistic", "none"] = "required"
    credentials: _Credentials | None = None
    trust_root: str | os.PathLike[str] | None = None
    client_certificate: PrivateCertificate | None = None
    endpoint: IStreamClientEndpoint | None = None
    lmtp: bool = False
    hostname: str = ""
    timeouts: ClientTimeouts = field(default_factory=ClientTimeouts)

    def __post_init__(self) -> None:
        check_host(self.host)
        check_port(self.port)
        check_own_name(self.hostname)
        if self.tls not in ("required", "implicit", "opportunistic", "none"):
            raise ValueError(f"tls is required, implicit, opportunistic or none, not {self.tls!r}")
        given = self.credentials
        if not (given is None or callable(given) or isinstance(given, ClientCredentials)):
            raise TypeError(f"credentials are no {type(given).__name__}")  # which may hold a secret


async def open_client(reactor: Any, server: MailServer) -> SMTPClient:
    """Connect, greet, start TLS and authenticate, as ``server`` has it.

    :raises ConnectFailed, GreetingRefused, CommandRefused, ConnectionLost:
    :raises AuthenticationRefused, AuthenticationUnavailable:
    :raises TLSUnavailable: TLS is required and not offered, or refused.
    :raises TLSFailed: TLS is required and did not work, or the certificate is not good.
    :raises TLSFilesError: of `mailproto.auth`: ``trust_root`` cannot be read.
    """
    try:
        return await _open(reactor, server, starttls=server.tls in ("required", "opportunistic"))
    except TLSFailed:
        if server.tls != "opportunistic":
            raise
        return await _open(reactor, server, starttls=False)


async def _open(reactor: Any, server: MailServer, *, starttls: bool) -> SMTPClient:
    endpoint = server.endpoint or endpoint_of(reactor, bare_host(server.host), _port(server))
    tls: Any = _tls(server) if starttls or server.tls == "implicit" else None
    if server.tls == "implicit":
        endpoint = wrapClientTLS(tls, endpoint)
    client_class = LMTPClient if server.lmtp else SMTPClient
    client = await connect(
        endpoint,
        client_class(
            reactor,
            hostname=server.hostname,
            timeouts=server.timeouts,
            is_remote=server.endpoint is not None and not is_loopback(bare_host(server.host)),
        ),
    )
    with aborting(client):
        try:
            await client.ehlo()
            if starttls:
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


def _tls(server: MailServer) -> Any:
    try:
        return client_tls(
            bare_host(server.host),
            verify=server.tls != "opportunistic",
            trust_root=server.trust_root,
            client_certificate=server.client_certificate,
        )
    except ValueError:
        raise TLSFailed(f"No certificate can be for {server.host!r}") from None


async def _given(credentials: _Credentials) -> ClientCredentials:
    if not callable(credentials):
        return credentials
    given = credentials()
    return await given if inspect.isawaitable(given) else given


def _port(server: MailServer) -> int:
    if server.port is not None:
        return server.port
    if server.tls == "implicit":
        return 465
    if server.lmtp:
        return 24  # as is usual, and never 25 (RFC 2033 5)
    return 25 if server.credentials is None else 587
