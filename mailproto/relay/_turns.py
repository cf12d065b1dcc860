"""Long work in short turns of the reactor, for what belongs to no connection."""

from __future__ import annotations

from typing import Final

from twisted.internet.defer import Deferred

from mailproto.typing import ReactorTime

__all__ = ["Turn"]

LONGEST: Final = 0.002
"""Seconds of a turn."""


class Turn:
    """A turn that has begun::

    turn = Turn(clock)
    for each in many:
        work(each)
        if turn.is_over:
            await turn.next()
    """

    __slots__ = ("_began", "_clock")

    def __init__(self, clock: ReactorTime) -> None:
        self._clock = clock
        self._began = clock.seconds()

    @property
    def is_over(self) -> bool:
        """Whether others must have their turn now."""
        return self._clock.seconds() - self._began >= LONGEST

    async def next(self) -> None:
        """Wait for the reactor's next turn."""
        waiting: Deferred[None] = Deferred()
        self._clock.callLater(0, waiting.callback, None)
        await waiting
        self._began = self._clock.seconds()
