"""How much of the time the builder works: what the rest of the process leaves free."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Pace"]

STRETCH = 0.001
"""Seconds of work between two rests: so long does the reactor wait for the interpreter lock."""

IDLE_SHARE = 0.85
"""The part of the time in which the builder works while the store is not in use."""

FREE_SHARE = 0.5
"""The part of the time that all other threads do not work, in which it works while the store is in use."""

LEAST_SHARE = 0.06
"""The least part of the time in which it works."""

HURRY_SHARE = 0.95
"""The part of the time in which it works while somebody waits for the index."""

BUSY_FOR = 0.25
"""Seconds after a use for which the store counts as in use."""

MEASURED = 0.05
"""Seconds over which the work of others is measured."""

_SLEEP = 0.05


class Pace:
    """Rests in proportion to the work; for the builder's thread, but for what says otherwise.

    :param is_stopped: whether rests must end.
    """

    def __init__(self, is_stopped: Callable[[], bool]) -> None:
        self._is_stopped = is_stopped
        self._in_use = 0.0
        self._since = 0.0
        self._others = 0.0
        self._measured = (0.0, 0.0)
        self.in_hurry = False

    def used(self) -> None:
        """The store is in use now; may be called often, from any thread."""
        self._in_use = time.monotonic()

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
        self._measure(now)
        while not self._is_stopped():
            share = self._share()
            left = self._since + worked / share - time.monotonic()
            if left <= 0:
                break
            time.sleep(min(left, _SLEEP))
        self._since = time.monotonic()

    def _share(self) -> float:
        if self.in_hurry:
            return HURRY_SHARE
        if time.monotonic() - self._in_use >= BUSY_FOR:
            return IDLE_SHARE
        return max(LEAST_SHARE, FREE_SHARE * (1 - self._others))

    def _measure(self, now: float) -> None:
        """Learn how much of the time other threads work."""
        then, their_then = self._measured
        if now - then >= MEASURED:
            theirs = time.process_time() - time.thread_time()
            self._others = (theirs - their_then) / (now - then)
            self._measured = now, theirs
