"""LOGIN-DELAY (RFC 2449 6.5, 8.1.1) and EXPIRE (6.7)."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Final

from mailproto.accounts import account_key
from mailproto.awaiting import settle
from mailproto.errors import MailError
from mailproto.interfaces import IAccount
from mailproto.interfaces.add_ons import IPOP3Policy
from mailproto.model import MAX_LOGIN_DELAY, POP3Policy
from mailproto.typing import ReactorTime

__all__ = ["LoginTimes", "TooSoon", "policy_lines", "policy_of"]

MAX_REMEMBERED: Final = 100_000
"""The most accounts of which the time of the latest login is remembered."""


class TooSoon(MailError):
    """The account has signed in a short while ago."""

    pop3 = "LOGIN-DELAY"


async def policy_of(account: IAccount, default: POP3Policy) -> POP3Policy:
    """The policy of an account."""
    if not IPOP3Policy.providedBy(account):
        return default
    policy: object = await settle(account.pop3_policy())
    if not isinstance(policy, POP3Policy):
        what = type(policy).__qualname__
        raise TypeError(f"pop3_policy of {account.name!r} returned a {what}: return a POP3Policy")
    return policy


def policy_lines(policy: POP3Policy, *, varies: bool) -> list[str]:
    """The lines of CAPA.

    :param varies: whether the account is not known yet, and may have another policy: the least number of
        days and the longest delay that there may be are told then, and that they are none of the account's.
    """
    if varies:
        return ["EXPIRE 0 USER", f"LOGIN-DELAY {MAX_LOGIN_DELAY} USER"]
    lines = [f"EXPIRE {'NEVER' if policy.expire is None else policy.expire}"]
    if policy.login_delay:
        lines.append(f"LOGIN-DELAY {policy.login_delay}")
    return lines


class LoginTimes:
    """When the accounts with a login delay have signed in."""

    def __init__(self, clock: ReactorTime) -> None:
        self._clock = clock
        self._next: OrderedDict[str, float] = OrderedDict()  # the time from which each may sign in again

    def sign_in(self, name: str, delay: int) -> None:
        """Note a login, if it is no sooner than the delay after the latest one.

        :raises TooSoon:
        """
        now, key = self._clock.seconds(), account_key(name)
        left = self._next.get(key, now) - now
        if left > 0 and delay:
            # Not longer than the account's delay is now, if that was changed in the meantime.
            raise TooSoon(f"Try again in {math.ceil(min(left, delay))} seconds")
        self._next.pop(key, None)
        if not delay:
            return
        self._next[key] = now + delay
        while len(self._next) > MAX_REMEMBERED or next(iter(self._next.values())) <= now:
            self._next.popitem(last=False)
