"""The timeouts of a client."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ClientTimeouts"]


@dataclass(frozen=True, slots=True)
class ClientTimeouts:
    """The timeouts of a client, in seconds.

    :ivar opening: for `Client.open` as a whole: all addresses of a host, TLS and authentication.
    :ivar connect: to look up a host's addresses, and again to connect to one of them.
    :ivar handshake: for the TLS handshake, before the greeting or after STARTTLS.
    :ivar greeting: for the server's greeting.
    :ivar command: for the answer to a command.
    :ivar quit: for the answer to the last command, and for the end of the connection.
    """

    opening: float = 600
    connect: float = 30
    greeting: float = 300
    command: float = 300
    handshake: float = 60
    quit: float = 10
