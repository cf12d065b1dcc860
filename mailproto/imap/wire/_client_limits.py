"""Limits on what a client takes from a server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mailproto._arguments import check_fields

__all__ = ["IMAPClientLimits"]


@dataclass(frozen=True, slots=True)
class IMAPClientLimits:
    """Limits of what a server may send, in octets and numbers, and of what waits for the application.

    If the server goes over one of them, the connection ends with a `ProtocolViolation`.

    :ivar line: octets of a response without its literals.  SEARCH has all its numbers in one line.
    :ivar line_before_login: the same before the client has signed in.
    :ivar in_memory: octets of a message or a part that are kept in memory; what is larger goes to a file.
    :ivar literal: octets of a message or a part.
    :ivar response: octets of a response that are kept in memory, with all its literals.
    :ivar literals: literals of a response.
    :ivar nesting: how deep parentheses may be nested.  What is deeper is not read: its value is None.
    :ivar values: values of a response, such as the strings of a BODYSTRUCTURE; likewise.
    :ivar garbage: lines in a row that are no responses, which are left out once the client has signed in.
    :ivar ahead: octets of FETCH that wait for the application; then the client reads no more, unless
        another command waits for its answer.
    :ivar ahead_of_others: octets of FETCH in memory while another command waits for its answer, so that the
        client must read on.  What is above ``ahead`` goes to a file then, without its texts.
    :ivar spooled: the same with what is in files; more than these two end the FETCH.
    :ivar messages: messages of the selected mailbox whose UIDs are kept, 4 octets for each; events of others
        have no UID.  Also ranges of UIDs in the result of a search that needs several commands.
    :ivar events: events that wait for the application; the oldest are left out then.
    """

    ABOVE_0: ClassVar[frozenset[str]] = frozenset({"line", "line_before_login", "ahead", "events"})

    line: int = 8 << 20
    line_before_login: int = 1 << 16
    in_memory: int = 1 << 16
    literal: int = 1 << 30
    response: int = 16 << 20
    literals: int = 10_000
    nesting: int = 100
    values: int = 100_000
    garbage: int = 100
    ahead: int = 4 << 20
    ahead_of_others: int = 64 << 20
    spooled: int = 4 << 30
    messages: int = 4_000_000
    events: int = 10_000

    def __post_init__(self) -> None:
        """Check all numbers."""
        check_fields(self)
