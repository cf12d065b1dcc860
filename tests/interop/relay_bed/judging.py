"""Whether what happened to the messages is what may happen."""

from __future__ import annotations

import email.policy
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from email.parser import BytesParser
from itertools import pairwise
from typing import Any

from tests.interop.relay_bed.hosts import Arrival, Record, message_id
from tests.interop.relay_bed.network import BOUNCES
from tests.interop.relay_bed.sending import Message

__all__ = ["Kill", "Verdict", "judge", "reported"]

A_MOMENT = 1.0
"""Seconds in which a server that works has noted what a host has said."""

AFTER_A_KILL = 2.0
"""Seconds after a kill in which a delivery from before it may still be seen: Postfix brings it on later."""

_TOLD = 20
"""Faults that are told, but for losses, of which all are."""


@dataclass(frozen=True)
class Kill:
    """An end of the server, in seconds of the reactor's time.

    :ivar at: when it was killed.
    :ivar since: when the first final reply was sent that it may not have noted.
    :ivar until: when its successor was ready.
    """

    at: float
    since: float
    until: float

    @classmethod
    def of(cls, at: float, signs: Sequence[float], until: float) -> Kill:
        """A kill, after signs of life: times when the server has committed something, ascending.

        A final reply has been noted if there was a commit a moment later, and the server had not stood still
        just before that commit.  On a busy machine everything may stand still for many seconds: then the
        server gets a reply when it wakes up, and may be killed at once.
        """
        awake = [sign for before, sign in pairwise(signs) if sign <= at and sign - before <= A_MOMENT]
        last = awake[-1] if awake else min(signs, default=at)
        return cls(at, min(last, at) - A_MOMENT, until)

    def explains(self, arrival: Arrival) -> bool:
        """Whether the server may not know that a host has taken a message."""
        return self.since <= arrival.at <= max(self.until, self.at + AFTER_A_KILL)


def reported(report: bytes) -> list[tuple[str, str]]:
    """(message id, recipient) of each failure in a report about a message (RFC 3464)."""
    parsed = BytesParser(policy=email.policy.compat32).parsebytes(report)
    id, recipients = "", list[str]()
    for part in parsed.walk():
        kind = part.get_content_type()
        if kind == "message/delivery-status":
            statuses: Any = part.get_payload()
            recipients += [
                str(fields["Final-Recipient"]).partition(";")[2].strip()
                for fields in statuses[1:]
                if str(fields["Action"]).strip().lower() == "failed"
            ]
        elif part is not parsed and kind in ("text/rfc822-headers", "message/rfc822"):
            id = message_id(part.as_bytes())
    return [(id, recipient) for recipient in recipients]


@dataclass
class Verdict:
    """What the judge says.

    :ivar losses: messages that nobody got, and of which nobody was told.
    :ivar others: what else must not be, such as messages that came twice.
    :ivar lost_replies: arrivals of which the final reply was lost, by the host or by a kill.
    :ivar twice: recipients that got a message once more because of that; ``by_kills``: those of them for
        whom every host had sent its reply.
    :ivar unknown: messages of which the sender does not know whether they were accepted.
    """

    arrived: int = 0
    bounced: int = 0
    twice: int = 0
    by_kills: int = 0
    lost_replies: int = 0
    unknown: int = 0
    losses: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        """All losses, and then some of the other faults; none if all is well."""
        more = len(self.others) - _TOLD
        return [*self.losses, *self.others[:_TOLD], *([f"and {more} more"] if more > 0 else [])]


def judge(
    messages: Iterable[Message],
    record: Record,
    reports: Sequence[bytes],
    kills: Sequence[Kill],
) -> Verdict:
    """Every recipient gets each accepted message, or its sender one report."""
    verdict = Verdict()
    bounces = Counter(each for report in reports for each in reported(report))
    for message in messages:
        verdict.unknown += message.is_accepted is None
        for recipient in message.recipients:
            key = (message.id, recipient)
            _judge_one(verdict, message, recipient, record.arrivals.pop(key, []), bounces.pop(key, 0), kills)
    for key in [*record.arrivals, *bounces]:
        verdict.others.append(f"nobody has sent {key}")
    return verdict


def _judge_one(
    verdict: Verdict,
    message: Message,
    recipient: str,
    arrivals: Sequence[Arrival],
    bounces: int,
    kills: Sequence[Kill],
) -> None:
    what = f"{message.id} to {recipient}"
    total = len(arrivals) + bounces
    lost = sum(is_lost(arrival, kills) for arrival in arrivals)
    verdict.arrived += bool(arrivals)
    verdict.bounced += bool(bounces)
    verdict.lost_replies += sum(not each.is_answered for each in arrivals)
    verdict.twice += max(total - 1, 0)
    verdict.by_kills += max(total - 1 - sum(not each.is_answered for each in arrivals), 0)
    if message.is_accepted and not total:
        verdict.losses.append(f"lost: {what}")
    if message.is_accepted is False and total:
        verdict.others.append(f"never sent, but here: {what}")
    if bounces > 1 or total - 1 > lost:
        verdict.others.append(f"{len(arrivals)} times, {bounces} reports, {lost} lost replies: {what}")
    must_bounce = recipient.startswith("no") or recipient.partition("@")[2].partition("-")[0] in BOUNCES
    if must_bounce and arrivals:
        verdict.others.append(f"arrived, but must not: {what}")
    if bounces and not must_bounce:
        verdict.others.append(f"came back, but must not: {what}")


def is_lost(arrival: Arrival, kills: Sequence[Kill]) -> bool:
    """Whether the server may not know that a host has taken a message."""
    return not arrival.is_answered or any(kill.explains(arrival) for kill in kills)


def as_lines(figures: Mapping[str, object]) -> str:
    """Figures for people."""
    return "\n".join(f"{name:<40} {value}" for name, value in figures.items())
