"""Sets limits by name, as in ``smtp.recipients=500``."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, get_type_hints

from mailproto._arguments import check_fields
from mailproto.imap.limits import IMAPLimits
from mailproto.pop3.limits import POP3Limits
from mailproto.relay.limits import RelayLimits
from mailproto.service._durations import UNITS
from mailproto.smtp.limits import TRUSTED_CLIENT_LIMITS, SMTPLimits

__all__ = ["ServiceLimits", "limit_names", "with_limit"]


@dataclass(frozen=True, slots=True)
class ServiceLimits:
    """The limits of each protocol (`mailproto.service._listeners.Listener`), and of the relay."""

    smtp: SMTPLimits = field(default_factory=SMTPLimits)
    submission: SMTPLimits = TRUSTED_CLIENT_LIMITS
    lmtp: SMTPLimits = TRUSTED_CLIENT_LIMITS
    pop3: POP3Limits = field(default_factory=POP3Limits)
    imap: IMAPLimits = field(default_factory=IMAPLimits)
    relay: RelayLimits = field(default_factory=RelayLimits)

    def __post_init__(self) -> None:
        """:raises TypeError: the limits of a protocol are of the wrong class."""
        check_fields(self)


def with_limit(limits: ServiceLimits, setting: str) -> ServiceLimits:
    """A copy of ``limits`` with one limit changed.

    :param setting: ``PROTOCOL.NAME=NUMBER``, or ``5m`` and the like for seconds; limits in ``wire`` have
        two names, as in ``smtp.wire.command_line=4096``.
    :raises ValueError: there is no limit of that name, or the value is not allowed; the text names the
        limit.
    """
    key, equals, value = setting.partition("=")
    if not equals:
        raise ValueError(f"not PROTOCOL.NAME=NUMBER: {setting!r}")
    path = key.split(".")
    try:
        changed: ServiceLimits = _changed(limits, path, value)
    except LookupError:
        of = getattr(limits, path[0]) if path[0] in _own_names(limits) else None
        known = [f"{path[0]}.{name}" for name in limit_names(of)] if of else _own_names(limits)
        raise ValueError(f"no limit {key!r}, but: {', '.join(known)}") from None
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None
    return changed


def limit_names(limits: Any) -> list[str]:
    """The names of all limits, with dots for nested ones."""
    names: list[str] = []
    for name in _own_names(limits):
        value = getattr(limits, name)
        names += [f"{name}.{deeper}" for deeper in limit_names(value)] if is_dataclass(value) else [name]
    return names


def _own_names(limits: Any) -> list[str]:
    return [field.name for field in fields(limits) if field.name not in _NO_LIMITS]


def _changed(limits: Any, path: list[str], value: str) -> Any:
    """:raises LookupError: there is no such limit.  :raises ValueError: the value is not allowed."""
    name, *rest = path
    if name not in _own_names(limits):
        raise LookupError(name)
    old = getattr(limits, name)
    if is_dataclass(old) != bool(rest):
        raise LookupError(name)
    if rest:
        new = _changed(old, rest, value)
    else:
        new = _per_second(value) if name == "rate" else _NUMBERS[get_type_hints(type(limits))[name]](value)
    return replace(limits, **{name: new})


def _whole(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= 18):
        raise ValueError(f"not a whole number: {value!r}")
    return int(value)


def _seconds(value: str) -> float:
    unit = UNITS.get(value[-1:])
    number = _number(value if unit is None else value[:-1]) * (unit or 1)
    if not number < math.inf:
        raise ValueError(f"not a length of time, such as 90, 90s, 5m or 1h: {value!r}")
    return number


def _per_second(value: str) -> float:
    number = _number(value)
    if not number < math.inf:
        raise ValueError(f"not a number: {value!r}")
    return number


def _number(value: str) -> float:
    """From 0; NaN if it is none."""
    try:
        number = float(value)
    except ValueError:
        return math.nan
    return number if number >= 0 else math.nan


_NO_LIMITS = frozenset({"append", "rates"})
"""Not set by name: ``max_message_size`` limits messages in APPEND, and the relay's rates are a table."""

_NUMBERS: dict[Any, Callable[[str], float]] = {
    int: _whole,
    float: _seconds,
    int | None: _whole,
    float | None: _seconds,
}
"""The parsers of values, by type; fields of other types cannot be set."""
