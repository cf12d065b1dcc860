"""Tells observers of attempts, and of reports about messages."""

from __future__ import annotations

from collections.abc import Sequence

from mailproto.model import NewQueued, QueueState, RecipientResult
from mailproto.observing import Observers, Relayed, Reported
from mailproto.relay._destination import Held

__all__ = ["tell", "tell_reported"]


def tell(observers: Observers, held: Held, results: Sequence[RecipientResult], now: float) -> None:
    """Tell of each recipient that has a result; of those that only wait longer because their destination
    cannot be reached, nothing is new."""
    message = held.lease.message
    left = iter(results)
    for recipient, result in zip(held.recipients, held.results, strict=True):
        if result is None:
            continue
        decided = next(left)
        if not (result.is_attempt or decided.state is QueueState.FAILED):
            continue
        observers.relayed(
            Relayed(
                message.envelope.id,
                message.envelope.sender,
                recipient.recipient.address,
                decided.state,
                decided.outcome,
                held.destination.name,
                result.host,
                result.address,
                result.tls,
                recipient.attempts + result.is_attempt,
                max(now - message.arrived, 0.0),  # the system's clock may have been set back
                decided.due,
            )
        )


def tell_reported(observers: Observers, id: str, reports: Sequence[NewQueued]) -> None:
    """Tell of the reports about a message that have been added.

    :param id: of the message.
    """
    for each in reports:
        observers.reported(Reported(id, each.envelope.id, each.envelope.recipients[0].address))
