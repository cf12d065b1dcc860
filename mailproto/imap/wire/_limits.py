"""Limits on what the wire keeps, reads or throws away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mailproto._arguments import check_fields

__all__ = ["IMAPWireLimits"]


@dataclass(frozen=True, slots=True)
class IMAPWireLimits:
    """Limits of one command, in octets and numbers.

    :ivar line: octets of a command without its literals.  RFC 7162 4 asks for 8,192; clients with
        large mailboxes send longer sequence sets.
    :ivar literal_total: octets of all literals of a command, without the messages of APPEND, but with the
        lines between these.
    :ivar literals: how many literals a command may have, without the messages of APPEND.
    :ivar append: octets of a message of APPEND.
    :ivar mailbox: octets of one mailbox name or pattern.
    :ivar patterns: octets of the reference and the patterns of a LIST or LSUB in all: each character of each
        name is compared with all of them.
    :ivar fetch_items: how many items a FETCH may have.
    :ivar fetch_labels: octets of the part numbers and the lists of header fields in these items, which the
        answer for each message repeats.
    :ivar nesting: how deep search keys may be nested.
    :ivar search_keys: search keys of a command; OR, NOT and parentheses count as one each.
    :ivar search_text: octets of a text to search for.
    :ivar swallowed: octets of a refused command that are read and thrown away.  If the client sends
        more without waiting for permission, the connection is closed.
    :ivar swallowed_line: octets of one line that are read and thrown away.
    """

    ABOVE_0: ClassVar[frozenset[str]] = frozenset({"line"})

    line: int = 65_536
    literal_total: int = 1 << 20
    literals: int = 64
    append: int = 50 << 20
    mailbox: int = 4096
    patterns: int = 8192
    fetch_items: int = 1000
    fetch_labels: int = 16_384
    nesting: int = 50
    search_keys: int = 1000
    search_text: int = 8192
    swallowed: int = 64 << 20
    swallowed_line: int = 4 << 20

    def __post_init__(self) -> None:
        """Check all numbers."""
        check_fields(self)
