"""The email package's messages as octets: what every server takes, if they can be that."""

from __future__ import annotations

import copy
import io
import socket
from collections.abc import Iterable, Iterator
from email.message import Message
from email.utils import formatdate, make_msgid
from typing import Any, TypeAlias, cast

from mailproto.model import Address
from mailproto.smtp.client._boundaries import give_boundaries
from mailproto.smtp.client._header import (
    NeedsUTF8,
    field_text,
    is_address_field,
    is_parsed,
    read_text,
    write_fields,
)
from mailproto.smtp.client._serialising import serialise
from mailproto.smtp.client._seven_bits import to_seven_bits
from mailproto.smtp.wire import UnsafeArgument, ascii_domain

__all__ = ["copied", "flatten", "header_values"]

_Message: TypeAlias = "Message[Any, Any]"


def header_values(message: _Message) -> Iterator[tuple[bytes, bytes]]:
    """(name in lower case, value) of each field that says who it is from and to, or that it is sent again."""
    for name, value in message.raw_items():
        if is_address_field(name) or name.lower() == "resent-date":
            yield name.lower().encode(), read_text(value)


def flatten(message: _Message, sender: Address, seconds: float) -> bytes:
    """Without Bcc, with Date and Message-ID.

    The header is in ASCII, with A-labels, unless an address in it or the sender's local part
    can only be written in UTF-8; then it all is.  The body is in ASCII, but for what a
    signature covers.

    :raises ValueError: the email package does not know how to.
    """
    try:
        message = copied(message)  # nothing of the caller's is changed
        _complete(message, sender, seconds)
        give_boundaries(message)
        to_seven_bits(message)
        utf8 = _write_header(message, sender)
        octets = io.BytesIO()  # which, unlike join(), copies a piece at a time
        octets.writelines(serialise(message, utf8=utf8))
        return octets.getvalue()
    except ValueError:
        raise
    except Exception as error:  # it raises what it likes on what it does not expect
        raise ValueError(f"a message that cannot be written: {error!r}") from error


def copied(message: _Message) -> _Message:
    """With fields and parts of its own; what they are is immutable, and slow to copy."""
    result = copy.copy(message)
    _set_fields(result, [(name, _in_one_form(value)) for name, value in message.raw_items()])
    if message.is_multipart():
        result.set_payload([copied(part) for part in cast("list[_Message]", message.get_payload())])
    return result


def _in_one_form(value: Any) -> Any:
    """Text that is not ASCII as text, or as octets; the email package stumbles over what is both."""
    if not isinstance(value, str) or is_parsed(value) or value.isascii():
        return value
    octets = field_text(value)
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("ascii", "surrogateescape")


def _set_fields(message: _Message, fields: list[tuple[str, Any]]) -> None:
    """All at once: to delete one by name takes as long as there are others."""
    message._headers = fields  # type: ignore[attr-defined]


def _complete(message: _Message, sender: Address, seconds: float) -> None:
    del message["Bcc"], message["Resent-Bcc"]
    if "Date" not in message:
        message.set_raw("Date", formatdate(seconds))
    if "Message-ID" not in message:
        message.set_raw("Message-ID", make_msgid(domain=_id_right(sender)))


def _id_right(sender: Address) -> str:
    """A domain for a Message-ID: there must be one (RFC 5322 3.6.4), and looking one up takes time."""
    try:
        domain = ascii_domain(sender.domain)
    except UnsafeArgument:
        domain = ""
    return domain or socket.gethostname() or "localhost"


def _write_header(message: _Message, sender: Address) -> bool:
    """Have the fields be as they are sent.

    :returns: whether in UTF-8.
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
    """As the email package keeps what it has read."""
    name, _, value = field.removesuffix(b"\r\n").decode("utf-8", "surrogateescape").partition(":")
    return name, value.removeprefix(" ")
