"""How many connections a destination gets: more while it takes messages, fewer while it does not."""

from __future__ import annotations

__all__ = ["Concurrency"]

MOST_PATIENCE = 256
"""How many times longer than at first it takes at most until one more connection is tried."""


class Concurrency:
    """The number of connections to a destination, with feedback and hysteresis.

    Each success and each failure moves the number by one divided by the number itself, and only whole steps
    count: so it takes as many successes as there are connections to get one more, and a single failure among
    many successes changes nothing.

    :param first: the number at first.
    :param most: the most that the number grows to.
    :ivar number: how many connections the destination may have.
    """

    __slots__ = ("_failed", "_first", "_most", "_patience", "_succeeded", "_whole", "number")

    def __init__(self, first: int, most: int) -> None:
        self._first = min(first, most)
        self._most = most
        self.restart()

    def restart(self) -> None:
        """Begin again: nothing is known about the destination any more."""
        self.number = self._first
        self._patience = 1
        self._succeeded = self._failed = 0.0
        self._whole = 0.0  # what part of the connections has failed since the last success

    def succeeded(self, used: int) -> None:
        """A message was answered.

        :param used: how many connections the destination has; if it needs no more, the number does not grow.
        """
        self._whole = 0.0
        if self.number < self._most and used >= self.number:
            self._succeeded += 1 / (self.number * self._patience)
            if self._succeeded >= 1:
                self._succeeded = self._failed = 0.0
                self.number += 1

    def is_full(self, number: int) -> None:
        """The server takes no more than that: one more is tried later, each time twice as late."""
        self.number = max(number, 1)
        self._patience = min(self._patience * 2, MOST_PATIENCE)
        self._succeeded = 0.0

    def failed(self) -> None:
        """A connection failed, or the server wants less."""
        self._whole += 1 / self.number
        self._failed += 1 / self.number
        if self._failed >= 1 and self.number > 1:
            self._succeeded = self._failed = 0.0
            self.number -= 1

    @property
    def is_dead(self) -> bool:
        """Whether as many connections as there may be have failed, without any success in between."""
        return self._whole >= 1
