"""`Schedule`: when a message is tried again, and when it is given up (RFC 5321 4.5.4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from mailproto._arguments import check_fields, wrong_value

__all__ = ["Schedule"]

_JITTER = 0.2
"""The part of a wait by which it is longer or shorter: what has failed together is not tried together."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When mail that could not be sent is tried again, in seconds.

    The wait before the next attempt is as long as the message is old, but neither shorter than ``retry`` nor
    longer than ``longest_wait``, and differs from that by up to a fifth.  So the waits double at first.

    :ivar retry: the first wait, also for a server that cannot be reached.
    :ivar longest_wait: the longest wait, for messages and for servers.
    :ivar lifetime: the age at which a message is given up.
    :ivar delay_notice: the age at which a sender is told that a message is late; 0 never to tell.
    :raises TypeError, ValueError: a value is no number of seconds, or ``retry`` is 0 or above
        ``longest_wait``.
    """

    retry: float = 60
    longest_wait: float = 60 * 60
    lifetime: float = 5 * 24 * 60 * 60
    delay_notice: float = 4 * 60 * 60

    def __post_init__(self) -> None:
        check_fields(self)
        if not 0 < self.retry <= self.longest_wait:
            raise wrong_value("retry", self.retry, "seconds, above 0 and at most longest_wait")

    def wait(self, age: float, random: Random) -> float:
        """Seconds until the next attempt of a message of an age in seconds."""
        return _about(min(max(age, self.retry), self.longest_wait), random)

    def pause(self, failures: int, random: Random) -> float:
        """Seconds for which a destination is left alone.

        :param failures: how often in a row it could not be reached, at least 1; each doubles the pause.
        """
        return _about(min(self.retry * 2.0 ** min(failures - 1, 30), self.longest_wait), random)


def _about(seconds: float, random: Random) -> float:
    return seconds * random.uniform(1 - _JITTER, 1 + _JITTER)
