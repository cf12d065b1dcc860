"""Which server mail is given to, and on what terms."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.ssl import PrivateCertificate

from mailproto.auth import ClientCredentials
from mailproto.smtp.client._host import bare_host, check_host, check_port
from mailproto.smtp.client._own_name import check_own_name
from mailproto.smtp.client._routes import endpoint_name, host_and_port
from mailproto.smtp.client._timeouts import ClientTimeouts

__all__ = ["Credentials", "ServerAddress"]

Credentials: TypeAlias = ClientCredentials | Callable[[], ClientCredentials | Awaitable[ClientCredentials]]


@dataclass(frozen=True, slots=True)
class ServerAddress:
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
    credentials: Credentials | None = None
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

    @property
    def any_port(self) -> int:
        """``port``, or what it is by default."""
        if self.port is not None:
            return self.port
        if self.tls == "implicit":
            return 465
        if self.lmtp:
            return 24  # as is usual, and never 25 (RFC 2033 5)
        return 25 if self.credentials is None else 587

    def __str__(self) -> str:
        """For people: ``mail.example:587``."""
        if self.endpoint is not None:
            return f"{self.host} at {endpoint_name(self.endpoint)}"
        return host_and_port(bare_host(self.host), self.any_port)
