"""What the server listens for, where, and how listening is begun."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from twisted.internet.address import IPv6Address, UNIXAddress
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.protocols.tls import TLSMemoryBIOFactory

from mailproto.connection import Limits, Networks, ProxiedFactory
from mailproto.service._endpoints import unix_path, with_defaults
from mailproto.service._unix_sockets import remove_left_over, why_not
from mailproto.tls import ServerTLS

__all__ = [
    "LISTENERS",
    "Listener",
    "default_endpoints",
    "listen",
    "printable_address",
]


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
    """Begin to listen on a Twisted endpoint string, completed by `with_defaults`.

    A Unix socket that another process left, and at which none listens any more, is replaced.

    :param proxies: who must say who the client is, before TLS too (`ProxiedFactory`).
    :param limits: for what the proxies say.
    :raises twisted.internet.error.CannotListenError, OSError: where that is not possible.
    :raises OverflowError: for a port above 65535.
    """
    served = TLSMemoryBIOFactory(tls, False, factory, clock=reactor) if listener.tls else factory
    if proxies:
        served = ProxiedFactory(served, proxies, clock=reactor, limits=limits)
    path = unix_path(endpoint)
    server = serverFromString(reactor, with_defaults(endpoint))
    if path is None:
        return cast(IListeningPort, await server.listen(served))
    try:
        remove_left_over(path)
        umask = os.umask(0o177)  # no other user may connect before the socket has its mode
        try:
            listening = server.listen(served)
        finally:
            os.umask(umask)
        return cast(IListeningPort, await listening)
    except (CannotListenError, OSError) as error:
        raise OSError(why_not(path, error)) from error


def printable_address(port: IListeningPort) -> str:
    """``host:port`` with the real port, or a Unix socket's path."""
    address = port.getHost()
    if isinstance(address, UNIXAddress):
        return str(address.name.decode(errors="replace")) if address.name else "a Unix socket"
    if isinstance(address, IPv6Address):
        return f"[{address.host}]:{address.port}"
    return f"{getattr(address, 'host', address)}:{getattr(address, 'port', '')}"
