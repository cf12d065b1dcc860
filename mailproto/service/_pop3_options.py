"""The options about POP3 clients: whether they may leave mail here, and how often they may sign in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.python.usage import UsageError

from mailproto.model import MAX_LOGIN_DELAY, POP3Policy
from mailproto.service._durations import duration_text, read_duration
from mailproto.service._names import account_name
from mailproto.service._relay_options import RelayOptions, read_option
from mailproto.service._settings import POP3Settings

__all__ = ["POP3Options"]


class POP3Options(RelayOptions):
    """The options of POP3, for `mailproto.service.Options`."""

    def __init__(self) -> None:
        super().__init__()
        self._policies: dict[str, dict[str, Any]] = {}  # by account; "" for all others

    def opt_pop3_expire(self, value: str) -> None:
        """0: QUIT removes what a POP3 client has retrieved; never: clients decide. NAME@DOMAIN=0 or
        NAME@DOMAIN=never: for one account; repeatable. [default: never]"""
        self._set("expire", "pop3-expire", value, _expire)

    def opt_pop3_login_delay(self, value: str) -> None:
        """The shortest time between two POP3 logins of an account, such as 90 or 5m. NAME@DOMAIN=TIME: for
        one account; repeatable. [default: 0]"""
        self._set("login_delay", "pop3-login-delay", value, _login_delay)

    def _set(self, field: str, option: str, value: str, read: Callable[[str], Any]) -> None:
        name, equals, text = value.rpartition("=")
        if equals:
            try:
                name = account_name(name)
            except ValueError as error:
                raise UsageError(f"--{option}: {error}") from None
        policy = self._policies.setdefault(name, {})
        if field in policy:
            raise UsageError(f"--{option}: {name or 'the value for all accounts'} is given twice")
        policy[field] = read_option(option, read)(text)

    @property
    def pop3_settings(self) -> POP3Settings:
        """The section ``pop3``."""
        default = self._policies.get("", {})
        named = {name: POP3Policy(**default | own) for name, own in self._policies.items() if name}
        return POP3Settings(policy=POP3Policy(**default), policies=named)


def _expire(text: str) -> int | None:
    """:raises ValueError: it is neither."""
    if text not in ("0", "never"):
        raise ValueError("must be 0 or never")
    return 0 if text == "0" else None


def _login_delay(text: str) -> int:
    """:raises ValueError: not a length of time, or too long."""
    seconds = read_duration(text)
    if seconds > MAX_LOGIN_DELAY:
        raise ValueError(f"must be at most {duration_text(MAX_LOGIN_DELAY)}")
    return seconds
