"""Limits on what the other side sends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mailproto._arguments import check_fields

__all__ = ["POP3ReplyLimits", "POP3WireLimits"]


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


@dataclass(frozen=True, slots=True)
class POP3ReplyLimits:
    """Limits for what a server sends, in octets and numbers; a server that sends more loses its client.

    :ivar line: a reply's line, CRLF included.  RFC 2449 4 allows 512; challenges are longer.
    :ivar list_line: a line of CAPA, LIST, UIDL and the like.
    :ivar list_lines: the lines of such a list: that many messages a client can know.
    :ivar in_memory: the octets of a message that is not written to a file or taken in pieces.
    """

    ABOVE_0: ClassVar[frozenset[str]] = frozenset({"line", "list_line", "list_lines", "in_memory"})

    line: int = 1 << 14
    list_line: int = 1024
    list_lines: int = 1_000_000
    in_memory: int = 64 << 20

    def __post_init__(self) -> None:
        """Check all numbers."""
        check_fields(self)
