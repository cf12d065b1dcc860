"""An application's message made ready to be sent: octets, and who it is from and to."""

from __future__ import annotations

import copy
import email.policy
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email.generator import BytesGenerator
from email.message import Message
from email.utils import formatdate, make_msgid
from typing import Any

from mailproto.message import header_fields, parse_addresses
from mailproto.model import Address
from mailproto.smtp.client._message import to_address
from mailproto.smtp.wire import LineEnds

__all__ = ["Composed", "compose"]

_BCC = (b"bcc", b"resent-bcc")


@dataclass(frozen=True, slots=True)
class Composed:
    """What `compose` makes."""

    sender: Address
    recipients: tuple[Address, ...]
    content: bytes


def compose(
    message: str | bytes | Message[Any, Any],
    sender: Address | str | None,
    recipients: Sequence[Address | str] | Address | str | None,
    seconds: float,
) -> Composed:
    """Make octets, without Bcc.

    Addresses that are not given are those of the header: Sender or From, To, Cc and Bcc; of a
    message that is sent again, their Resent- counterparts (RFC 5322 3.6.6).

    :param message: str and bytes have a header and a body; line ends may be any.
    :param recipients: duplicates are dropped.
    :param seconds: since the epoch, for a Date that lacks.
    :raises ValueError: no sender or recipient, or one that is no address.
    """
    if isinstance(message, Message):
        fields = [(name.lower().encode(), str(value).encode()) for name, value in message.items()]
        sender, chosen = _choose(fields, sender, recipients)
        return Composed(sender, chosen, _flatten(message, sender, chosen, seconds))
    ends = LineEnds()
    content = ends.encode(message.encode() if isinstance(message, str) else message) + ends.finish()
    found = list(header_fields(content))
    sender, chosen = _choose([(field.name.lower(), field.value) for field in found], sender, recipients)
    for field in reversed(found):
        if field.name.lower() in _BCC:
            content = content[: field.start] + content[field.stop :]
    return Composed(sender, chosen, content)


def _choose(
    fields: Sequence[tuple[bytes, bytes]],
    sender: Address | str | None,
    recipients: Sequence[Address | str] | Address | str | None,
) -> tuple[Address, tuple[Address, ...]]:
    """Who it is from and to."""
    dates = sum(name == b"resent-date" for name, _ in fields)
    if dates > 1 and (sender is None or recipients is None):
        raise ValueError("a message that was sent again more than once: say who it is from and to")
    prefix = b"resent-" if dates else b""

    def named(*names: bytes) -> list[Address]:
        return [
            address
            for wanted in names
            for name, value in fields
            if name == prefix + wanted
            for address in _addresses(value)
        ]

    if sender is None:
        sender = next(iter(named(b"sender", b"from")), None)
        if sender is None:
            raise ValueError("nobody to send from")
    if recipients is None:
        recipients = named(b"to", b"cc", b"bcc")
    elif isinstance(recipients, str | Address):
        recipients = [recipients]
    chosen = tuple(dict.fromkeys(map(to_address, recipients)))
    if not chosen:
        raise ValueError("nobody to send to")
    return to_address(sender), chosen


def _addresses(value: bytes) -> Iterable[Address]:
    for mailbox in parse_addresses(value):
        if mailbox.local is not None and mailbox.host is not None:
            address = Address(mailbox.local.decode(), mailbox.host.decode())
            yield to_address(str(address))  # by the stricter grammar of SMTP


def _flatten(
    message: Message[Any, Any], sender: Address, recipients: Sequence[Address], seconds: float
) -> bytes:
    """As octets that every server takes: 7bit, unless an address needs SMTPUTF8 anyway."""
    message = copy.copy(message)
    for name in _BCC:
        del message[name.decode()]
    if "Date" not in message:
        message["Date"] = formatdate(seconds)
    if "Message-ID" not in message:
        message["Message-ID"] = make_msgid(domain=sender.domain if sender.domain.isascii() else None)
    is_ascii = all(str(address).isascii() for address in (sender, *recipients))
    policy = email.policy.SMTP.clone(cte_type="7bit") if is_ascii else email.policy.SMTPUTF8
    octets = io.BytesIO()
    BytesGenerator(octets, mangle_from_=False, policy=policy).flatten(message)  # type: ignore[arg-type]
    return octets.getvalue()
