"""The email package's messages as octets: what every server takes, if they can be that."""

from __future__ import annotations

import copy
import io
import socket
from collections.abc import Iterator
from email.generator import BytesGenerator
from email.message import Message
from email.policy import EmailPolicy
from email.utils import formatdate, make_msgid
from typing import Any, TypeAlias, cast

from mailproto.model import Address
from mailproto.smtp.client._address_field import AddressField
from mailproto.smtp.client._folding import ASCII, UTF8, can_stay
from mailproto.smtp.client._seven_bits import to_seven_bits
from mailproto.smtp.wire import UnsafeArgument, ascii_domain

__all__ = ["flatten", "header_values"]

_Message: TypeAlias = "Message[Any, Any]"

_ADDRESS_FIELDS = frozenset(
    prefix + name for prefix in ("", "resent-") for name in ("from", "sender", "reply-to", "to", "cc", "bcc")
)


def header_values(message: _Message) -> Iterator[tuple[bytes, bytes]]:
    """(name in lower case, value) of each field that says who it is from and to, or that it is sent again."""
    for name, value in message.raw_items():
        if (lower := name.lower()) in _ADDRESS_FIELDS or lower == "resent-date":
            yield lower.encode("utf-8", "surrogateescape"), _octets(value)


def flatten(message: _Message, sender: Address, seconds: float) -> bytes:
    """Without Bcc, with Date and Message-ID.

    The header is in ASCII, with A-labels, unless an address in it or the sender's local part
    can only be written in UTF-8; then it all is.  The body is in ASCII, but for what a
    signature covers.

    :raises ValueError: the email package does not know how to.
    """
    try:
        message = _copied(message)  # nothing of the caller's is changed
        _complete(message, sender, seconds)
        policy = _write_addresses(message, sender)
        to_seven_bits(message)
        octets = io.BytesIO()
        BytesGenerator(octets, mangle_from_=False, policy=policy).flatten(message)
        return octets.getvalue()
    except ValueError:
        raise
    except Exception as error:  # it raises what it likes on what it does not expect
        raise ValueError(f"a message that cannot be written: {error!r}") from error


def _copied(message: _Message) -> _Message:
    """With fields and parts of its own; what they are is immutable, and slow to copy."""
    copied = copy.copy(message)
    del copied["\0"]  # which makes a new list of the fields, though there is no such one
    if message.is_multipart():
        copied.set_payload([_copied(part) for part in cast("list[_Message]", message.get_payload())])
    return copied


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


def _write_addresses(message: _Message, sender: Address) -> EmailPolicy:
    """Have no address encoded by the email package, which breaks those that are not ASCII.

    :returns: what the header must be written with.
    """
    items = list(message.raw_items())
    fields: dict[int, AddressField] = {}
    for index, (name, value) in enumerate(items):
        if name.lower() in _ADDRESS_FIELDS and not can_stay(name, value):
            try:
                fields[index] = AddressField(_octets(value))
            except ValueError:
                continue  # not addresses: there is nothing that could be broken
    is_ascii = sender.local.isascii() and not any(field.needs_utf8 for field in fields.values())
    if is_ascii:
        try:
            rendered = {index: field.render(utf8=False) for index, field in fields.items()}
        except UnsafeArgument:  # a domain that has no A-labels
            is_ascii = False
    if not is_ascii:
        rendered = {index: field.render(utf8=True) for index, field in fields.items()}
    for name, _ in items:
        del message[name]
    for index, (name, value) in enumerate(items):
        message.set_raw(name, rendered.get(index, value))
    return ASCII if is_ascii else UTF8


def _octets(value: Any) -> bytes:
    return str(value).encode("utf-8", "surrogateescape")
