"""What a client may use of an IMAP server."""

from __future__ import annotations

from dataclasses import dataclass, field

from mailproto.connection import Limits
from mailproto.imap.wire import IMAPWireLimits

__all__ = ["IMAPLimits"]

_BEFORE_LOGIN = IMAPWireLimits(line=16_384, literal_total=8192, literals=4, swallowed=1 << 16)


@dataclass(frozen=True, slots=True)
class IMAPLimits(Limits):
    """Besides what every server limits: seconds, octets and numbers.

    :ivar first_command: before login, from one command to the next, too.
    :ivar idle: after login: at least 1800 (RFC 9051 5.4).
    :ivar wire: lengths of commands after login.  ``append`` of it is not looked at: the factory's
        ``max_message_size`` says how long a message may be.
    :ivar before_login: the same before login: what strangers can make us hold or read.  The line
        has room for a SASL response.
    :ivar bad_commands: BAD answers in a row after which the client is taken for something else
        (a browser, a scanner), and the connection is closed.
    :ivar failed_logins: of one connection.
    :ivar time_slice: seconds that one command may hold the reactor before others have their turn.
    """

    first_command: float = 60
    idle: float = 1800
    wire: IMAPWireLimits = field(default_factory=IMAPWireLimits)
    before_login: IMAPWireLimits = _BEFORE_LOGIN
    bad_commands: int = 20
    failed_logins: int = 5
    time_slice: float = 0.01
