"""Identifies the other end of a connection: for lists of networks, for limits, and for the log."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import ISystemHandle

from mailproto._twisted_internals import haproxy_layer, socket_below
from mailproto.connection._networks import UNIX, ip_address, network_of

__all__ = ["NOT_CONNECTED", "UNKNOWN", "Peer", "peer_at", "peer_of", "rename_peer"]

UNKNOWN = "unknown"
"""The `Peer.host` of a client whose address is not known to its proxy; it is in no `Networks`."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a connection; ``str()`` of it is its name for the log.

    :ivar host: for `Networks` and `network_of`: the IP address, with its zone if it has one (RFC 4007 11);
        "" for a Unix socket; or `UNKNOWN`.
    :ivar address: the IP address without a zone, because a zone has a meaning only on this machine (RFC
        4007 11.2); "" if there is none.
    :ivar name: the address, or the Unix socket and the process that connected, followed by the proxies in
        between.
    :ivar is_local: whether it is on this machine.
    :ivar is_proxy: whether it is a listed proxy without a client, such as a health check.
    :ivar is_in_memory: whether no network is in between: the transport has no handle of the system
        (`ISystemHandle`), as those of tests.  Such a peer may claim any address.
    """

    host: str
    address: str
    name: str
    is_local: bool
    is_proxy: bool = False
    is_in_memory: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def is_near(self) -> bool:
        """Whether the defaults of limits on strangers from the network do not apply."""
        return self.is_local or self.is_in_memory

    @property
    def network(self) -> str:
        """The network that counts as one client (`network_of`)."""
        return network_of(self.host)

    def client_at(self, host: str) -> Peer:
        """The client for which this peer, a proxy, speaks; ``host`` is its IP address or `UNKNOWN`.

        A client is on this machine only if both the client and its proxy are.  A client on its proxy's
        machine, if that is another, gets the proxy's address, because its own (such as 127.0.0.1) would
        mean this machine.
        """
        ip = ip_address(host)
        if ip is None:
            return Peer(UNKNOWN, "", f"{UNKNOWN} via {self}", is_local=False)
        # A zone of the proxy's machine has no meaning here.
        client = peer_at(str(ip).partition("%")[0])
        is_local = client.is_local and self.is_local
        known = self if client.is_local and not is_local else client
        return Peer(known.host, known.address, f"{client} via {self}", is_local)

    def on_its_own(self) -> Peer:
        """The same peer, as a proxy whose connection has no client.

        It does not count as on this machine, because HAProxy also sends LOCAL for clients whose IP address
        it does not know.
        """
        return replace(self, is_local=False, is_proxy=True)


NOT_CONNECTED = Peer("", "", "", is_local=False)
"""The peer of a connection that has not been made yet."""


@lru_cache(maxsize=1024)
def peer_at(host: str) -> Peer:
    """The peer at a transport's address ``host``; "" means a Unix socket."""
    ip = ip_address(host)
    if ip is None:
        return Peer(host, "" if host == UNKNOWN else host, host or UNIX, is_local=not host)
    return Peer(str(ip), str(ip).partition("%")[0], str(ip), is_local=ip.is_loopback)


def peer_of(transport: Any) -> Peer:
    """The peer of a transport now; Twisted's ``haproxy:`` endpoints name a client with its first octets."""
    renamed: Peer | None = getattr(transport, _ATTRIBUTE, None)
    if renamed is not None:
        return renamed
    layer = haproxy_layer(transport)
    if layer is not None:
        address = _address_of(layer)
        is_named = address != _address_of(layer.transport)
        return peer_of(layer.transport).client_at(getattr(address, "host", UNKNOWN) if is_named else UNKNOWN)
    address = _address_of(transport)
    if isinstance(address, UNIXAddress):
        return replace(peer_at(""), name=_unix_name(transport))
    # The standard streams of a process may be connected to anything.
    peer = peer_at(getattr(address, "host", UNKNOWN))
    return peer if ISystemHandle.providedBy(transport) else replace(peer, is_in_memory=True)


def _address_of(transport: Any) -> Any:
    try:
        return transport.getPeer()
    except NotImplementedError:  # of a process that an endpoint started
        return None


_ATTRIBUTE = "peer_told_by_proxy"
"""An attribute that we set on a transport; TLS over the transport passes it on, like any other."""


def rename_peer(transport: Any, peer: Peer) -> None:
    """Make `peer_of` return ``peer`` for this transport."""
    setattr(transport, _ATTRIBUTE, peer)


_CREDENTIALS = struct.Struct("3i")
"""Linux's ``struct ucred``: process, user, group (unix(7))."""


def _unix_name(transport: Any) -> str:
    """The socket's path, and the process that connected to it, if the system tells."""
    path = getattr(transport.getHost(), "name", None) or getattr(transport.getPeer(), "name", None) or b""
    shown = path.decode("utf-8", "backslashreplace").replace("\0", "@")  # of an abstract one, as ss(8)
    name = f"unix:{shown}" if shown else "unix"
    try:
        option = socket.SO_PEERCRED
        octets = socket_below(transport).getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size)
        pid, uid, _ = _CREDENTIALS.unpack(octets)
    except (AttributeError, OSError, struct.error):
        return name
    return f"{name} (uid {uid}, pid {pid})"
