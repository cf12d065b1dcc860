"""The order in which sessions with long commands go on."""

from __future__ import annotations

from collections import deque

from twisted.internet.defer import Deferred

from mailproto.typing import ReactorTime

__all__ = ["Turns"]


class Turns:
    """Lets one waiting session go on in each of the reactor's iterations.

    If all of them went on at once, all other connections would wait for a slice of each.
    """

    def __init__(self, clock: ReactorTime) -> None:
        self._clock = clock
        self._waiting: deque[Deferred[None]] = deque()

    def wait(self) -> Deferred[None]:
        """Wait for a turn, after the sessions that wait already."""
        turn: Deferred[None] = Deferred()
        self._waiting.append(turn)
        if len(self._waiting) == 1:
            self._clock.callLater(0, self._next)
        return turn

    def _next(self) -> None:
        turn = self._waiting.popleft()
        if self._waiting:
            self._clock.callLater(0, self._next)
        turn.callback(None)
