"""The address of a server, with TLS policy and credentials."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.ssl import PrivateCertificate

from mailproto._arguments import check_call, check_choice, check_type, wrong_type, wrong_value
from mailproto._twisted_arguments import check_endpoint
from mailproto.auth.sasl import ClientCredentials
from mailproto.client._routes import endpoint_name, host_and_port
from mailproto.domains import ascii_domain, domain_fault, ends_in_number

__all__ = ["Credentials", "ServerAddress", "bare_host", "is_loopback"]

Credentials: TypeAlias = ClientCredentials | Callable[[], ClientCredentials | Awaitable[ClientCredentials]]

_LITERAL = re.compile(r"\[(?:IPv6:)?([0-9A-Fa-f:.]++(?:%[^\]]++)?)\]", re.IGNORECASE)
_ZONE = re.compile(r"[A-Za-z0-9_.~\-]+")  # RFC 6874 2


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """The address of a server, with TLS policy and credentials, for any protocol.

    :ivar host: a domain name or an IP address, with or without brackets; the certificate must be for it.
    :ivar port: by default the protocol's own (`Client.default_port`).
    :ivar tls: ``required``: STARTTLS; without it the connection is not used.  ``implicit``: TLS from the
        first octet.  Both accept only a valid certificate for ``host``.  ``opportunistic``: STARTTLS with
        any certificate if that works, or else plaintext.  ``none``: plaintext.
    :ivar credentials: a `mailproto.auth.Password`, `Token` or `Certificate`, or a function that returns one
        for each connection, for example for tokens that expire.  Plaintext passwords and tokens are sent
        without TLS only to this machine.  With an ``endpoint``, which may be a proxy, that is so only if
        ``host`` is localhost or a loopback address.
    :ivar trust_root: a file of CA certificates in PEM form, instead of the platform's.
    :ivar client_certificate: sent to the server if it asks for one; needed for a `Certificate` as
        ``credentials``.
    :ivar endpoint: what to connect to, instead of ``host`` and ``port``: a Unix socket, a proxy.
    :raises ValueError: a value is not valid, for example ``host`` is neither a domain name nor an address.
    :raises TypeError: a value has the wrong type.
    """

    host: str = "localhost"
    port: int | None = None
    tls: Literal["required", "implicit", "opportunistic", "none"] = "required"
    credentials: Credentials | None = None
    trust_root: str | os.PathLike[str] | None = None
    client_certificate: PrivateCertificate | None = None
    endpoint: IStreamClientEndpoint | None = None

    def __post_init__(self) -> None:
        _check_host(self.host)
        _check_port(self.port)
        check_choice("tls", self.tls, ("required", "implicit", "opportunistic", "none"))
        given = self.credentials
        if not (given is None or callable(given) or isinstance(given, ClientCredentials)):
            # The value is not shown, because it may hold a secret.
            raise TypeError(
                f"credentials must be a Password, a Token or a Certificate, not {type(given).__name__}: write"
                " mailproto.auth.Password(name, password)"
            )
        if isinstance(given, type):
            raise wrong_type("credentials", given, "an object", f"write {given.__name__}(...)")
        if callable(given):
            takes = "a Password, a Token or a Certificate, or a function that returns one"
            check_call("credentials", given, takes, 0)
        if self.trust_root is not None:
            check_type("trust_root", self.trust_root, (str, os.PathLike), "the path of a PEM file, or None")
        if self.client_certificate is not None:
            certificate, takes = self.client_certificate, "a PrivateCertificate or None"
            hint = "twisted.internet.ssl.PrivateCertificate.loadPEM(octets) reads one"
            check_type("client_certificate", certificate, PrivateCertificate, takes, hint)
        if self.endpoint is not None:
            check_endpoint("endpoint", self.endpoint)

    @property
    def is_remote(self) -> bool:
        """Whether the server may be on another machine, although the endpoint connects to this one."""
        return self.endpoint is not None and not is_loopback(bare_host(self.host))

    def name(self, default_port: int) -> str:
        """The address for people: ``mail.example:587``.

        :param default_port: used if ``port`` is None.
        """
        if self.endpoint is not None:
            return f"{self.host} at {endpoint_name(self.endpoint)}"
        return host_and_port(bare_host(self.host), default_port if self.port is None else self.port)


def _check_host(host: str) -> None:
    """Check a host: a domain name in any script, or an IP address, with or without brackets.

    :raises TypeError: ``host`` is not a str.
    :raises ValueError: ``host`` is not valid; the text says why.
    """
    if not isinstance(host, str):
        raise wrong_type("host", host, "a str")
    if why := _fault_of(host):
        raise wrong_value("host", host, "a domain name or an IP address", f"it {why}")


def _fault_of(host: str) -> str:
    if not host:
        return "is empty"
    if host[0] == "[" or ":" in host:
        return "" if _is_address(host) else "is no IP address (a port is given by itself)"
    if fault := domain_fault(host):
        return fault
    if ends_in_number(ascii_domain(host)) and not _is_address(host):
        return "is no IP address"
    return ""


def _is_address(host: str) -> bool:
    bare = bare_host(host)
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return False
    _, has_zone, zone = bare.partition("%")
    is_tagged = host[:6].lower() == "[ipv6:"
    return bool(not has_zone or _ZONE.fullmatch(zone)) and (address.version == 6 or not is_tagged)


def _check_port(port: int | None) -> None:
    """Check a port.  :raises TypeError, ValueError: see `_check_host`."""
    if port is None:
        return
    if not isinstance(port, int) or isinstance(port, bool):
        raise wrong_type("port", port, "an int from 1 to 65535")
    if not 1 <= port <= 65535:
        raise wrong_value("port", port, "an int from 1 to 65535")


def bare_host(host: str) -> str:
    """An IP address without the brackets of URLs and address literals (RFC 5321 4.1.3)."""
    literal = _LITERAL.fullmatch(host)
    return literal[1] if literal else host


def is_loopback(host: str) -> bool:
    """Whether a host without brackets is localhost (RFC 6761 6.3) or a loopback address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower().removesuffix(".") == "localhost"
