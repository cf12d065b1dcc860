"""What the outcomes of an attempt mean for the queue, and what the sender is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import NamedTuple

from mailproto.delivery.reports import Action, RecipientStatus
from mailproto.model import Outcome, QueuedRecipient, QueueState, Recipient, RecipientResult
from mailproto.relay._destination import Held, Result
from mailproto.relay._schedule import Schedule
from mailproto.relay._terms import Terms, span

__all__ = ["Decision", "decide"]


class Decision(NamedTuple):
    """What follows from an attempt.

    :ivar statuses: what the sender may want to know.
    """

    results: Sequence[RecipientResult]
    statuses: Sequence[RecipientStatus]


def decide(
    held: Held, terms: Terms, now: float, schedule: Schedule, random: Random, *, keeps_due: bool = False
) -> Decision:
    """Decide about the recipients that have results.

    :param keeps_due: whether those that wait are tried as soon as before, because nothing was tried now.
    """
    results: list[RecipientResult] = []
    statuses: list[RecipientStatus] = []
    again: float | None = None
    for recipient, result in zip(held.recipients, held.results, strict=True):
        if result is None:
            continue
        outcome, host = result.outcome, result.host
        if outcome.accepted:
            results.append(RecipientResult(recipient.number, QueueState.SENT, outcome, host))
            if recipient.recipient.parameters or terms.by is not None:
                statuses += _of_success(recipient.recipient, result, terms, now)
        elif outcome.code >= 500 or now >= terms.expires:
            is_expired = outcome.code < 500
            if is_expired:
                outcome = _expired(outcome, now - terms.since)
            results.append(
                RecipientResult(
                    recipient.number, QueueState.FAILED, outcome, host, is_attempt=result.is_attempt
                )
            )
            attempted = now if result.is_attempt else recipient.attempted
            statuses.append(
                RecipientStatus(
                    recipient.recipient, outcome, Action.FAILED, host, attempted, is_ours=is_expired
                )
            )
        else:
            if again is None:
                again = now + schedule.wait(now - terms.since, random)
            due = max(recipient.due, now) if keeps_due else again
            results.append(_waiting(recipient, result, terms, now, due))
            if results[-1].is_reported_late and not recipient.is_reported_late:
                attempted = now if result.is_attempt else recipient.attempted
                statuses.append(
                    RecipientStatus(
                        recipient.recipient,
                        outcome,
                        Action.DELAYED,
                        host,
                        attempted,
                        terms.expires,
                        is_ours=not result.is_attempt,
                    )
                )
    return Decision(results, statuses)


def _waiting(
    recipient: QueuedRecipient, result: Result, terms: Terms, now: float, again: float
) -> RecipientResult:
    """Try again, but no later than something must be done anyway."""
    is_late = recipient.is_reported_late or now >= terms.late
    due = min(again, terms.expires if is_late else min(terms.expires, terms.late))
    return RecipientResult(
        recipient.number,
        QueueState.WAITING,
        result.outcome,
        result.host,
        due,
        result.is_attempt,
        is_late,
    )


def _expired(outcome: Outcome, age: float) -> Outcome:
    """The message was tried until it was too old; the last reply says why it could not be sent."""
    return Outcome(
        554,
        "5.4.7",
        f"Given up after {span(age)}; the last reply: {outcome.code} {outcome.enhanced} {outcome.text}",
        outcome.detail,
    )


def _of_success(recipient: Recipient, result: Result, terms: Terms, now: float) -> list[RecipientStatus]:
    """What the sender is told if the next server does not tell more: `RELAYED`, or `DELIVERED` by LMTP.

    With a deadline, the sender is also told that the server knows none (RFC 2852 4.1.4.2).
    """
    action = Action.DELIVERED if result.is_final else Action.RELAYED
    if not result.has_dsn:
        status = RecipientStatus(recipient, result.outcome, action, result.host, now)
        if status.is_wanted:
            return [status]
    by = terms.by
    notify = (recipient.parameters.get("NOTIFY") or "").upper()
    if by is not None and not result.has_deliver_by and not result.is_final and notify != "NEVER":
        asked = replace(recipient, parameters={**recipient.parameters, "NOTIFY": "SUCCESS"})
        return [RecipientStatus(asked, result.outcome, action, result.host, now)]
    return []
