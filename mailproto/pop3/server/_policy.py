"""LOGIN-DELAY (RFC 2449 6.5, 8.1.1) and EXPIRE (6.7)."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from mailproto.accounts import account_key
from mailproto.awaiting import settle
from mailproto.errors import MailError
from mailproto.interfaces import IAccount
from mailproto.interfaces.add_ons import IPOP3Policy
from mailproto.model import MAX_LOGIN_DELAY, POP3Policy
from mailproto.typing import ReactorTime

__all__ = ["LoginTimes", "Policies", "TooSoon", "policy_lines"]

MAX_REMEMBERED: Final = 100_000
"""The most accounts of which the time of the latest login is remembered."""


class TooSoon(MailError):
    """The account has signed in a short while ago."""

    pop3 = "LOGIN-DELAY"


class Policies:
    """The policies of all accounts.

    :ivar default: of an account without another.
    :param named: of single accounts, by their names in any spelling.
    """

    def __init__(self, default: POP3Policy, named: Mapping[str, POP3Policy]) -> None:
        self.default = default
        self._named = {account_key(name): policy for name, policy in named.items()}

    async def of(self, account: IAccount) -> POP3Policy:
        """The policy of an account: its own (`IPOP3Policy`), or what was set for its name."""
        if not IPOP3Policy.providedBy(account):
            return self._named.get(account_key(account.name), self.default)
        policy: object = await settle(account.pop3_policy())
        if not isinstance(policy, POP3Policy):
            what = type(policy).__qualname__
            raise TypeError(f"pop3_policy of {account.name!r} returned a {what}: return a POP3Policy")
        return policy

    def lines_before_login(self, *, any_policy: bool) -> list[str]:
        """The lines of CAPA while the account is not known: the fewest days and the longest delay of all.

        :param any_policy: whether accounts may have a policy of their own.
        """
        if any_policy:
            return _lines(POP3Policy(expire=0, login_delay=MAX_LOGIN_DELAY), " USER")
        policies = [self.default, *self._named.values()]
        days = [policy.expire for policy in policies if policy.expire is not None]
        delay = max(policy.login_delay for policy in policies)
        least = POP3Policy(expire=min(days, default=None), login_delay=delay)
        return _lines(least, "" if set(policies) == {self.default} else " USER")


def policy_lines(policy: POP3Policy) -> list[str]:
    """The lines of CAPA for an account."""
    return _lines(policy, "")


def _lines(policy: POP3Policy, suffix: str) -> list[str]:
    lines = [f"EXPIRE {'NEVER' if policy.expire is None else policy.expire}{suffix}"]
    if policy.login_delay:
        lines.append(f"LOGIN-DELAY {policy.login_delay}{suffix}")
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
