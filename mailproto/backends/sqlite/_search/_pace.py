"""How much of the time the builder works: what the rest of the process leaves free."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Pace"]

STRETCH = 0.001
"""Seconds of work between two rests: so long does the reactor wait for the interpreter lock."""

IDLE_SHARE = 0.85
"""The part of the time in which the builder works while the store is not in use."""

READING_SHARE = 0.5
"""The part of the time that others leave free, in which it works while the store is read."""

WAITING_SHARE = 0.25
"""The same while mail comes, or somebody waits for a search of texts."""

LEAST_SHARE = 0.06
"""The least part of the time in which it works."""

HURRY_SHARE = 0.95
"""The part of the time in which it works while somebody waits for the index."""

BUSY_FOR = 0.25
"""Seconds after a use for which the store counts as in use."""

MEASURED = 0.05
"""Seconds over which the work of others is measured."""

_SLEEP = 0.05

_RESTS = 8  # of which the delays are averaged


class Pace:
    """Rests in proportion to the work; for the builder's thread, but for what says otherwise.

    :param is_stopped: whether rests must end.
    """

    def __init__(self, is_stopped: Callable[[], bool]) -> None:
        self._is_stopped = is_stopped
        self._used = self._awaited = -BUSY_FOR
        self._late = 0.0
        self._since = 0.0
        self._others = 0.0
        self._measured = (0.0, 0.0)
        self.in_hurry = False

    def used(self) -> None:
        """The store is in use now; may be called often, from any thread."""
        self._used = time.monotonic()

    def awaited(self) -> None:
        """Mail comes now, or somebody waits for a search of texts; from any thread."""
        self._awaited = time.monotonic()

    def begin(self) -> None:
        """Work begins."""
        self._since = time.monotonic()

    def breathe(self) -> None:
        """Rest if the work was long enough."""
        if time.monotonic() - self._since >= STRETCH:
            self.rest()

    def rest(self) -> None:
        """Rest for what was done since the last rest."""
        began = now = time.monotonic()
        worked = now - self._since
        self._measure(now)
        end = began
        while not self._is_stopped():
            end = self._since + worked / self._share()
            if now >= end:
                break
            time.sleep(min(end - now, _SLEEP))
            now = time.monotonic()
        self._since = now
        if now > began:
            # Who wakes up late waits for the interpreter lock, or for a processor.
            self._late += (max(0.0, now - end) / (now - began) - self._late) / _RESTS

    def _share(self) -> float:
        if self.in_hurry:
            return HURRY_SHARE
        now = time.monotonic()
        if now - self._awaited < BUSY_FOR:
            share = WAITING_SHARE
        elif now - self._used < BUSY_FOR:
            share = READING_SHARE
        else:
            return IDLE_SHARE
        return max(LEAST_SHARE, share * (1 - self._others - self._late))

    def _measure(self, now: float) -> None:
        """Learn how much of the time other threads work."""
        then, their_then = self._measured
        if now - then >= MEASURED:
            theirs = time.process_time() - time.thread_time()
            self._others = (theirs - their_then) / (now - then)
            self._measured = now, theirs
