"""How much of the time the builder works: little while the store is in use."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Pace"]

STRETCH = 0.001
"""Seconds of work between two rests: so long does the reactor wait for the interpreter lock."""

IDLE_SHARE = 0.85
"""The part of the time in which the builder works while the store is not in use."""

BUSY_SHARE = 0.06
"""The same while the store is in use: what clients wait for comes first, and the index can wait.

With a quarter of the time, a mailbox was filled at two thirds of the speed, and flags of 10,000 messages
were set at a quarter of it: each statement of the writer waits for the interpreter lock.
"""

HURRY_SHARE = 0.95
"""The part of the time in which it works while somebody waits for the index."""

BUSY_FOR = 0.25
"""Seconds after a use for which the store counts as in use."""

_SLEEP = 0.05


class Pace:
    """Rests in proportion to the work; for the builder's thread, but for what says otherwise.

    :param is_stopped: whether rests must end.
    """

    def __init__(self, is_stopped: Callable[[], bool]) -> None:
        self._is_stopped = is_stopped
        self._used = -BUSY_FOR
        self._since = 0.0
        self.in_hurry = False

    def used(self) -> None:
        """The store is in use now; may be called often, from any thread."""
        self._used = time.monotonic()

    def begin(self) -> None:
        """Work begins."""
        self._since = time.monotonic()

    def breathe(self) -> None:
        """Rest if the work was long enough."""
        if time.monotonic() - self._since >= STRETCH:
            self.rest()

    def rest(self) -> None:
        """Rest for what was done since the last rest."""
        now = time.monotonic()
        worked = now - self._since
        while not self._is_stopped() and now < (end := self._since + worked / self._share()):
            time.sleep(min(end - now, _SLEEP))
            now = time.monotonic()
        self._since = now

    def _share(self) -> float:
        if self.in_hurry:
            return HURRY_SHARE
        return BUSY_SHARE if time.monotonic() - self._used < BUSY_FOR else IDLE_SHARE
