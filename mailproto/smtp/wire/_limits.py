"""How long what a client says may be."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SMTPWireLimits"]


@dataclass(frozen=True, slots=True)
class SMTPWireLimits:
    """In octets, without CRLF (RFC 5321 4.5.3.1).

    :ivar command_line: 512 at least (4.5.3.1.4), and room for the parameters of extensions.
    :ivar text_line: a line of content, but for what is declared binary: 998 at least (4.5.3.1.6),
        and much more by default, because many programs write paragraphs as lines.
    :ivar auth_line: an AUTH command or response (RFC 4954 4: 12288).
    :ivar local_part: 64 at least (4.5.3.1.1).
    :ivar domain: 255 at least (4.5.3.1.2).
    :ivar path: 256 at least, with its angle brackets (4.5.3.1.3).
    :ivar swallowed: of a line that is too long, read and thrown away before the connection is ended.
    """

    command_line: int = 2048
    text_line: int = 1 << 20
    auth_line: int = 12288
    local_part: int = 64
    domain: int = 255
    path: int = 256
    swallowed: int = 4 << 20
