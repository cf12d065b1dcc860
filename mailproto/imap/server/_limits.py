"""Limits for the clients of an IMAP server."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

from mailproto.connection.limits import Limits
from mailproto.imap.wire import IMAPWireLimits

__all__ = ["IMAPLimits"]

_BEFORE_LOGIN = IMAPWireLimits(line=36_864, literal_total=32_768, literals=64, swallowed=1 << 16)
_SESSIONS_FROM_ELSEWHERE = 50


@dataclass(frozen=True, slots=True)
class IMAPLimits(Limits):
    """The limits of every server, and those of IMAP; in seconds, octets and numbers.

    :ivar first_command: the idle timeout before login, between commands too.
    :ivar idle: the idle timeout after login: at least 1800 (RFC 9051 5.4).
    :ivar wire: lengths of commands after login.  Its ``append`` is ignored: the factory's
        ``max_message_size`` limits messages.
    :ivar before_login: lengths of commands before login: smaller, because the client is not known
        yet.  There is room for a SASL response, and for an ID of 30 values of 1,024 octets (RFC 2971 3.3).
    :ivar spooled: octets of APPEND's messages that all connections of a factory hold together, in memory and
        in files, until they are stored; beyond it, a message gets NO [UNAVAILABLE].  One account may hold
        only as much as is left for all others, which is half if it is alone.  At least twice the largest
        message; 0 for no limit.
    :ivar sessions_per_account: simultaneous connections that have signed in to one account; one more gets NO
        [LIMIT].  None for 50, and without limit for clients on this machine and over transports in memory.
    :ivar searches: how many searches of one account read messages at a time; others wait.
    :ivar search_contexts: of how many searches a session is told the changes (RFC 5267); one more gets
        NOUPDATE.
    :ivar command_messages: about how many messages one command may be, but for EXPUNGE and CLOSE (RFC 9738
        MESSAGELIMIT); the last ones are taken, and the client is told.  Clients that do not know this see
        only a part of large mailboxes, so there is no limit by default.
    :ivar saved_messages: how many messages COPY or APPEND may save (RFC 9738 SAVELIMIT); by default any.
    :ivar bad_commands: how many BAD answers in a row close the connection: such a client is a
        browser or a scanner.
    :ivar failed_logins: how many failed logins close the connection; one password that is tried in several
        ways counts once.
    """

    ABOVE_0: ClassVar[frozenset[str]] = Limits.ABOVE_0 | {
        "command_messages",
        "saved_messages",
        "search_contexts",
        "searches",
    }

    first_command: float = 60
    idle: float = 1800
    wire: IMAPWireLimits = field(default_factory=IMAPWireLimits)
    before_login: IMAPWireLimits = _BEFORE_LOGIN
    spooled: int = 1 << 30
    sessions_per_account: int | None = None
    searches: int = 2
    search_contexts: int = 8
    command_messages: int | None = None
    saved_messages: int | None = None
    bad_commands: int = 20
    failed_logins: int = 5

    def sessions_of_account(self, *, is_near: bool) -> float:
        """See `Limits.sessions_of_account`."""
        number = self.sessions_per_account
        if number is None:
            return math.inf if is_near else _SESSIONS_FROM_ELSEWHERE
        return number
