"""Looks for a client's next command a moment longer, before the reactor sleeps.

To sleep, to be woken and to learn through the reactor what is ready takes longer than many commands do.
A client that asks for one message after another often has its next command on the way by then.  So the
`Turn` stays for a moment if a connection expects a command (`Connection.when_sent`).  That uses the
processor, so it is done only as long as it succeeds.
"""

from __future__ import annotations

from typing import Any, Final

__all__ = ["STAY", "Stay"]

STAY: Final = 0.0005
"""Seconds for which a `Turn` may stay before the reactor does its other work."""

MOMENT: Final = 0.0001
"""Seconds for which we look: about what sleeping costs in a virtual machine."""

LOOKS: Final = 128
"""How often we look in a moment."""

MOST_RESTS: Final = 63
"""How many moments are left out at most, after some in vain: one after the first, three after the second in a
row, then seven, and so on."""


class Stay:
    """Decides whether to look, and looks.

    :param reactor: has the time.
    :param epoll: the descriptors.
    """

    def __init__(self, reactor: Any, epoll: Any) -> None:
        self._reactor = reactor
        self._epoll = epoll
        self._rests = 0  # how many moments are still left out
        self._in_vain = (
            0  # how many were left out after the latest one in vain, if it was not followed by another
        )

    def look(self, end: float, most: int) -> list[tuple[int, int]]:
        """What is ready, as ``epoll.poll`` tells it; nothing if nothing comes soon, or if it is ``end``."""
        if self._rests:
            self._rests -= 1
            return []
        seconds, poll = self._reactor.seconds, self._epoll.poll
        now = seconds()
        if now >= end:
            return []
        stop = now + MOMENT
        for _ in range(LOOKS):
            found: list[tuple[int, int]] = poll(0, most)
            if found:
                self._in_vain = 0
                return found
            if not now <= seconds() < stop:
                break
        self._rests = self._in_vain = min(2 * self._in_vain + 1, MOST_RESTS)
        return []
