"""The parameters of MAIL and RCPT as typed values, for servers and for deliveries that relay mail."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailproto.model import Parameters
from mailproto.smtp.wire._notifications import (
    Notify,
    OriginalRecipient,
    Returned,
    parse_envelope_id,
    parse_notify,
    parse_original_recipient,
    parse_returned,
)
from mailproto.smtp.wire._xtext import decode_xtext

__all__ = ["DeliverBy", "MailOptions", "RcptOptions", "mail_options", "rcpt_options"]

_BY = re.compile(r"([+-]?[0-9]{1,9});([NR])(T?)", re.IGNORECASE | re.ASCII)
_PRIORITY = re.compile(r"0|-?[1-9]", re.ASCII)
_SIZE = re.compile(r"[0-9]{1,20}", re.ASCII)
_INTERVAL = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
_DATE_TIME = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.IGNORECASE | re.ASCII
)


@dataclass(frozen=True, slots=True)
class DeliverBy:
    """The deadline of a message (RFC 2852 4).

    :ivar seconds: the time after MAIL; it may be zero or negative only if ``returned`` is false.
    :ivar returned: whether a late message is returned; if not, it is delivered late, and the sender is
        told of the delay.
    :ivar trace: whether the sender is told of each server that does not support this.
    """

    seconds: int
    returned: bool
    trace: bool

    def __str__(self) -> str:
        """The parameter's value."""
        return f"{self.seconds};{'R' if self.returned else 'N'}{'T' if self.trace else ''}"


@dataclass(frozen=True, slots=True)
class MailOptions:
    """The parameters of MAIL; None or False for those that are missing.

    :ivar size: SIZE, in octets (RFC 1870).
    :ivar body: BODY: ``7BIT``, ``8BITMIME`` (RFC 6152) or ``BINARYMIME`` (RFC 3030).
    :ivar utf8: SMTPUTF8: whether addresses and header may be internationalised (RFC 6531).
    :ivar submitter: AUTH: the message's submitter, or the null path if unknown (RFC 4954 5).
    :ivar returned: RET (RFC 3461 4.3).
    :ivar envelope_id: ENVID, decoded (RFC 3461 4.4).
    :ivar require_tls: REQUIRETLS (RFC 8689).
    :ivar deliver_by: BY (RFC 2852).
    :ivar priority: MT-PRIORITY, from -9 to 9 (RFC 6710).
    :ivar hold_for: HOLDFOR, in seconds (RFC 4865).
    :ivar hold_until: HOLDUNTIL, in seconds since the epoch (RFC 4865); never together with ``hold_for``.
    """

    size: int | None = None
    body: str | None = None
    utf8: bool = False
    submitter: str | None = None
    returned: Returned | None = None
    envelope_id: str | None = None
    require_tls: bool = False
    deliver_by: DeliverBy | None = None
    priority: int | None = None
    hold_for: int | None = None
    hold_until: int | None = None


@dataclass(frozen=True, slots=True)
class RcptOptions:
    """The parameters of RCPT; None for those that are missing (RFC 3461 4).

    :ivar notify: if None, the sender is told of failures, and may be told of delays.
    """

    notify: Notify | None = None
    original: OriginalRecipient | None = None


def mail_options(parameters: Parameters) -> MailOptions:
    """Read the parameters of an envelope; unknown parameters are ignored.

    :raises ValueError: a value is not valid; the text is for the client.  Parameters that a server of
        this package has accepted are always valid.
    """
    options = MailOptions(**_read(parameters, _MAIL))
    if options.hold_for is not None and options.hold_until is not None:
        raise ValueError("HOLDFOR and HOLDUNTIL exclude each other")
    return options


def rcpt_options(parameters: Parameters) -> RcptOptions:
    """Read the parameters of a recipient, as `mail_options` does."""
    return RcptOptions(**_read(parameters, _RCPT))


def _read(parameters: Parameters, readers: Mapping[str, tuple[str, _Reader]]) -> dict[str, Any]:
    known = ((readers[keyword], value) for keyword, value in parameters.items() if keyword in readers)
    return {field: read(value) for (field, read), value in known}


def _number(keyword: str, pattern: re.Pattern[str], complaint: str) -> _Reader:
    def read(value: str | None) -> int:
        if value is None or not pattern.fullmatch(value):
            raise ValueError(f"{keyword} needs {complaint}")
        return int(value)

    return read


def _alone(keyword: str) -> _Reader:
    def read(value: str | None) -> bool:
        if value is not None:
            raise ValueError(f"{keyword} takes no value")
        return True

    return read


def _with_value(keyword: str, parse: Callable[[str], object]) -> _Reader:
    def read(value: str | None) -> object:
        if value is None:
            raise ValueError(f"{keyword} needs a value")
        return parse(value)

    return read


def _body(value: str) -> str:
    if value.upper() not in ("7BIT", "8BITMIME", "BINARYMIME"):
        raise ValueError("BODY needs 7BIT, 8BITMIME or BINARYMIME")
    return value.upper()


def _submitter(value: str) -> str:
    try:
        return decode_xtext(value).decode()
    except ValueError:
        raise ValueError("AUTH needs an address in xtext") from None


def _by(value: str) -> DeliverBy:
    match = _BY.fullmatch(value)
    if match is None:
        raise ValueError("BY needs seconds, a semicolon, and N or R")
    by = DeliverBy(int(match[1]), match[2] in "Rr", bool(match[3]))
    if by.returned and by.seconds <= 0:
        raise ValueError("BY needs time left for a message that is to be returned")
    return by


def _hold_until(value: str) -> int:
    try:
        if _DATE_TIME.fullmatch(value):
            return int(datetime.fromisoformat(value.upper()).timestamp())
    except (ValueError, OverflowError):  # 30 February, or a time before the year 1
        pass
    raise ValueError("HOLDUNTIL needs a date and time as of RFC 3339")


_Reader = Callable[[str | None], object]

_MAIL: Mapping[str, tuple[str, _Reader]] = {
    "SIZE": ("size", _number("SIZE", _SIZE, "a number of octets")),
    "BODY": ("body", _with_value("BODY", _body)),
    "SMTPUTF8": ("utf8", _alone("SMTPUTF8")),
    "AUTH": ("submitter", _with_value("AUTH", _submitter)),
    "RET": ("returned", _with_value("RET", parse_returned)),
    "ENVID": ("envelope_id", _with_value("ENVID", parse_envelope_id)),
    "REQUIRETLS": ("require_tls", _alone("REQUIRETLS")),
    "BY": ("deliver_by", _with_value("BY", _by)),
    "MT-PRIORITY": ("priority", _number("MT-PRIORITY", _PRIORITY, "a number from -9 to 9")),
    "HOLDFOR": ("hold_for", _number("HOLDFOR", _INTERVAL, "a number of seconds")),
    "HOLDUNTIL": ("hold_until", _with_value("HOLDUNTIL", _hold_until)),
}

_RCPT: Mapping[str, tuple[str, _Reader]] = {
    "NOTIFY": ("notify", _with_value("NOTIFY", parse_notify)),
    "ORCPT": ("original", _with_value("ORCPT", parse_original_recipient)),
}
