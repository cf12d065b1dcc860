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

    :ivar expires: it is given up.
    :ivar late: its sender is told that it is late; infinite for never.
    :ivar by: what the sender demands (DELIVERBY, RFC 2852), or None.
    """

    expires: float
    late: float
    by: DeliverBy | None = None

    def next_for(self, recipient: QueuedRecipient) -> float:
        """When something must be done for a recipient, whatever its server does."""
        return self.expires if recipient.is_reported_late else min(self.expires, self.late)


def terms_of(message: QueuedMessage, schedule: Schedule) -> Terms:
    """The terms of a message."""
    late = message.arrived + schedule.delay_notice if schedule.delay_notice else inf
    by = _deliver_by(message.envelope.parameters)
    if by is None:
        return Terms(message.expires, late)
    deadline = message.arrived + by.seconds
    if by.returned:
        return Terms(min(message.expires, deadline), late, by)
    return Terms(message.expires, min(late, deadline), by)


def _deliver_by(parameters: Parameters) -> DeliverBy | None:
    if "BY" in parameters:
        with suppress(ValueError):
            return mail_options({"BY": parameters["BY"]}).deliver_by
    return None


_OURS = frozenset({"HOLDFOR", "HOLDUNTIL", "BY"})
"""Parameters that are not passed on as they came: messages were held here, and deadlines come nearer."""


def onward_parameters(message: QueuedMessage, by: DeliverBy | None, now: float) -> Parameters:
    """The parameters of MAIL for the next server."""
    parameters = message.envelope.parameters
    if not parameters or _OURS.isdisjoint(parameters):
        return parameters
    chosen = {keyword: value for keyword, value in parameters.items() if keyword not in _OURS}
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
