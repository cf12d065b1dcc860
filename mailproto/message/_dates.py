"""Dates in Date fields: RFC 5322 3.3, its obsolete forms, and invalid forms that occur."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone

from mailproto.message._fields import unfold
from mailproto.message._tokens import without_comments

__all__ = ["date_text", "parse_date", "seconds_and_day", "sent_date"]

_DAY_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name.lower().encode(): number for number, name in enumerate(_MONTH_NAMES, start=1)}
_ZONES = {
    b"ut": 0, b"utc": 0, b"gmt": 0, b"z": 0, b"wet": 0, b"bst": 60, b"cet": 60, b"met": 60, b"cest": 120,
    b"eet": 120, b"eest": 180, b"msk": 180, b"ist": 330, b"jst": 540, b"kst": 540, b"est": -300,
    b"edt": -240, b"cst": -360, b"cdt": -300, b"mst": -420, b"mdt": -360, b"pst": -480, b"pdt": -420,
}  # fmt: skip

_MONTH = rb"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_day_first = re.compile(
    rb"\b([0-9]{1,2})(?:st|nd|rd|th)?[ \t.,/-]{0,4}%b[ \t.,/-]{0,4}([0-9]{2,4})(?![0-9:])" % _MONTH
)
_month_first = re.compile(rb"\b%b[ \t.-]{1,4}([0-9]{1,2})(?:st|nd|rd|th)?\b(?![:])" % _MONTH)
_year = re.compile(rb"(?<![0-9:+-])([0-9]{4})(?![0-9:])")
_iso = re.compile(rb"(?<![0-9])([0-9]{4})[/-]([0-9]{1,2})[/-]([0-9]{1,2})(?![0-9])")
_time = re.compile(
    rb"(?<![0-9])([0-9]{1,2})[ \t]?[:.][ \t]?([0-9]{1,2})(?:[ \t]?[:.][ \t]?([0-9]{1,2}))?(?:[.,][0-9]+)?"
    rb"[ \t]{0,4}(am|pm)?"
)
_offset = re.compile(rb"[ \t]{0,8}(?:gmt|utc?)?[ \t]{0,2}([+-])[ \t]?([0-9]{1,2}):?([0-9]{2})(?![0-9])").match
_zone = re.compile(rb"[ \t]{0,8}([a-z]{1,5})\b").match

# The form that RFC 5322 asks for; years from 1900 on, so that no zone moves a date out of the calendar.
_usual = re.compile(
    rb"(?:[A-Za-z]{3},? )?([0-9]{1,2}) ([A-Z][a-z][a-z]) ((?:19|20)[0-9]{2})"
    rb" ([01][0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))? ([+-])"
    rb"([01][0-9]|2[0-3])([0-5][0-9])(?: \([A-Z]*\))?"
).fullmatch

_LONGEST = 128

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = _EPOCH.toordinal()


def parse_date(value: bytes) -> datetime | None:
    """Parse a Date field, with its time zone; None if there is no date in it.

    A time that is not valid counts as 00:00:00, and a zone that is not valid as UTC (RFC 5256 2.2).
    """
    text = without_comments(unfold(value[: 8 * _LONGEST]))[:_LONGEST].lower()
    date = _date(text)
    if date is None:
        return None
    year, month, day, rest = date
    hour = minute = second = 0
    zone = UTC
    time = _time.search(rest)
    if time is not None:
        hour, minute, second = int(time[1]), int(time[2]), min(int(time[3] or 0), 59)
        if time[4] is not None:
            hour = hour % 12 + (12 if time[4] == b"pm" else 0)
        if hour > 23 or minute > 59:
            hour = minute = second = 0
        zone = _read_zone(rest, time.end())
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=zone)
    except ValueError:
        return None


def seconds_and_day(value: bytes) -> tuple[int | None, int | None]:
    """`parse_date` in seconds since the epoch, and its day in its own zone."""
    if match := _usual(value):
        day, name, year, hour, minute, second, sign, zone_hours, zone_minutes = match.groups()
        month = _MONTHS.get(name.lower())
        if month is not None:
            try:
                ordinal = date(int(year), month, int(day)).toordinal()
            except ValueError:
                return None, None
            zone = int(zone_hours) * 60 + int(zone_minutes)
            minutes = int(hour) * 60 + int(minute) - (-zone if sign == b"-" else zone)
            return ((ordinal - _EPOCH_DAY) * 1440 + minutes) * 60 + int(second or 0), ordinal
    parsed = parse_date(value)
    if parsed is None:
        return None, None
    return int((parsed - _EPOCH).total_seconds()), parsed.date().toordinal()


def date_text(date: datetime) -> str:
    """Write a Date field (RFC 5322 3.3); a date without a zone is taken as UTC, and shown as ``-0000``."""
    offset = date.utcoffset()
    minutes = int(offset.total_seconds()) // 60 if offset is not None else 0
    sign = "-" if minutes < 0 or offset is None else "+"
    hours, minutes = divmod(abs(minutes), 60)
    return (
        f"{_DAY_NAMES[date.weekday()]}, {date.day} {_MONTH_NAMES[date.month - 1]} {date.year:04} "
        f"{date.hour:02}:{date.minute:02}:{date.second:02} {sign}{hours:02}{minutes:02}"
    )


def sent_date(value: bytes | None, arrival: datetime) -> datetime:
    """The sent date for the order of SORT and THREAD (RFC 5256 2.2), in UTC.

    :param value: the value of the Date field; None if there is none.
    :param arrival: INTERNALDATE, which is used if the date is missing or not valid.
    """
    date = parse_date(value) if value is not None else None
    try:
        return (date or arrival).astimezone(UTC)
    except OverflowError:  # the zone moves it before the year 1 or after 9999
        return arrival.astimezone(UTC)


def _date(text: bytes) -> tuple[int, int, int, bytes] | None:
    """Find year, month and day; return them, and the text without them."""
    if match := _day_first.search(text):
        return (
            _full_year(match[3]),
            _MONTHS[match[2]],
            int(match[1]),
            text[match.end() :] or text[: match.start()],
        )
    if match := _iso.search(text):
        return int(match[1]), int(match[2]), int(match[3]), text[match.end() :]
    if match := _month_first.search(text):  # asctime, and most dates that people type
        rest = text[match.end() :]
        if year := _year.search(rest):
            return int(year[1]), _MONTHS[match[1]], int(match[2]), rest[: year.start()] + rest[year.end() :]
    return None


def _full_year(digits: bytes) -> int:
    """The year for two, three or four digits (RFC 5322 4.3)."""
    year = int(digits)
    if len(digits) == 2:
        return year + (2000 if year < 50 else 1900)
    return year + 1900 if len(digits) == 3 else year


def _read_zone(text: bytes, at: int) -> timezone:
    if match := _offset(text, at):
        minutes = int(match[2]) * 60 + int(match[3])
        if int(match[3]) < 60 and minutes < 24 * 60:
            return timezone(timedelta(minutes=-minutes if match[1] == b"-" else minutes))
    elif match := _zone(text, at):
        return timezone(timedelta(minutes=_ZONES.get(match[1], 0)))
    return UTC
