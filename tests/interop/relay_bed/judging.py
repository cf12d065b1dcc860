"""Whether what happened to the messages is what may happen."""

from __future__ import annotations

import email.policy
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from email.parser import BytesParser
from typing import Any

from tests.interop.relay_bed.hosts import Arrival, Record, message_id
from tests.interop.relay_bed.network import BOUNCES
from tests.interop.relay_bed.sending import Message

__all__ = ["Verdict", "judge", "reported"]

BEFORE_A_KILL = 1.0
"""Seconds before a kill in which a host's final reply may be lost: before the commit of what it said..."""

AFTER_A_KILL = 2.0
"""... and after it: the host has read later what was sent before, or is Postfix, which brings it on later."""

_LIMIT = 20
"""Faults that are told."""


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

    :ivar faults: what must not be; none if all is well.
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
    faults: list[str] = field(default_factory=list)

    def fault(self, text: str) -> None:
        if len(self.faults) < _LIMIT:
            self.faults.append(text)


def judge(
    messages: Iterable[Message],
    record: Record,
    reports: Sequence[bytes],
    kills: Sequence[float],
) -> Verdict:
    """Every recipient gets each accepted message, or its sender one report.

    :param kills: the times when the server was killed.
    """
    verdict = Verdict()
    bounces = Counter(each for report in reports for each in reported(report))
    for message in messages:
        verdict.unknown += message.is_accepted is None
        for recipient in message.recipients:
            key = (message.id, recipient)
            _judge_one(verdict, message, recipient, record.arrivals.pop(key, []), bounces.pop(key, 0), kills)
    for key in [*record.arrivals, *bounces]:
        verdict.fault(f"nobody has sent {key}")
    return verdict


def _judge_one(
    verdict: Verdict,
    message: Message,
    recipient: str,
    arrivals: Sequence[Arrival],
    bounces: int,
    kills: Sequence[float],
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
        verdict.fault(f"lost: {what}")
    if message.is_accepted is False and total:
        verdict.fault(f"never sent, but here: {what}")
    if bounces > 1 or total - 1 > lost:
        verdict.fault(f"{len(arrivals)} times, {bounces} reports, {lost} lost replies: {what}")
    must_bounce = recipient.startswith("no") or recipient.partition("@")[2].partition("-")[0] in BOUNCES
    if must_bounce and arrivals:
        verdict.fault(f"arrived, but must not: {what}")
    if bounces and not must_bounce:
        verdict.fault(f"came back, but must not: {what}")


def is_lost(arrival: Arrival, kills: Sequence[float]) -> bool:
    """Whether the server may not know that a host has taken a message."""
    return not arrival.is_answered or any(
        kill - BEFORE_A_KILL <= arrival.at <= kill + AFTER_A_KILL for kill in kills
    )


def as_lines(figures: Mapping[str, object]) -> str:
    """Figures for people."""
    return "\n".join(f"{name:<40} {value}" for name, value in figures.items())
