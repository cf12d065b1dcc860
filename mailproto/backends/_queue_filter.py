"""Which messages of a queue a filter means."""

from __future__ import annotations

from mailproto.domains import canonical_domain
from mailproto.model import QueuedMessage, QueuedRecipient, QueueFilter, QueueState

__all__ = ["fits", "is_deferred"]

_UNFINISHED = (QueueState.WAITING, QueueState.HELD)


def fits(message: QueuedMessage, filter: QueueFilter) -> bool:
    """Whether a message fits everything that a filter has."""
    if filter.ids is not None and message.id not in filter.ids:
        return False
    if filter.arrived_before is not None and message.arrived >= filter.arrived_before:
        return False
    if filter.sender and not _is_from(message, filter.sender):
        return False
    domain = canonical_domain(filter.domain) if filter.domain else ""
    part = filter.recipient.casefold()
    return any(_is_to(recipient, filter, domain, part) for recipient in message.recipients)


def is_deferred(recipient: QueuedRecipient) -> bool:
    """Whether a recipient that is not done has a result already."""
    return recipient.outcome is not None and recipient.state in _UNFINISHED


def _is_from(message: QueuedMessage, part: str) -> bool:
    sender = message.envelope.sender
    if part == "<>":
        return not sender
    return part.casefold() in str(sender).casefold()


def _is_to(recipient: QueuedRecipient, filter: QueueFilter, domain: str, part: str) -> bool:
    address = recipient.recipient.address
    return (
        (filter.state is None or recipient.state is filter.state)
        and (not filter.destination or recipient.destination == filter.destination)
        and (filter.is_deferred is None or is_deferred(recipient) is filter.is_deferred)
        and (not domain or canonical_domain(address.domain) == domain)
        and part in str(address).casefold()
    )
