"""The times that matter to a message: when it is late, and when it is given up."""

from __future__ import annotations

from contextlib import suppress
from math import inf
from typing import NamedTuple

from mailproto.model import Parameters, QueuedMessage, QueuedRecipient
from mailproto.relay._schedule import Schedule
from mailproto.smtp.wire import DeliverBy, mail_options

__all__ = ["Terms", "onward_parameters", "span", "terms_of"]


class Terms(NamedTuple):
    """When something must be done about a message, in seconds since the epoch.

    :ivar since: it is to be sent: when it came, or until when its sender had it held (RFC 4865).
    :ivar expires: it is given up.
    :ivar late: its sender is told that it is late; infinite for never.
    :ivar by: what the sender demands (DELIVERBY, RFC 2852), or None.
    """

    since: float
    expires: float
    late: float
    by: DeliverBy | None = None

    def next_for(self, recipient: QueuedRecipient) -> float:
        """When something must be done for a recipient, whatever its server does."""
        return self.expires if recipient.is_reported_late else min(self.expires, self.late)


def terms_of(message: QueuedMessage, schedule: Schedule) -> Terms:
    """The terms of a message."""
    since, expires, parameters = message.arrived, message.expires, message.envelope.parameters
    by: DeliverBy | None = None
    if parameters and not _TIMES.isdisjoint(parameters):
        with suppress(ValueError):  # a server has checked them, but not every envelope comes from one
            options = mail_options({each: parameters[each] for each in _TIMES if each in parameters})
            by = options.deliver_by
            since = max(since, options.hold_until or since + (options.hold_for or 0))
        if since > message.arrived:
            expires = max(expires, since + schedule.lifetime)
    late = since + schedule.delay_notice if schedule.delay_notice else inf
    if by is not None and by.returned:
        expires = min(expires, message.arrived + by.seconds)
    elif by is not None:
        late = min(late, message.arrived + by.seconds)
    return Terms(since, expires, late, by)


_TIMES = frozenset({"BY", "HOLDFOR", "HOLDUNTIL"})
"""Parameters that say when something is to be done."""


def onward_parameters(message: QueuedMessage, by: DeliverBy | None, now: float) -> Parameters:
    """The parameters of MAIL for the next server: what was held here is not held again, and deadlines come
    nearer."""
    parameters = message.envelope.parameters
    if not parameters or _TIMES.isdisjoint(parameters):
        return parameters
    chosen = {keyword: value for keyword, value in parameters.items() if keyword not in _TIMES}
    if by is not None:
        left = by.seconds - round(now - message.arrived)
        chosen["BY"] = str(DeliverBy(max(left, 1) if by.returned else left, by.returned, by.trace))
    return chosen


def span(seconds: float) -> str:
    """A length of time for people: ``5 days``, ``1 hour``, ``90 seconds``."""
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * length or seconds == length:
            number = round(seconds / length)
            return f"{number} {unit}{'s' if number != 1 else ''}"
    return f"{round(seconds)} seconds"
