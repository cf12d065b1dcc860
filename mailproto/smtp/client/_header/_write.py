"""Writing a field of the email package as octets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from mailproto.message._unstructured import unstructured
from mailproto.message._words import LINE_MAX, Token, Unencodable, fold, is_utf8
from mailproto.smtp.client._header._addresses import address_list
from mailproto.smtp.client._header._kinds import Kind, kind_of
from mailproto.smtp.client._header._mime import mime
from mailproto.smtp.client._header._structured import structured
from mailproto.smtp.client._header._text import field_text, is_parsed

__all__ = ["write_fields"]

_NEWLINE = re.compile(rb"\r\n|\r|\n")
_NAME = re.compile(r"[!-9;-~]+")
_SENDABLE_ID = re.compile(rb"<[!-;=?-~]{1,990}>").findall


def write_fields(name: str, value: Any, *, utf8: bool, as_groups: bool = False) -> list[bytes]:
    """Write one field, CRLF included; under another name if it cannot be sent under its own.

    A field that was read, or set in its final form, keeps its octets if it can be sent as it is: it is
    ASCII where it must be, and its lines are not too long.  Any other field is written anew, by its
    syntax; text that is not ASCII becomes encoded words where they are allowed.

    :param utf8: whether the header is in UTF-8 (RFC 6532).
    :param as_groups: whether addresses that can be written in UTF-8 only may become text.
    :raises NeedsUTF8: without ``utf8``: the field can be written in UTF-8 only.
    :raises ValueError: the name is not valid, the value has a line that begins another field, or the
        field cannot be folded.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"not a header field's name: {name[:100]!r}")
    octets = name.encode()
    lines = _NEWLINE.split(field_text(value))
    if any(line[:1] not in (b" ", b"\t") for line in lines[1:]):
        raise ValueError(f"a line in the field {name} would begin another field")
    first = b"%b: %b" % (octets, lines[0]) if lines[0] else octets + b":"
    whole = b"\r\n".join([first, *lines[1:]])
    if not is_parsed(value) and _can_stay(whole, utf8):
        return [whole + b"\r\n"]
    text = b"".join(lines)
    try:
        return [fold(octets, _tokens(name, text, utf8=utf8, is_text=is_parsed(value), as_groups=as_groups))]
    except Unencodable:
        # As in RFC 6857 3.1.10: under another name, the value is text.
        downgraded = b"Downgraded-" + octets
        words = unstructured(text, utf8=utf8, is_text=False, first=_room(downgraded))
        fields = [fold(downgraded, words)]
    if kind_of(name) is Kind.IDS and (ids := _SENDABLE_ID(text)):
        fields.append(fold(octets, [(b" ", each) for each in ids]))
    return fields


def _can_stay(field: bytes, utf8: bool) -> bool:
    return (
        b"\0" not in field
        and (field.isascii() or (utf8 and is_utf8(field)))
        and (len(field) <= LINE_MAX or max(map(len, field.split(b"\r\n"))) <= LINE_MAX)
    )


def _tokens(name: str, value: bytes, *, utf8: bool, is_text: bool, as_groups: bool) -> Iterable[Token]:
    kind = kind_of(name)
    if kind is Kind.UNSTRUCTURED:
        return unstructured(value, utf8=utf8, is_text=is_text, first=_room(name.encode()))
    if kind is Kind.ADDRESSES:
        return address_list(value, utf8=utf8, as_groups=as_groups)
    if kind is Kind.MIME:
        return mime(value, utf8=utf8)
    return structured(value, kind, utf8=utf8)


def _room(name: bytes) -> int:
    """Octets left on the first line after the name."""
    return 76 - len(name) - 2
