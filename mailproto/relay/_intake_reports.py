"""What a sender is told at once of mail that was taken (RFC 3461, RFC 3464)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from mailproto.content import Content
from mailproto.delivery import bounce
from mailproto.delivery.reports import Action, RecipientStatus, Report, report
from mailproto.errors import MailError
from mailproto.model import Envelope, Outcome
from mailproto.relay._expansion import Expansion

__all__ = ["MAX_FAILED", "IntakeReports", "outcome_of", "outcome_of_alias"]

MAX_FAILED = 100
"""The most addresses of one alias that a report names; who keeps the alias has to look at it anyway."""

_EXPANDED = Outcome(250, "2.0.0", "Sent to a list")


class IntakeReports:
    """Makes reports about copies for mailboxes here, and about aliases.

    LMTP has a reply for each recipient, and SMTP refuses a message that nobody got: then no failure is left
    to tell.
    """

    def __init__(self, hostname: str, clock: Callable[[], float] = time.time) -> None:
        self._hostname = hostname
        self._clock = clock

    def of_copies(
        self, envelope: Envelope, outcomes: Sequence[Outcome], content: Content
    ) -> Iterator[Report | None]:
        """Of a message that only goes to mailboxes here."""
        stored = [index for index, outcome in enumerate(outcomes) if outcome.accepted]
        yield self.of_success(envelope, outcomes, stored, content)
        yield self.of_failure(envelope, outcomes, content)

    def of_failure(self, envelope: Envelope, outcomes: Sequence[Outcome], content: Content) -> Report | None:
        """Of recipients who get no copy while others get theirs."""
        if envelope.session.protocol == "LMTP" or len({outcome.accepted for outcome in outcomes}) == 1:
            return None
        return bounce(envelope, outcomes, content, hostname=self._hostname, clock=self._clock)

    def of_success(
        self, envelope: Envelope, outcomes: Sequence[Outcome], stored: Iterable[int], content: Content
    ) -> Report | None:
        """Of the copies that are stored, to a sender who wants one (RFC 3461 4.1)."""
        statuses = [
            RecipientStatus(envelope.recipients[index], outcomes[index], Action.DELIVERED)
            for index in stored
            if envelope.recipients[index].parameters
        ]
        return self._report(envelope, statuses, content)

    def of_expansions(
        self,
        envelope: Envelope,
        expansions: Sequence[Expansion],
        outcomes: Sequence[Sequence[Outcome]],
        content: Content,
    ) -> Report | None:
        """Of a message with aliases.

        :param outcomes: for each of an expansion's copies.
        """
        is_taken = any(outcome.accepted for each in outcomes for outcome in each)
        is_told = envelope.session.protocol == "LMTP" or not is_taken
        statuses: list[RecipientStatus] = []
        for expansion, given in zip(expansions, outcomes, strict=True):
            if not any(outcome.accepted for outcome in given):
                if not is_told:
                    statuses.append(RecipientStatus(expansion.recipient, outcome_of_alias(given)))
                continue
            statuses += [
                RecipientStatus(recipient, _EXPANDED, Action.EXPANDED) for recipient in expansion.lists
            ]
            failed = 0
            for copy, outcome in zip(expansion.copies, given, strict=True):
                if not outcome.accepted:
                    failed += 1
                    if failed <= MAX_FAILED:
                        statuses.append(RecipientStatus(copy.recipient, outcome))
                elif not isinstance(copy.place, str) and not expansion.lists:
                    statuses.append(RecipientStatus(copy.recipient, outcome, Action.DELIVERED))
        return self._report(envelope, statuses, content)

    def _report(
        self, envelope: Envelope, statuses: Sequence[RecipientStatus], content: Content
    ) -> Report | None:
        if not statuses:
            return None
        return report(envelope, statuses, content, hostname=self._hostname, clock=self._clock)


def outcome_of(error: MailError) -> Outcome:
    """The reply for an error."""
    return Outcome(error.code, error.enhanced, error.text, error.detail)


def outcome_of_alias(outcomes: Sequence[Outcome]) -> Outcome:
    """The one reply for all copies: the first that was accepted, or else a temporary error, so that the
    client tries again."""
    for outcome in outcomes:
        if outcome.accepted:
            return outcome
    return next((outcome for outcome in outcomes if outcome.code < 500), outcomes[0])
