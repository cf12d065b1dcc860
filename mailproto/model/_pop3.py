"""What POP3 clients may do with an account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mailproto._arguments import check_whole, wrong_value

__all__ = ["MAX_LOGIN_DELAY", "POP3Policy"]

MAX_LOGIN_DELAY: Final = 86_400
"""The most seconds of `POP3Policy.login_delay`: a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class POP3Policy:
    """How long POP3 clients may leave mail on the server, and how often they may sign in.

    :ivar expire: how many days a message stays at least (RFC 2449 6.7); None if the server never removes one
        by itself.  With 0, QUIT removes each message that was retrieved in the session (RETR, not TOP): mail
        is downloaded and deleted.  A larger number is only announced: whoever keeps the mail removes it.
    :ivar login_delay: seconds that must lie between two logins (RFC 2449 6.5), up to `MAX_LOGIN_DELAY`; 0 for
        no delay.  Each server process remembers its own logins, until it ends.
    :raises ValueError: a number is negative or too large.
    :raises TypeError: it is no int.
    """

    expire: int | None = None
    login_delay: int = 0

    def __post_init__(self) -> None:
        if self.expire is not None:
            check_whole("expire", self.expire)
        check_whole("login_delay", self.login_delay)
        if self.login_delay > MAX_LOGIN_DELAY:
            raise wrong_value("login_delay", self.login_delay, f"at most {MAX_LOGIN_DELAY} seconds")
