"""Limits on what a client may use of a server, and the reasons for closing a connection."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import ClassVar

from mailproto._arguments import check_fields
from mailproto.auth.signing_in import FAILURE_DELAY
from mailproto.connection._proxy_header import MAX_PROXY_HEADER

__all__ = ["CloseReason", "Limits"]

_CONNECTIONS_FROM_ELSEWHERE = 200


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on what a client may use of a server, in seconds, octets and numbers.

    :ivar first_command: from the connection to the first command.
    :ivar login: from the connection to the end of a successful login, where nothing else can be done before
        it (POP3, IMAP, submission); then the connection ends after the running command.
    :ivar idle: from one command to the next, and for a client that does not read its replies. At least 300
        for SMTP (RFC 5321 4.5.3.2.7), 600 for POP3 (RFC 1939 3), 1800 for IMAP (RFC 9051 5.4).
    :ivar close_timeout: from starting to close a connection to aborting it.
    :ivar pipelined: octets that may wait for a running command before the transport is paused; one more
        read (64 KiB) may be added.
    :ivar connections: simultaneous connections of one factory.
    :ivar connections_per_peer: simultaneous connections from one IPv4 address, one IPv6 /64, or all Unix
        sockets.  None for 200, and without limit for clients on this machine and over transports in
        memory.  Clients whose proxy does not
        know their address count as one client.  A listed proxy's own connections do not count.
    :ivar proxy_timeout: from the connection of a listed proxy to the end of its header
        (`ProxiedFactory`).
    :ivar proxy_header: octets of such a header after its fixed part, in version 2.  (Version 1 itself
        allows 107.)
    :ivar handshake: from the connection, or the reply that starts TLS, to the end of the TLS handshake.
    :ivar handshakes: TLS handshakes that are under way at the same time; each takes 60 KB.  One more takes
        the place of the one that began first, if that has had 5 seconds; or else it is turned away.
    :ivar failure_delay: a failed login is answered a whole number of these seconds after its check began
        (`mailproto.auth.sasl.SASLServer`); 0 to answer at once.
    :raises TypeError, ValueError: a limit is of the wrong type, negative, infinite or NaN; or it is 0, and no
        client could be served with that.
    """

    ABOVE_0: ClassVar[frozenset[str]] = frozenset(
        {"first_command", "idle", "login", "proxy_timeout", "handshake", "handshakes"}
    )
    """The fields that may not be 0."""

    first_command: float = 60
    login: float = 60
    idle: float = 300
    close_timeout: float = 10
    pipelined: int = 1 << 17
    connections: int = 10_000
    connections_per_peer: int | None = None
    proxy_timeout: float = 5
    proxy_header: int = MAX_PROXY_HEADER
    handshake: float = 30
    handshakes: int = 500
    failure_delay: float = FAILURE_DELAY

    def __post_init__(self) -> None:
        """Check all numbers, also those of subclasses."""
        check_fields(self)

    def sessions_of_account(self, *, is_near: bool) -> float:
        """How many connections may have signed in to one account; some protocols have such a limit."""
        return math.inf

    def connections_of_peer(self, *, is_near: bool) -> float:
        """The value of ``connections_per_peer`` for a client that `Peer.is_near`, or elsewhere."""
        number = self.connections_per_peer
        if number is None:
            return math.inf if is_near else _CONNECTIONS_FROM_ELSEWHERE
        return number


class CloseReason(enum.Enum):
    """Why the server ends a connection."""

    IDLE = "idle too long"
    LOGIN = "no login in time"
    STOPPING = "server shutting down"
    CROWDED = "too many connections"
    REVOKED = "the account was deleted, disabled or given another password"
    TALKED_AHEAD = "plaintext where TLS was to begin"
