"""The email package's messages as octets, in a form for every server if possible.

The email package's generator is not used: it copies the whole message for each level of parts,
expects payloads of certain types, and leaves the header to policies.
"""

from __future__ import annotations

import copy
import io
import re
import secrets
import socket
from collections.abc import Iterable, Iterator
from email.message import Message
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from typing import Any, TypeAlias, cast

from mailproto.model import Address
from mailproto.smtp.client._composing._bodies import content_type, to_seven_bits
from mailproto.smtp.client._header import (
    NeedsUTF8,
    field_text,
    is_address_field,
    is_parsed,
    read_text,
    write_fields,
)
from mailproto.smtp.wire import LineEnds, UnsafeArgument, ascii_domain

__all__ = ["copied", "flatten", "header_values"]

_Message: TypeAlias = "Message[Any, Any]"


def header_values(message: _Message) -> Iterator[tuple[bytes, bytes]]:
    """(name in lower case, value) of each field of addresses and each Resent- field."""
    for name, value in message.raw_items():
        if is_address_field(name) or name.lower() == "resent-date":
            yield name.lower().encode(), read_text(value)


def flatten(message: _Message, sender: Address, now: float) -> bytes:
    """Write a message without Bcc, and with Date and Message-ID.

    The header is in ASCII, with A-labels.  It is in UTF-8 only if an address in it or the sender's
    local part needs that.  The body is in ASCII, except signed parts.

    :raises ValueError: the message cannot be written.
    """
    try:
        message = copied(message)  # the caller's message is not changed
        _complete(message, sender, now)
        give_boundaries(message)
        to_seven_bits(message)
        utf8 = _write_header(message, sender)
        octets = io.BytesIO()  # unlike join(), it copies a piece at a time
        octets.writelines(serialise(message, utf8=utf8))
        return octets.getvalue()
    except ValueError:
        raise
    except Exception as error:  # the email package raises anything for an unexpected payload
        raise ValueError(f"a message that cannot be written: {error!r}") from error


def copied(message: _Message) -> _Message:
    """A copy with its own lists of fields and parts; the values are immutable, and are shared."""
    result = copy.copy(message)
    _set_fields(result, [(name, _in_one_form(value)) for name, value in message.raw_items()])
    if message.is_multipart():
        result.set_payload([copied(part) for part in cast("list[_Message]", message.get_payload())])
    return result


def _in_one_form(value: Any) -> Any:
    """A value as text or as octets: the email package fails if both are mixed."""
    if not isinstance(value, str) or is_parsed(value) or value.isascii():
        return value
    octets = field_text(value)
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("ascii", "surrogateescape")


def _set_fields(message: _Message, fields: list[tuple[str, Any]]) -> None:
    """Replace all fields at once: deleting one by name takes time for each of the others."""
    message._headers = fields  # type: ignore[attr-defined]


def _complete(message: _Message, sender: Address, now: float) -> None:
    del message["Bcc"], message["Resent-Bcc"]
    if "Date" not in message:
        message.set_raw("Date", formatdate(now))
    if "Message-ID" not in message:
        message.set_raw("Message-ID", make_msgid(domain=_id_right(sender)))


def _id_right(sender: Address) -> str:
    """A domain for a Message-ID (RFC 5322 3.6.4), found without a slow look-up."""
    try:
        domain = ascii_domain(sender.domain)
    except UnsafeArgument:
        domain = ""
    return domain or socket.gethostname() or "localhost"


def _write_header(message: _Message, sender: Address) -> bool:
    """Replace the fields by the form in which they are sent.

    :returns: whether that is UTF-8.
    """
    items = list(message.raw_items())
    utf8 = not sender.local.isascii()
    try:
        fields = _written(items, utf8=utf8)
    except NeedsUTF8:
        utf8 = True
        fields = _written(items, utf8=True)
    _set_fields(message, list(map(_raw, fields)))
    return utf8


def _written(items: Iterable[tuple[str, Any]], *, utf8: bool) -> list[bytes]:
    return [field for name, value in items for field in write_fields(name, value, utf8=utf8)]


def _raw(field: bytes) -> tuple[str, str]:
    """A field as the email package keeps fields that it has read."""
    name, _, value = field.removesuffix(b"\r\n").decode("utf-8", "surrogateescape").partition(":")
    return name, value.removeprefix(" ")


# -- boundaries of multiparts (RFC 2046 5.1.1)

_LENGTH_MAX = 200
"""The most characters of a boundary: RFC 2046 allows 70, but a line has room for more."""


def give_boundaries(part: Message[Any, Any], *, signed: bool = False) -> None:
    """Give a boundary to each multipart without one, or with one that cannot be sent.

    :param signed: whether a signature covers the part, so that it must not change (RFC 1847 2.1).
    """
    payload = part.get_payload()
    if isinstance(payload, str):
        return
    if content_type(part).startswith("multipart/"):
        boundary = part.get_boundary("")
        if not boundary or not (signed or _is_sendable(boundary)):
            part.set_boundary(f"==============={secrets.token_hex(16)}==")
    if part.is_multipart():
        for inner in cast("list[Message[Any, Any]]", payload):
            give_boundaries(inner, signed=signed or content_type(part) == "multipart/signed")


def _is_sendable(boundary: str) -> bool:
    return boundary.isascii() and boundary.isprintable() and len(boundary) <= _LENGTH_MAX


# -- octets, in pieces

_Part: TypeAlias = "Message[Any, Any]"

_CHUNK = 1 << 16
"""Characters that are handled at a time, so that other threads have their turn."""

_NEWLINE = re.compile(rb"\r\n|\r|\n")
_ON_ONE_LINE = SMTP.clone(max_line_length=0)


def serialise(part: _Part, *, utf8: bool, signed: bool = False) -> Iterator[bytes]:
    """Write header and body; multiparts have their boundaries in Content-Type already.

    :param utf8: whether the header is in UTF-8.
    :param signed: whether a signature covers the part, so that it must not change (RFC 1847 2.1).
    :raises ValueError: the part cannot be written.
    """
    for name, value in part.raw_items():
        yield from _signed_field(name, value) if signed else _fields(name, value, utf8)
    yield b"\r\n"
    kind = content_type(part)
    signed = signed or kind == "multipart/signed"
    payload = getattr(part, "_payload", None)
    if isinstance(payload, Message):
        payload = [payload]
    if isinstance(payload, str):
        yield from _lines(payload)
    elif payload is None and kind.startswith("multipart/"):
        yield from _multipart(part, [], utf8, signed)
    elif isinstance(payload, list):
        inner = [serialise(each, utf8=utf8, signed=signed) for each in payload]
        if kind.startswith("multipart/"):
            yield from _multipart(part, inner, utf8, signed)
        elif kind == "message/delivery-status":
            # A delivery status: groups of fields, with an empty line between them (RFC 3464 2.1).
            yield b"\r\n".join([b"".join(block).removesuffix(b"\r\n") for block in inner])
        else:
            for each in inner:
                yield from each
    elif payload is not None:
        raise ValueError(f"the payload of a part is not text: {type(payload).__name__}")


def _multipart(part: _Part, inner: list[Iterator[bytes]], utf8: bool, signed: bool) -> Iterator[bytes]:
    boundary = str(part.get_boundary()).encode("utf-8", "surrogateescape")
    if part.preamble is not None:
        yield from _lines(part.preamble)
        yield b"\r\n"
    if not inner:
        yield b"--%b\r\n" % boundary
    for index, each in enumerate(inner):
        yield b"\r\n--%b\r\n" % boundary if index else b"--%b\r\n" % boundary
        yield from each
    yield b"\r\n--%b--\r\n" % boundary
    if part.epilogue is not None:
        yield from _lines(part.epilogue)


def _lines(text: str) -> Iterator[bytes]:
    """Lines with CRLF; the last line has an end only if it had one."""
    ends = LineEnds()
    for start in range(0, len(text), _CHUNK):
        yield ends.encode(text[start : start + _CHUNK].encode("utf-8", "surrogateescape"))
    if text.endswith("\r"):
        yield b"\r\n"


def _fields(name: str, value: Any, utf8: bool) -> list[bytes]:
    try:
        return write_fields(name, value, utf8=utf8)
    except NeedsUTF8:  # in a part's header, which belongs to the message's body
        return write_fields(name, value, utf8=True)


def _signed_field(name: str, value: Any) -> Iterator[bytes]:
    """A field as it was read; or, if it was set, as the program that signed the message wrote it."""
    if is_parsed(value):
        field: str = value.fold(policy=_ON_ONE_LINE)
        yield field.encode("utf-8", "surrogateescape")
        return
    lines = _NEWLINE.split(field_text(value))
    if any(line[:1] not in (b" ", b"\t") for line in lines[1:]):
        raise ValueError(f"a line in the field {name} would begin another field")
    yield b"%b: %b\r\n" % (name.encode(), b"\r\n".join(lines))
