"""Dates as clients write them (RFC 9051 9: date, date-time)."""

from __future__ import annotations

import datetime
import re

from mailproto.imap.wire._arguments import ArgumentReader
from mailproto.imap.wire._errors import IMAPWireError

__all__ = ["date", "date_time", "zoned_date_time"]

_DATE = re.compile(rb'("?+)([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})\1')
_DATE_TIME = re.compile(
    rb'"( ?[0-9]{1,2})-([A-Za-z]{3})-([0-9]{4}) '
    rb"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60) "
    rb'([+-])([0-9]{2})([0-5][0-9])"'
)
_MONTHS = {
    name: number
    for number, name in enumerate(
        b"JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(),
        start=1,
    )
}
_EPOCH = datetime.date(1970, 1, 1).toordinal()


def date(arguments: ArgumentReader) -> datetime.date:
    """A day, quoted or not: ``1-Feb-1994``."""
    match = arguments.expect(_DATE, "a date")
    return _day(match[2], match[3], match[4])


def date_time(arguments: ArgumentReader) -> int:
    """``"17-Jul-1996 02:44:25 -0700"`` as seconds since the epoch."""
    return zoned_date_time(arguments)[0]


def zoned_date_time(arguments: ArgumentReader) -> tuple[int, int]:
    """As `date_time`, and the zone in minutes east of UTC."""
    day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = arguments.expect(
        _DATE_TIME, "a date and time"
    ).groups()
    zone = int(zone_hours) * 60 + int(zone_minutes)
    if sign == b"-":
        zone = -zone
    seconds = (_day(day, month, year).toordinal() - _EPOCH) * 86_400
    seconds += int(hour) * 3600 + int(minute) * 60 + int(second)
    return seconds - 60 * zone, zone


def _day(day: bytes, month: bytes, year: bytes) -> datetime.date:
    try:
        return datetime.date(int(year), _MONTHS[month.upper()], int(day))
    except (KeyError, ValueError):
        raise IMAPWireError("No such day") from None
