"""How much anybody may do in how much time."""

from __future__ import annotations

__all__ = ["MAX_REMEMBERED_RATES", "Rate"]

MAX_REMEMBERED_RATES = 10_000
"""Clients, or accounts, whose rate is known at a time."""


class Rate:
    """``limit`` at once, and ``limit`` in each ``period`` from then on: a token bucket for each key.

    Who has done nothing for a period need not be remembered; if more than
    `MAX_REMEMBERED_RATES` have done something within one, those are forgotten that did
    longest ago.  So memory is bounded, and whoever has that many addresses gains what
    they would allow anyway.

    :param limit: 0 for no limit.
    :param period: in seconds.
    """

    __slots__ = ("_buckets", "_limit", "_period")

    def __init__(self, limit: int, period: float) -> None:
        self._limit = limit
        self._period = period
        self._buckets: dict[str, tuple[float, float]] = {}  # what is left, and when that was

    def __bool__(self) -> bool:
        """Whether there is a limit."""
        return bool(self._limit)

    def take(self, key: str, now: float) -> bool:
        """Count one more; False, and nothing is counted, if that is too many.

        :param now: in seconds.
        """
        limit = self._limit
        if not limit:
            return True
        left, then = self._buckets.pop(key, (limit, now))
        left = min(limit, left + (now - then) * limit / self._period)
        allowed = left >= 1
        self._buckets[key] = (left - allowed, now)  # at the end: the first did something longest ago
        if len(self._buckets) > MAX_REMEMBERED_RATES:
            del self._buckets[next(iter(self._buckets))]
        return allowed
