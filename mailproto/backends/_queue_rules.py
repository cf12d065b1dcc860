"""What is the same for every queue, although the contract does not say it."""

from __future__ import annotations

__all__ = ["FORGET", "later_deadline"]

FORGET = 86_400.0
"""Seconds after the end of a destination's pause after which it is forgotten, if nothing waits for it."""


def later_deadline(now: float, until: float, arrived: float, expires: float) -> float:
    """The next deadline of a message that `IQueue.lease_overdue` has looked at."""
    later = max(until, now + (now - arrived) / 4)
    return min(later, expires) if expires > now else later
