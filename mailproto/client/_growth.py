"""How many connections a server takes, as far as we know, and when to try for more."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

__all__ = ["Growth"]

FIRST_PAUSE = 1.0
"""Seconds after which a server that took no more connections is asked again; then twice as long..."""

LONGEST_PAUSE = 30.0
"""... up to this."""

CHANCES = 3
"""How often a server is asked again that has worked, or is crowded, and takes no connection at all."""


class Growth:
    """Decides when a pool may open another connection.

    A connection that cannot be had says that as many as there are is what the server takes.
    After a pause it is asked for one more.

    :param limit: connections at once.
    """

    def __init__(self, clock: IReactorTime, limit: int) -> None:
        self._clock = clock
        self._limit = limit
        self._known = limit  # so many were taken, or never refused
        self._pause = FIRST_PAUSE
        self._next = 0.0  # when one more than the server took may be opened
        self._chances = CHANCES
        self._has_worked = False
        self._is_probing = False  # one more than was taken is being opened

    def may_open(self, number: int) -> bool:
        """Whether another one may be opened beside so many."""
        return number < self._limit and (number < self._known or self._clock.seconds() >= self._next)

    def due(self, number: int) -> float | None:
        """When `may_open` will be true with so many as there are, if time alone can bring that."""
        return None if number >= self._limit or number < self._known else self._next

    def begun(self, number: int) -> None:
        """There are so many now, with one that is being opened."""
        if number > self._known:
            self._known = number
            self._is_probing = True
            self._wait()

    def succeeded(self) -> None:
        """A connection can be used."""
        self._chances = CHANCES
        self._has_worked = True

    def served(self) -> None:
        """Something was answered over a new connection; some servers welcome more than they serve."""
        if self._is_probing:  # there is room again, perhaps for more
            self._is_probing = False
            self._pause = FIRST_PAUSE
            self._next = self._clock.seconds()

    def failed(self, number: int, *, is_permanent: bool = False) -> None:
        """One could not be had; so many are left.

        :param is_permanent: whether asking again soon would do no good, as with a wrong password.
        """
        self._known = number
        self._is_probing = False
        if is_permanent:
            self._pause = LONGEST_PAUSE
        if self._clock.seconds() >= self._next:  # not one of several that were begun together
            self._wait()

    def has_chance(self, *, is_crowded: bool) -> bool:
        """Whether a server that takes no connection at all is to be asked again: not for ever.

        :param is_crowded: whether it is there, and said that it has no room now.
        """
        if not (self._has_worked or is_crowded):
            return False
        self._chances -= 1
        return self._chances >= 0

    def gave_up(self) -> None:
        """All who waited were told; the next job may try at once, with one connection."""
        self._chances = CHANCES
        self._has_worked = False
        self._known = 1
        self._pause = FIRST_PAUSE
        self._next = self._clock.seconds()

    def _wait(self) -> None:
        self._next = self._clock.seconds() + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
