"""What an application gives to its mailboxes: every form that has one meaning is taken, all else refused."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from datetime import datetime
from email.message import Message
from typing import Any

from mailproto._arguments import wrong_type, wrong_value
from mailproto.backends._flags import kept_flags
from mailproto.backends._names import check_name
from mailproto.content import Content
from mailproto.errors import MailError
from mailproto.model import SYSTEM_FLAGS, canonical_mailbox_name

__all__ = ["given_content", "given_date", "given_flags", "given_name", "given_uid_validity", "given_zone"]

_BARE_LF = re.compile(rb"(?<!\r)\n")
_KNOWN = frozenset(flag.casefold() for flag in SYSTEM_FLAGS)
_LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z, the last that IMAP can write


def given_content(content: Any) -> bytes:
    """A message's octets with CRLF line ends.

    :raises TypeError: ``content`` is neither octets nor a `Content` nor a message of the email package.
    """
    if isinstance(content, Message):
        octets = content.as_bytes(policy=content.policy.clone(linesep="\r\n", mangle_from_=False))
    elif isinstance(content, bytes | bytearray | memoryview | Content):
        octets = bytes(content)
    else:
        hint = "write text.encode()" if isinstance(content, str) else ""
        raise wrong_type("content", content, "bytes, a Content or an EmailMessage", hint)
    return _BARE_LF.sub(b"\r\n", octets)


def given_flags(flags: Any) -> frozenset[str]:
    """The flags to be stored.

    :raises TypeError: ``flags`` is one string, or not a collection of strings.
    :raises ValueError: one of them is neither a system flag nor a keyword.
    """
    if isinstance(flags, str) or not isinstance(flags, Iterable):
        hint = f"write {{{flags!r}}}" if isinstance(flags, str) else ""
        raise wrong_type("flags", flags, r"a set such as {'\\Seen', 'work'}", hint)
    found = list(flags)
    for flag in found:
        if not isinstance(flag, str):
            raise wrong_type("each of flags", flag, r"a str such as '\\Seen'")
        if flag.startswith("\\") and flag.casefold() not in _KNOWN:
            takes = f"one of {' '.join(SYSTEM_FLAGS)}, or a keyword, which has no backslash"
            raise wrong_value("each of flags", flag, takes)
    try:
        return kept_flags(found)
    except (ValueError, MailError) as error:
        raise wrong_value("flags", found, "flags that can be stored", str(error)) from None


def given_date(date: Any) -> int | None:
    """Seconds since the epoch; None stays None.

    :raises TypeError: ``date`` is neither a number nor a ``datetime``.
    :raises ValueError: the ``datetime`` has no time zone, or the time is after the year 9999.
    """
    if isinstance(date, datetime):
        if date.utcoffset() is None:
            hint = "write date.replace(tzinfo=timezone.utc)"
            raise wrong_value("internal_date", date, "a datetime with a time zone", hint)
        date = date.timestamp()
    if date is None:
        return None
    if isinstance(date, bool) or not isinstance(date, int | float):
        takes = "seconds since the epoch, or a datetime with a time zone"
        raise wrong_type("internal_date", date, takes)
    if not abs(date) <= _LAST_SECOND:
        raise wrong_value("internal_date", date, "seconds since the epoch, before the year 10000")
    return int(date // 1)


def given_zone(date: Any) -> int:
    """The zone of what `given_date` takes, in minutes east of UTC."""
    offset = date.utcoffset() if isinstance(date, datetime) else None
    return 0 if offset is None else round(offset.total_seconds() / 60)


def given_name(name: Any) -> str:
    """The canonical spelling of a mailbox's name.

    :raises TypeError: it is not a string.
    :raises InvalidMailboxName: no mailbox can have that name.
    """
    if not isinstance(name, str):
        raise wrong_type("name", name, "a str")
    canonical = canonical_mailbox_name(name)
    check_name(canonical)
    return canonical


def given_uid_validity(uid_validity: Any) -> int:
    """A valid UIDVALIDITY; None means the present time.

    :raises TypeError, ValueError: it is not a number from 1 to 2**32 - 1.
    """
    if uid_validity is None:
        return int(time.time())
    if isinstance(uid_validity, bool) or not isinstance(uid_validity, int):
        raise wrong_type("uid_validity", uid_validity, _UID_VALIDITY)
    if not 0 < uid_validity < 1 << 32:
        raise wrong_value("uid_validity", uid_validity, _UID_VALIDITY)
    return uid_validity


_UID_VALIDITY = "a whole number from 1 to 2**32 - 1, or None"
