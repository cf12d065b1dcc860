"""How long what a client says may be."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["POP3WireLimits"]


@dataclass(frozen=True, slots=True)
class POP3WireLimits:
    """In octets, with CRLF.

    :ivar line: of a command: at least 255 (RFC 2449 4).
    :ivar auth_line: of an AUTH command, or of a response to a challenge: as long as other protocols
        take it (RFC 4954 4: 12288).
    :ivar swallowed: of a line that is too long, read and thrown away before the connection is closed.
    """

    line: int = 255
    auth_line: int = 12288 + 64
    swallowed: int = 4 << 20
