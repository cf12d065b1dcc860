"""What the server listens for, where, and how listening is begun."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from twisted.internet.address import IPv6Address, UNIXAddress
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.protocols.tls import TLSMemoryBIOFactory

from mailproto.auth import ServerTLS
from mailproto.connection import Limits, Networks, ProxiedFactory

__all__ = [
    "BACKLOG",
    "LISTENERS",
    "Listener",
    "default_endpoints",
    "listen",
    "printable_address",
    "with_backlog",
]

BACKLOG = 1024
"""Connections that may wait to be accepted, unless the endpoint says how many.

With Twisted's 50, of 2,000 clients that come at once most wait for their SYN to be sent again.
"""

_SEPARATOR = re.compile(r"(?<!\\):")
_WITH_BACKLOG = ("tcp", "tcp6", "ssl", "unix")


@dataclass(frozen=True, slots=True)
class Listener:
    """One kind of listener.

    :ivar name: also of the option.
    :ivar protocol: which factory serves it: those with TLS share one with those without.
    :ivar port: of the default endpoint, on 127.0.0.1; None: listens only when asked to.
    :ivar tls: TLS from the first octet (RFC 8314 3).
    """

    name: str
    protocol: str
    port: int | None
    tls: bool = False


LISTENERS: Mapping[str, Listener] = {
    listener.name: listener
    for listener in (
        Listener("smtp", "smtp", 8025),
        Listener("submission", "submission", 8587),
        Listener("lmtp", "lmtp", None),
        Listener("pop3", "pop3", 8110),
        Listener("imap", "imap", 8143),
        Listener("submissions", "submission", 8465, tls=True),
        Listener("pop3s", "pop3", 8995, tls=True),
        Listener("imaps", "imap", 8993, tls=True),
    )
}


def default_endpoints() -> dict[str, list[str]]:
    """What is listened on when no endpoint option is given."""
    return {
        listener.name: [f"tcp:{listener.port}:interface=127.0.0.1"]
        for listener in LISTENERS.values()
        if listener.port is not None
    }


async def listen(
    reactor: Any,
    listener: Listener,
    endpoint: str,
    factory: IProtocolFactory,
    tls: ServerTLS,
    *,
    proxies: Networks | None = None,
    limits: Limits | None = None,
) -> IListeningPort:
    """Begin to listen on a Twisted endpoint string.

    :param proxies: who must say who the client is, before TLS too (`ProxiedFactory`).
    :param limits: for what the proxies say.
    :raises twisted.internet.error.CannotListenError: where that is not possible.
    :raises OverflowError: for a port above 65535.
    """
    served = TLSMemoryBIOFactory(tls, False, factory, clock=reactor) if listener.tls else factory
    if proxies:
        served = ProxiedFactory(served, proxies, clock=reactor, limits=limits)
    port: IListeningPort = await serverFromString(reactor, with_backlog(endpoint)).listen(served)
    return port


def with_backlog(endpoint: str) -> str:
    """An endpoint string that asks for `BACKLOG`, if it can and does not say itself."""
    kind, *arguments = _SEPARATOR.split(endpoint)
    by_position = sum("=" not in argument for argument in arguments) > 2
    if kind not in _WITH_BACKLOG or "backlog=" in endpoint or by_position:
        return endpoint
    return f"{endpoint}:backlog={BACKLOG}"


def printable_address(port: IListeningPort) -> str:
    """``host:port`` with the real port, or a Unix socket's path."""
    address = port.getHost()
    if isinstance(address, UNIXAddress):
        return str(address.name.decode(errors="replace")) if address.name else "a Unix socket"
    if isinstance(address, IPv6Address):
        return f"[{address.host}]:{address.port}"
    return f"{getattr(address, 'host', address)}:{getattr(address, 'port', '')}"
