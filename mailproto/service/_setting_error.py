"""The error of a setting, and how settings are checked."""

from __future__ import annotations

from collections.abc import Callable

from mailproto.printable import printable

__all__ = ["SettingError", "check_setting"]


class SettingError(Exception):
    """A setting is not valid, or the server cannot start with it: one line for the operator.

    :ivar path: the setting: names separated by dots, such as ``listen.smtp``, and a number in brackets for
        an item of a list.
    :ivar value: the setting's value, if it helps to show it.
    :ivar reason: what is wrong, and what to do about it.
    """

    def __init__(self, path: str, reason: str, *, value: object = "") -> None:
        self.path, self.value, self.reason = path, str(value), reason
        super().__init__(self.line(path))

    def line(self, name: str) -> str:
        """The error as one line; ``name`` is what the operator calls the setting, such as an option."""
        line = f"{name} {self.value}: {self.reason}" if self.value else f"{name}: {self.reason}"
        return printable(line)


def check_setting(
    path: str, check: Callable[..., None], value: object, *more: object, **settings: object
) -> None:
    """Check a value as `mailproto._arguments` does.

    :raises SettingError: with the setting's path.
    """
    try:
        check("", value, *more, **settings)
    except (TypeError, ValueError) as error:
        raise SettingError(path, str(error).strip()) from None
