"""How long a client waits."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ClientTimeouts"]


@dataclass(frozen=True, slots=True)
class ClientTimeouts:
    """Seconds.

    :ivar opening: until `Client.open` is done: all addresses of a host, TLS and authentication
        together.
    :ivar connect: until a host's addresses are known, and again until one of them is connected.
    :ivar handshake: for TLS to be negotiated, before the greeting or after STARTTLS.
    :ivar greeting: for the server's first words.
    :ivar command: for the answer to a command.
    :ivar quit: for the answer to the last command, and for the connection's end.
    """

    opening: float = 600
    connect: float = 30
    greeting: float = 300
    command: float = 300
    handshake: float = 60
    quit: float = 10
