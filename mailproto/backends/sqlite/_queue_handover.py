"""What is handed over of messages that have just been added: leases, without reading from the database."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.python.failure import Failure

from mailproto.backends._handover import Offer
from mailproto.backends.sqlite._queue_adding import Added, Entry
from mailproto.content import Content
from mailproto.model import AppendedMessage, Lease, QueuedMessage, QueuedRecipient, QueueState

__all__ = ["answered", "offered", "placed"]


def offered(entries: Sequence[Entry], offer: Offer, process: str) -> list[Entry]:
    """Entries for the writer, which leases them if they are next.

    :param process: the lessee.
    """
    return [
        each._replace(until=until, lessee=process) if until else each
        for each, until in zip(entries, offer.until, strict=True)
    ]


def answered(
    result: Sequence[Added] | Failure, offer: Offer, entries: Sequence[Entry]
) -> Sequence[Sequence[AppendedMessage]] | Failure:
    """Answer the offer when the writer has answered; returns the result of `IQueue.add`.

    If the caller cancels that in the moment of the commit, nobody takes the lease, and it runs out.
    """
    if isinstance(result, Failure):
        offer.answer(())
        return result
    offer.answer([_lease(entry, each) for entry, each in zip(entries, result, strict=True)])
    return placed(result)


def placed(added: Sequence[Added]) -> Sequence[Sequence[AppendedMessage]]:
    """The result of `IQueue.add`."""
    return [each.placed for each in added]


def _lease(entry: Entry, added: Added) -> Lease | None:
    """The lease, as `IQueue.lease` would give it."""
    if not added.token:
        return None
    message, [(number, to)] = entry.message, entry.recipients
    envelope, octets = message.envelope, entry.body.octets[message.skip :]
    recipient = QueuedRecipient(number, envelope.recipients[number], to, QueueState.WAITING, message.arrived)
    queued = QueuedMessage(
        added.id,
        envelope,
        (recipient,),
        message.arrived,
        message.expires,
        message.priority,
        len(octets),
        Content(octets),
    )
    return Lease(added.token, queued, entry.until)
