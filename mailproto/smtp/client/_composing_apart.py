"""Composing in a thread, where it could take longer than others should wait."""

from __future__ import annotations

from email.message import Message
from typing import Any

from twisted.internet.interfaces import IReactorThreads
from twisted.internet.threads import deferToThreadPool

from mailproto.model import Address, Recipient
from mailproto.smtp.client._composing import Composed, Recipients, compose
from mailproto.smtp.client._flattening import copied

__all__ = ["compose_apart"]

_HEADER_MAX = 1024
"""Characters of header fields that take few milliseconds, whatever they are."""

_OCTETS_MAX = 1 << 13
"""Octets that do, of bodies, and of messages that are octets already."""

_RECIPIENTS_MAX = 100
_PART = 64
"""Characters of a header that take as long as a part does."""


async def compose_apart(
    reactor: Any,
    message: str | bytes | Message[Any, Any],
    sender: Address | str | None,
    recipients: Recipients | None,
) -> Composed:
    """As `compose`, for now, and never for longer than milliseconds in the reactor's thread.

    What is given may be changed by the caller as soon as this waits.
    """
    seconds = reactor.seconds()
    if recipients is not None and not isinstance(recipients, str | Address | Recipient):
        recipients = tuple(recipients)
    if _is_small(message, recipients) or not IReactorThreads.providedBy(reactor):
        return compose(message, sender, recipients, seconds)
    if isinstance(message, Message):
        try:
            message = copied(message)
        except RecursionError:
            raise ValueError("a message with too many levels of parts") from None
    return await deferToThreadPool(
        reactor, reactor.getThreadPool(), compose, message, sender, recipients, seconds
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
