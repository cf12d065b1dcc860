"""Decides when a pool may open another connection."""

from __future__ import annotations

from mailproto.typing import ReactorTime

__all__ = ["Growth"]

FIRST_PAUSE = 1.0
"""Seconds after which the pool tries again for another connection; each further pause is twice as
long..."""

LONGEST_PAUSE = 30.0
"""... up to this."""

CHANCES = 3
"""How often the pool tries again if the server worked before, or is crowded, but accepts no connection."""


class Growth:
    """Decides when a pool may open another connection.

    If a connection cannot be opened, the present number is taken as the server's limit. After a pause, the
    pool tries one more.

    :param limit: the most simultaneous connections.
    """

    def __init__(self, clock: ReactorTime, limit: int) -> None:
        self._clock = clock
        self._limit = limit
        self._known = limit  # the number that the server accepted or never refused
        self._pause = FIRST_PAUSE
        self._next = 0.0  # the time when one more than that may be opened
        self._chances = CHANCES
        self._has_worked = False
        self._is_probing = False  # whether one more than that is being opened

    def may_open(self, number: int) -> bool:
        """Whether another connection may be opened, if there are ``number``."""
        return number < self._limit and (number < self._known or self._clock.seconds() >= self._next)

    def due(self, number: int) -> float | None:
        """The time when `may_open` will be true for ``number``; None if that does not depend on time."""
        return None if number >= self._limit or number < self._known else self._next

    def begun(self, number: int) -> None:
        """Another connection is being opened; there are ``number`` now."""
        if number > self._known:
            self._known = number
            self._is_probing = True
            self._wait()

    def succeeded(self) -> None:
        """A new connection can be used."""
        self._chances = CHANCES
        self._has_worked = True

    def served(self) -> None:
        """The server answered over a new connection; some servers greet more connections than they
        serve."""
        if self._is_probing:  # the server may have room for even more
            self._is_probing = False
            self._pause = FIRST_PAUSE
            self._next = self._clock.seconds()

    def failed(self, number: int, *, is_permanent: bool = False) -> None:
        """A connection could not be opened; ``number`` are left.

        :param is_permanent: whether trying again soon is useless, for example after a wrong password.
        """
        self._known = number
        self._is_probing = False
        if is_permanent:
            self._pause = LONGEST_PAUSE
        if self._clock.seconds() >= self._next:  # count only one of several simultaneous failures
            self._wait()

    def has_chance(self, *, is_crowded: bool) -> bool:
        """Whether to try again if the server accepts no connection at all; only a few times.

        :param is_crowded: whether the server answered that it has no room now.
        """
        if not (self._has_worked or is_crowded):
            return False
        self._chances -= 1
        return self._chances >= 0

    def gave_up(self) -> None:
        """All waiting jobs have failed; the next job may try one connection at once."""
        self._chances = CHANCES
        self._has_worked = False
        self._known = 1
        self._pause = FIRST_PAUSE
        self._next = self._clock.seconds()

    def _wait(self) -> None:
        self._next = self._clock.seconds() + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
