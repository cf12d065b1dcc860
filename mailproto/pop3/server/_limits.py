"""Limits for the clients of a POP3 server."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from mailproto.connection.limits import Limits
from mailproto.pop3.wire import POP3WireLimits

__all__ = ["READ_AHEAD_MESSAGES", "READ_AHEAD_OCTETS", "POP3Limits"]

READ_AHEAD_OCTETS = 1 << 18
"""The most octets of messages that a session keeps before the client asks for them."""

READ_AHEAD_MESSAGES = 64
"""The most messages that are read at once."""
_SESSIONS_FROM_ELSEWHERE = 20


@dataclass(frozen=True, slots=True)
class POP3Limits(Limits):
    """The limits of every server, and those of POP3; in seconds, octets and numbers.

    :ivar idle: at least 600 (RFC 1939 3).
    :ivar wire: lengths of lines.
    :ivar sessions_per_account: simultaneous connections that have signed in to one account; one more gets
        -ERR [SYS/TEMP].  None for 20, and without limit for clients on this machine and over transports in
        memory.
    :ivar bad_commands: how many unknown or misplaced commands in a row close the connection.
    :ivar failed_logins: how many failed logins close the connection; one password that is tried in several
        ways counts once.
    """

    idle: float = 600
    wire: POP3WireLimits = field(default_factory=POP3WireLimits)
    sessions_per_account: int | None = None
    bad_commands: int = 20
    failed_logins: int = 5

    def sessions_of_account(self, *, is_near: bool) -> float:
        """See `Limits.sessions_of_account`."""
        number = self.sessions_per_account
        if number is None:
            return math.inf if is_near else _SESSIONS_FROM_ELSEWHERE
        return number
