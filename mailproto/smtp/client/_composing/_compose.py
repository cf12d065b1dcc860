"""A message's sender, recipients and octets, made in a thread if that may take long."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email.message import Message
from typing import Any, TypeAlias

from twisted.internet.interfaces import IReactorThreads
from twisted.internet.threads import deferToThreadPool

from mailproto._arguments import check_type, wrong_type
from mailproto.content import CHUNK, Content
from mailproto.domains import canonical_domain
from mailproto.message import header_fields
from mailproto.model import Address, Recipient
from mailproto.smtp.client._composing._bodies import with_line_ends
from mailproto.smtp.client._composing._flatten import copied, flatten, header_values
from mailproto.smtp.client._header import addresses_of
from mailproto.smtp.client._message import to_address, to_recipient
from mailproto.typing import Reactor

__all__ = ["Composed", "Recipients", "compose", "compose_in_thread"]

Recipients: TypeAlias = Sequence[Recipient | Address | str] | Recipient | Address | str

_HEADER_MAX = 1024
"""Header fields of so many characters take a few milliseconds at most."""

_OCTETS_MAX = 1 << 13
"""Bodies of so many octets do too, and so do messages that are octets already."""

_RECIPIENTS_MAX = 100
_PART = 64
"""A part takes as long as so many characters of a header."""

_BCC = (b"bcc", b"resent-bcc")


@dataclass(frozen=True, slots=True)
class Composed:
    """The result of `compose`.

    :ivar names: the recipients' addresses, as `SendResult` shows them.
    """

    sender: Address
    recipients: tuple[Recipient, ...]
    content: bytes
    names: tuple[str, ...]


def compose(
    message: str | bytes | Message[Any, Any],
    sender: Address | str | None,
    recipients: Recipients | None,
    now: float,
) -> Composed:
    """Make a message's octets, without Bcc, and find its sender and recipients.

    Addresses that are not given are taken from the header: Sender or From, To, Cc and Bcc; if it
    has Resent- fields, from those (RFC 5322 3.6.6).

    :param message: str and bytes have a header and a body, with any line ends.
    :param recipients: duplicates are dropped, also if their domains are written differently.
    :param now: in seconds since the epoch, for a missing Date.
    :raises ValueError: there is no sender or no recipient, something is not an address, or the
        message cannot be written.
    """
    if isinstance(message, Message):
        sender, chosen = _choose(list(header_values(message)), sender, recipients)
        return _composed(sender, chosen, flatten(message, sender, now))
    content = with_line_ends(message)
    found = list(header_fields(content))
    sender, chosen = _choose([(field.name.lower(), field.value) for field in found], sender, recipients)
    hidden = [(field.start, field.stop) for field in found if field.name.lower() in _BCC]
    return _composed(sender, chosen, _without(content, hidden) if hidden else content)


def _composed(sender: Address, recipients: tuple[Recipient, ...], content: bytes) -> Composed:
    return Composed(sender, recipients, content, tuple([str(each.address) for each in recipients]))


def _without(content: bytes, hidden: Sequence[tuple[int, int]]) -> bytes:
    """``content`` without these ranges of offsets, which are in ascending order."""
    octets = io.BytesIO()
    at = 0
    for start, stop in [*hidden, (len(content), 0)]:
        for piece in range(at, start, CHUNK):
            octets.write(content[piece : min(piece + CHUNK, start)])
        at = stop
    return octets.getvalue()


def _choose(
    fields: Sequence[tuple[bytes, bytes]],
    sender: Address | str | None,
    recipients: Recipients | None,
) -> tuple[Address, tuple[Recipient, ...]]:
    """The sender and the recipients in the header."""
    dates = sum(name == b"resent-date" for name, _ in fields)
    if dates > 1 and (sender is None or recipients is None):
        raise ValueError("the message was resent more than once: name its sender and recipients")
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
            raise ValueError("no sender: give one, or the message a From field")
    if recipients is None:
        recipients = named(b"to", b"cc", b"bcc")
    elif isinstance(recipients, str | Address | Recipient):
        recipients = [recipients]
    chosen: dict[tuple[str, str], Recipient] = {}
    for recipient in map(to_recipient, recipients):
        address = recipient.address
        chosen.setdefault((address.local, canonical_domain(address.domain)), recipient)
    if not chosen:
        raise ValueError("no recipient: give some, or the message a To field")
    return to_address(sender), tuple(chosen.values())


async def compose_in_thread(
    reactor: Reactor,
    message: str | bytes | Message[Any, Any],
    sender: Address | str | None,
    recipients: Recipients | None,
) -> Composed:
    """As `compose`, but it never takes longer than milliseconds in the reactor's thread.

    The caller may change the arguments while this waits.
    """
    takes = "an EmailMessage, or a whole message as str or bytes"
    hint = "write bytes(content)" if isinstance(message, Content) else ""
    check_type("message", message, (str, bytes, Message), takes, hint)
    now = reactor.seconds()
    if recipients is not None and not isinstance(recipients, Iterable | Address | Recipient):
        raise wrong_type("recipients", recipients, "an address or a list of addresses")
    if recipients is not None and not isinstance(recipients, str | Address | Recipient):
        recipients = tuple(recipients)
    if _is_small(message, recipients) or not IReactorThreads.providedBy(reactor):
        return compose(message, sender, recipients, now)
    if isinstance(message, Message):
        try:
            message = copied(message)
        except RecursionError:
            raise ValueError("a message with too many levels of parts") from None
    return await deferToThreadPool(
        reactor, reactor.getThreadPool(), compose, message, sender, recipients, now
    )


def _is_small(message: str | bytes | Message[Any, Any], recipients: Recipients | None) -> bool:
    if isinstance(recipients, tuple) and len(recipients) > _RECIPIENTS_MAX:
        return False
    if not isinstance(message, Message):
        return len(message) <= _OCTETS_MAX
    header = body = 0
    for part in message.walk():
        header += _PART + sum(len(name) + len(str(value)) for name, value in part.raw_items())
        body += len(getattr(part, "_payload", None) or "")
        if header > _HEADER_MAX or body > _OCTETS_MAX:
            return False
    return True
