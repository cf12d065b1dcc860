"""An application's message made ready to be sent: octets, and who it is from and to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from email.message import Message
from typing import Any, TypeAlias

from mailproto.domains import canonical_domain
from mailproto.message import header_fields
from mailproto.model import Address, Recipient
from mailproto.smtp.client._flattening import flatten, header_values
from mailproto.smtp.client._header import addresses_of
from mailproto.smtp.client._message import to_address, to_recipient
from mailproto.smtp.wire import LineEnds

__all__ = ["Composed", "Recipients", "compose"]

Recipients: TypeAlias = Sequence[Recipient | Address | str] | Recipient | Address | str

_BCC = (b"bcc", b"resent-bcc")


@dataclass(frozen=True, slots=True)
class Composed:
    """What `compose` makes."""

    sender: Address
    recipients: tuple[Recipient, ...]
    content: bytes


def compose(
    message: str | bytes | Message[Any, Any],
    sender: Address | str | None,
    recipients: Recipients | None,
    seconds: float,
) -> Composed:
    """Make octets, without Bcc.

    Addresses that are not given are those of the header: Sender or From, To, Cc and Bcc; of a
    message that is sent again, their Resent- counterparts (RFC 5322 3.6.6).

    :param message: str and bytes have a header and a body; line ends may be any.
    :param recipients: duplicates are dropped, however their domains are written.
    :param seconds: since the epoch, for a Date that lacks.
    :raises ValueError: no sender or recipient, or one that is no address; or a message that
        cannot be written.
    """
    if isinstance(message, Message):
        sender, chosen = _choose(list(header_values(message)), sender, recipients)
        return Composed(sender, chosen, flatten(message, sender, seconds))
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
    recipients: Recipients | None,
) -> tuple[Address, tuple[Recipient, ...]]:
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
            for address in addresses_of(value)
        ]

    if sender is None:
        sender = next(iter(named(b"sender", b"from")), None)
        if sender is None:
            raise ValueError("nobody to send from")
    if recipients is None:
        recipients = named(b"to", b"cc", b"bcc")
    elif isinstance(recipients, str | Address | Recipient):
        recipients = [recipients]
    chosen: dict[tuple[str, str], Recipient] = {}
    for recipient in map(to_recipient, recipients):
        address = recipient.address
        chosen.setdefault((address.local, canonical_domain(address.domain)), recipient)
    if not chosen:
        raise ValueError("nobody to send to")
    return to_address(sender), tuple(chosen.values())
