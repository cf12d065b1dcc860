"""What an application gives to its mailboxes: every form that has one meaning is taken, all else refused."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from datetime import datetime
from email.message import Message
from typing import Any

from mailproto.backends._flags import kept_flags
from mailproto.backends._names import check_name
from mailproto.content import Content
from mailproto.errors import MailError
from mailproto.model import SYSTEM_FLAGS, canonical_mailbox_name

__all__ = ["given_content", "given_date", "given_flags", "given_name", "given_uid_validity"]

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
        hint = ": write text.encode()" if isinstance(content, str) else ""
        raise TypeError(f"content: bytes, a Content or an EmailMessage, not {_shown(content)}{hint}")
    return _BARE_LF.sub(b"\r\n", octets)


def given_flags(flags: Any) -> frozenset[str]:
    """The flags to be stored.

    :raises TypeError: ``flags`` is one string, or not a collection of strings.
    :raises ValueError: one of them is neither a system flag nor a keyword.
    """
    if isinstance(flags, str) or not isinstance(flags, Iterable):
        what = (
            f"{{{flags!r}}}, not the string {flags!r}" if isinstance(flags, str) else f"not {_shown(flags)}"
        )
        raise TypeError(f"flags: a set of strings, such as {what}")
    found = list(flags)
    for flag in found:
        if not isinstance(flag, str):
            raise TypeError(f"flags: strings, not {_shown(flag)}")
        if flag.startswith("\\") and flag.casefold() not in _KNOWN:
            raise ValueError(
                f"flags: {flag!r} is none of {' '.join(SYSTEM_FLAGS)}; a keyword has no backslash"
            )
    try:
        return kept_flags(found)
    except (ValueError, MailError) as error:
        raise ValueError(f"flags: {error}") from None


def given_date(date: Any) -> int | None:
    """Seconds since the epoch; None stays None.

    :raises TypeError: ``date`` is neither a number nor a ``datetime``.
    :raises ValueError: the ``datetime`` has no time zone, or the time is after the year 9999.
    """
    if isinstance(date, datetime):
        if date.utcoffset() is None:
            raise ValueError(
                f"internal_date: a datetime with a time zone, not {date!r}: add tzinfo=timezone.utc"
            )
        date = date.timestamp()
    if date is None:
        return None
    if isinstance(date, bool) or not isinstance(date, int | float):
        raise TypeError(
            f"internal_date: seconds since the epoch, or a datetime with a time zone, not {_shown(date)}"
        )
    if not abs(date) <= _LAST_SECOND:
        raise ValueError(
            f"internal_date: seconds since the epoch, not {date!r}, which is after the year 9999"
        )
    return int(date // 1)


def given_name(name: Any) -> str:
    """The canonical spelling of a mailbox's name.

    :raises TypeError: it is not a string.
    :raises InvalidMailboxName: no mailbox can have that name.
    """
    if not isinstance(name, str):
        raise TypeError(f"name: a string, not {_shown(name)}")
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
        raise TypeError(f"uid_validity: a number from 1 to 2**32 - 1, not {_shown(uid_validity)}")
    if not 0 < uid_validity < 1 << 32:
        raise ValueError(f"uid_validity: a number from 1 to 2**32 - 1, not {uid_validity}")
    return uid_validity


def _shown(value: object) -> str:
    """The type of a value, and its beginning."""
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"
