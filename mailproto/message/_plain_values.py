"""Header values of plain headers, which most are: any of them alone, in a microsecond or ten.

What is made of one field is remembered, because the same names, addresses and subjects come again and again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from hashlib import blake2b
from typing import Any

from mailproto.message._addresses import parse_addresses
from mailproto.message._casemap import casemap, searched_text
from mailproto.message._dates import seconds_and_day
from mailproto.message._encoded_words import decode_header
from mailproto.message._fields import Fields
from mailproto.message._ids import message_id, references
from mailproto.message._search import address_texts, lines, with_single_blanks
from mailproto.message._thread import base_subject_and_reply, shown_name, sorted_name

__all__ = ["PLAIN_HEADER", "SHOWN", "ancestors_hash", "field_names", "id_hash", "plain_values"]

PLAIN_HEADER = 1 << 14
"""The most octets of a plain header."""

PLAIN_FIELD = 1 << 10
"""The most octets of its fields for SEARCH and SORT; a larger one may take some milliseconds."""

REMEMBERED = 1 << 11
"""How many fields are remembered."""

REMEMBERED_FIELD = 1 << 8
"""The most octets of a field that is remembered; what is made of it has up to some KB."""

SHOWN = 1 << 12
"""The most characters of a name, an address or a subject that are compared by SORT."""

_only_an_id = re.compile(rb"<[!-;=?-~]*>").fullmatch


class NotPlain(Exception):
    """A header must be read with all care."""


def plain_values(fields: Fields, names: Sequence[str]) -> list[Any] | None:
    """Some of the values of a header; None if it is not plain.

    A plain header has `PLAIN_HEADER` octets at most, and each of the fields that are read once, in UTF-8.

    :param names: fields of `HeaderValues`.
    """
    try:
        return [_READERS[name](fields) for name in names]
    except NotPlain:
        return None


@lru_cache(100)
def field_names(names: tuple[str, ...]) -> tuple[bytes, ...]:
    """The header fields from which values are made."""
    return tuple(dict.fromkeys([field for name in names for field in _FIELDS[name]]))


def _only(fields: Fields, name: bytes) -> bytes | None:
    """The value of the one field ``name``."""
    values = fields.get(name)
    if values is None:
        return None
    [value, *others] = values
    if others or len(value) > PLAIN_FIELD or not (value.isascii() or _is_utf_8(value)):
        raise NotPlain
    return value


def _is_utf_8(value: bytes) -> bool:
    """Whether it can be decoded without knowing the charset of the message."""
    try:
        return "\N{REPLACEMENT CHARACTER}" not in value.decode()
    except UnicodeDecodeError:
        return False


def _addresses(name: bytes, fields: Fields) -> str | None:
    value = _only(fields, name)
    if value is None:
        return None
    return (_remembered_addresses if len(value) <= REMEMBERED_FIELD else _searched_addresses)(value)


def _searched_addresses(value: bytes) -> str:
    written = with_single_blanks(searched_text(decode_header(value)))
    shown = address_texts(parse_addresses(value))
    return lines([written, *[text for text in shown if text not in written]])


def _compared(place: int, name: bytes, fields: Fields) -> str:
    value = _only(fields, name)
    if value is None:
        return ""
    return (_remembered_names if len(value) <= REMEMBERED_FIELD else _names)(value)[place]


def _names(value: bytes) -> tuple[str, str]:
    """What SORT compares of the first address, and what SORT=DISPLAY compares."""
    mailboxes = parse_addresses(value)
    first = mailboxes[0] if mailboxes else None
    return casemap(sorted_name(first)[:SHOWN]), casemap(shown_name(first)[:SHOWN])


def _subject(fields: Fields) -> str | None:
    value = _only(fields, b"subject")
    return None if value is None else lines([with_single_blanks(searched_text(decode_header(value)))])


def _base_subject(fields: Fields) -> str:
    value = _only(fields, b"subject")
    return "" if value is None else casemap(base_subject_and_reply(value)[0])


def _is_reply(fields: Fields) -> bool:
    value = _only(fields, b"subject")
    return value is not None and base_subject_and_reply(value)[1]


def _message_id(fields: Fields) -> str | None:
    value = _only(fields, b"message-id")
    if value is None:
        return None
    if b"=?" in value or not _only_an_id(value):
        raise NotPlain
    return value.decode("ascii").upper()


def _date(place: int, fields: Fields) -> int | None:
    values = fields.get(b"date")
    return seconds_and_day(values[0])[place] if values else None


def id_hash(fields: Fields) -> int:
    """`HeaderValues.id`."""
    values = fields.get(b"message-id")
    own = message_id(values[-1]) if values else None
    return 0 if own is None else _hash(own)


def ancestors_hash(fields: Fields) -> bytes:
    """`HeaderValues.references`."""
    referred, answered = fields.get(b"references"), fields.get(b"in-reply-to")
    if not referred and not answered:
        return b""
    found = references(referred[-1] if referred else None, answered[-1] if answered else None)
    return b"".join([_hash(each).to_bytes(8, "big") for each in found])


def _hash(octets: bytes) -> int:
    """Never 0, and no sign in 64 bits."""
    return int.from_bytes(blake2b(octets, digest_size=8).digest(), "big") >> 1 or 1


_remembered_addresses = lru_cache(REMEMBERED)(_searched_addresses)
_remembered_names = lru_cache(REMEMBERED)(_names)

_READERS: dict[str, Callable[[Fields], Any]] = {
    "from_": partial(_addresses, b"from"),
    "to": partial(_addresses, b"to"),
    "cc": partial(_addresses, b"cc"),
    "bcc": partial(_addresses, b"bcc"),
    "subject": _subject,
    "message_id": _message_id,
    "day": partial(_date, 1),
    "sent": partial(_date, 0),
    "base_subject": _base_subject,
    "is_reply": _is_reply,
    "sort_from": partial(_compared, 0, b"from"),
    "sort_to": partial(_compared, 0, b"to"),
    "sort_cc": partial(_compared, 0, b"cc"),
    "display_from": partial(_compared, 1, b"from"),
    "display_to": partial(_compared, 1, b"to"),
    "id": id_hash,
    "references": ancestors_hash,
}

_FIELDS: dict[str, tuple[bytes, ...]] = {
    "from_": (b"from",),
    "to": (b"to",),
    "cc": (b"cc",),
    "bcc": (b"bcc",),
    "subject": (b"subject",),
    "message_id": (b"message-id",),
    "day": (b"date",),
    "sent": (b"date",),
    "base_subject": (b"subject",),
    "is_reply": (b"subject",),
    "sort_from": (b"from",),
    "sort_to": (b"to",),
    "sort_cc": (b"cc",),
    "display_from": (b"from",),
    "display_to": (b"to",),
    "id": (b"message-id",),
    "references": (b"references", b"in-reply-to"),
}
"""The fields of each value."""
