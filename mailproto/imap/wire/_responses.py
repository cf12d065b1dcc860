"""Rendering values as octets of responses (RFC 9051 7, 9).

Values that many messages share (flag lists, days) are rendered once and cached.
"""

from __future__ import annotations

import datetime
import re
from functools import lru_cache
from typing import Final

from mailproto.imap.wire import _mutf7 as mutf7
from mailproto.imap.wire._sequence_set import format_set

__all__ = ["astring", "encode_mailbox", "flag_list", "format_set", "internal_date", "quoted_or_literal"]

_QUOTABLE = re.compile(rb"[^\x00\r\n\x80-\xff]*+")
_QUOTABLE_UTF8 = re.compile(rb"[^\x00\r\n]*+")
_ASTRING = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\]++")

_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
_DAY = 86_400
_EPOCH = datetime.date(1970, 1, 1).toordinal()
_FIRST_DAY = 1 - _EPOCH
_LAST_DAY = datetime.date.max.toordinal() - _EPOCH


def quoted_or_literal(value: bytes | str) -> bytes:
    """A ``string`` (RFC 9051 4.3): quoted if possible, else a literal.

    Text that is not ASCII becomes a literal in UTF-8.
    """
    data = value.encode("utf-8", "replace") if isinstance(value, str) else value
    if _QUOTABLE.fullmatch(data):
        return _quoted(data)
    return b"{%d}\r\n%b" % (len(data), data)


def _quoted(data: bytes) -> bytes:
    return b'"%b"' % data.replace(b"\\", rb"\\").replace(b'"', rb"\"")


def astring(value: bytes | str) -> bytes:
    """An ``astring`` (RFC 9051 9): an atom if possible, else a `quoted_or_literal`."""
    data = value.encode("utf-8", "replace") if isinstance(value, str) else value
    return data if _ASTRING.fullmatch(data) and data.upper() != b"NIL" else quoted_or_literal(data)


def encode_mailbox(name: str, *, utf8: bool = False) -> bytes:
    """A mailbox name as an ``astring``: an atom if possible, else quoted.

    :param utf8: use UTF-8 instead of modified UTF-7 (RFC 6855 3).
    """
    data = name.encode() if utf8 else mutf7.encode(name)
    if _ASTRING.fullmatch(data) and data.upper() != b"NIL":
        return data
    if _QUOTABLE_UTF8.fullmatch(data):
        return _quoted(data)
    return b"{%d}\r\n%b" % (len(data), data)


def internal_date(seconds: int, zone: int = 0) -> bytes:
    """Seconds since the epoch as ``"17-Jul-1996 02:44:25 +0000"``, quotes included.

    A time outside the years 1 to 9999 becomes the nearest time inside.

    :param zone: of the clock, in minutes east of UTC.
    """
    day, second = divmod(seconds + 60 * zone, _DAY)
    if not _FIRST_DAY <= day <= _LAST_DAY:
        day, second = (_FIRST_DAY, 0) if day < 0 else (_LAST_DAY, _DAY - 1)
    minute, second = divmod(second, 60)
    if not zone:
        return b'"%b %02d:%02d:%02d +0000"' % (_day(day), minute // 60, minute % 60, second)
    sign = b"+" if zone > 0 else b"-"
    written = (_day(day), minute // 60, minute % 60, second, sign, *divmod(abs(zone), 60))
    return b'"%b %02d:%02d:%02d %b%02d%02d"' % written


@lru_cache(maxsize=1024)
def _day(day: int) -> bytes:
    date = datetime.date.fromordinal(_EPOCH + day)
    return b"%2d-%b-%04d" % (date.day, _MONTHS[date.month - 1], date.year)


def flag_list(flags: frozenset[str], recent: bool = False) -> bytes:
    """Flags in parentheses, system flags first; with ``\\Recent`` if ``recent``."""
    return (_WITH_RECENT if recent else _FLAG_LISTS)[flags]


_FLAG_LISTS_OCTETS: Final = 1 << 19
"""What the rendered lists and their sets of flags may take, roughly; then all are forgotten."""


class _FlagLists(dict[frozenset[str], bytes]):
    """A cache.  It is limited by octets, because clients choose the names of keywords.

    :param last: flags at the end of each list.
    """

    def __init__(self, *last: str) -> None:
        self._last = last
        self._octets = 0

    def __missing__(self, flags: frozenset[str]) -> bytes:
        names = [*sorted(flags, key=lambda flag: (not flag.startswith("\\"), flag.casefold())), *self._last]
        rendered = b"(%b)" % " ".join(names).encode("ascii", "replace")
        octets = 400 + 100 * len(names) + 2 * len(rendered)
        if octets > _FLAG_LISTS_OCTETS // 10:  # perhaps the keywords of a mailbox, for FLAGS
            return rendered
        self._octets += octets
        if self._octets > _FLAG_LISTS_OCTETS:
            self.clear()
            self._octets = octets
        self[flags] = rendered
        return rendered


_FLAG_LISTS = _FlagLists()
_WITH_RECENT = _FlagLists("\\Recent")
