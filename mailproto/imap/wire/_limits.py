"""What a client may make the wire hold, read or throw away."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["IMAPWireLimits"]


@dataclass(frozen=True, slots=True)
class IMAPWireLimits:
    """Limits of one command, in octets and numbers.

    :ivar line: octets of a command, its literals not counted.  RFC 7162 4 asks for 8,192;
        clients with large mailboxes send longer sequence sets.
    :ivar literal_total: octets of all its literals together, the message of APPEND not counted.
    :ivar literals: how many literals, the message of APPEND not counted.
    :ivar append: octets of the message of APPEND.
    :ivar nesting: depth of search keys in each other.
    :ivar swallowed: octets of a refused command that are read and thrown away, where the
        client sends them without asking; one that would send more is cut off.
    :ivar swallowed_line: of those, octets of one line.
    """

    line: int = 65_536
    literal_total: int = 1 << 20
    literals: int = 64
    append: int = 50 << 20
    nesting: int = 50
    swallowed: int = 64 << 20
    swallowed_line: int = 4 << 20
