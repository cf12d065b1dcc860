"""Limits on the length of a client's lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mailproto._arguments import check_fields

__all__ = ["POP3WireLimits"]


@dataclass(frozen=True, slots=True)
class POP3WireLimits:
    """Limits in octets, CRLF included.

    :ivar line: the length of a command: at least 255 (RFC 2449 4).
    :ivar auth_line: the length of an AUTH command or of a response to a challenge: as much as SMTP
        allows (RFC 4954 4: 12288).
    :ivar swallowed: how much of a line that is too long is read and thrown away; a longer one closes
        the connection.
    """

    ABOVE_0: ClassVar[frozenset[str]] = frozenset({"line", "auth_line"})

    line: int = 255
    auth_line: int = 12288 + 64
    swallowed: int = 4 << 20

    def __post_init__(self) -> None:
        """Check all numbers."""
        check_fields(self)
