"""Who an event is about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from mailproto._ip import network_of

__all__ = ["Client", "HasClient", "client_of"]


@dataclass(frozen=True, slots=True)
class Client:
    """The client of a connection, as it was when the event happened.

    :ivar peer: its name for people: the IP address, followed by ``via`` and any proxies; or the Unix socket
        and the process that connected.
    :ivar protocol: ``smtp``, ``submission``, ``lmtp``, ``imap`` or ``pop3``.
    :ivar helo: the name that an SMTP client gave in HELO, EHLO or LHLO; "" if none.
    :ivar tls: the version of TLS, such as ``TLSv1.3``; "" in plaintext.
    :ivar account: the account that has signed in, or None.
    :ivar address: its IP address without a zone; "" over a Unix socket, and if its proxy does not know it.
    :ivar connection: a number that no other connection of this process has; 0 if there is none.
    :ivar notes: what observers keep about the connection; all its `Client` values have the same
        dictionary.  Use your observer, or an object of your own, as the key.
    """

    peer: str
    protocol: str
    helo: str = ""
    tls: str = ""
    account: str | None = None
    address: str = ""
    connection: int = 0
    notes: dict[object, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def network(self) -> str:
        """What counts as one client: the IPv4 address, or the network of an IPv6 address (/64).

        "" as ``address``: all clients of Unix sockets, and all that their proxy does not know, are one.
        """
        return network_of(self.address)


@runtime_checkable
class HasClient(Protocol):
    """A session that has a `Client`, as server connections do."""

    @property
    def client(self) -> Client:
        """The client with its current fields."""


def client_of(session: object) -> Client:
    """The client of a session; a client without fields if the session has none."""
    # Not isinstance(session, HasClient): that takes 20 microseconds, and makes the client twice.
    found = getattr(session, "client", None)
    return found if isinstance(found, Client) else Client("", "")
