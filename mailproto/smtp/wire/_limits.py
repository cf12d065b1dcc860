"""Limits on the length of a client's lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mailproto._arguments import check_fields

__all__ = ["SMTPWireLimits"]


@dataclass(frozen=True, slots=True)
class SMTPWireLimits:
    """Limits in octets, without CRLF (RFC 5321 4.5.3.1).

    :ivar command_line: the length of a command: at least 512 (4.5.3.1.4), and more for the parameters
        of extensions.
    :ivar text_line: the length of a line of content that is not binary: at least 998 (4.5.3.1.6).  The
        default is much larger, because many programs write a paragraph in one line.
    :ivar auth_line: the length of an AUTH command or response (RFC 4954 4: 12288).
    :ivar local_part: the length of a local part: at least 64 (4.5.3.1.1).  Those of bulk mail, and of
        reverse-paths that servers have rewritten (SRS), are longer than that.
    :ivar domain: the length of a domain: at least 255 (4.5.3.1.2).
    :ivar path: the length of a path with its angle brackets: at least 256 (4.5.3.1.3).
    :ivar swallowed: how much of a line that is too long is read and thrown away; a longer one closes
        the connection.
    """

    ABOVE_0: ClassVar[frozenset[str]] = frozenset(
        {"command_line", "text_line", "auth_line", "local_part", "domain", "path"}
    )

    command_line: int = 2048
    text_line: int = 1 << 20
    auth_line: int = 12288
    local_part: int = 128
    domain: int = 255
    path: int = 256
    swallowed: int = 4 << 20

    def __post_init__(self) -> None:
        """Check all numbers."""
        check_fields(self)
