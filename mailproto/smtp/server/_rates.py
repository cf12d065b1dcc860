"""Rate limits."""

from __future__ import annotations

__all__ = ["MAX_REMEMBERED_RATES", "Rate"]

MAX_REMEMBERED_RATES = 10_000
"""The most clients or accounts that a `Rate` remembers at a time."""


class Rate:
    """A token bucket for each key: ``limit`` events at once, and then ``limit`` in each ``period``.

    A key without events for a period need not be remembered.  If more than `MAX_REMEMBERED_RATES`
    keys had events within one period, those with the oldest events are forgotten, so that memory is
    bounded.  An attacker with so many addresses could send as much without that.

    :param limit: 0 for no limit.
    :param period: in seconds.
    """

    __slots__ = ("_buckets", "_limit", "_period")

    def __init__(self, limit: int, period: float) -> None:
        self._limit = limit
        self._period = period
        self._buckets: dict[str, tuple[float, float]] = {}  # how much is left, and since when

    def __bool__(self) -> bool:
        """Whether there is a limit."""
        return bool(self._limit)

    def take(self, key: str, now: float) -> bool:
        """Count one event; False, without counting it, if the limit is reached.

        :param now: in seconds.
        """
        limit = self._limit
        if not limit:
            return True
        left, then = self._buckets.pop(key, (limit, now))
        left = min(limit, left + (now - then) * limit / self._period)
        allowed = left >= 1
        self._buckets[key] = (left - allowed, now)  # at the end: the first key has the oldest event
        if len(self._buckets) > MAX_REMEMBERED_RATES:
            del self._buckets[next(iter(self._buckets))]
        return allowed
