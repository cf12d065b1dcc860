"""How long a client waits."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ClientTimeouts"]


@dataclass(frozen=True, slots=True)
class ClientTimeouts:
    """Seconds, as RFC 5321 4.5.3.2 has them: shorter ones lose mail to slow servers.

    :ivar opening: until `open_client` is done: all addresses of a host, TLS and authentication
        together.
    :ivar connect: until a host's addresses are known, and again until one of them is connected.
    :ivar handshake: for TLS to be negotiated, before the greeting or after STARTTLS.
    :ivar greeting: for the server's first words (4.5.3.2.1).
    :ivar command: for the answer to EHLO, STARTTLS, RSET, NOOP and VRFY.
    :ivar mail: for the answer to MAIL (4.5.3.2.2).
    :ivar recipient: for the answer to RCPT (4.5.3.2.3).
    :ivar data: for the answer to DATA (4.5.3.2.4).
    :ivar block: for the server to read more of the content, and for the answer to a BDAT that
        is not the last (4.5.3.2.5).
    :ivar final: for the answer to the end of data (4.5.3.2.6): with a shorter one the message
        is sent twice.
    :ivar quit: for the answer to QUIT and the connection's end.
    """

    opening: float = 600
    connect: float = 30
    greeting: float = 300
    command: float = 300
    handshake: float = 60
    mail: float = 300
    recipient: float = 300
    data: float = 120
    block: float = 180
    final: float = 600
    quit: float = 10
