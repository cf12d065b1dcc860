"""Notices that the server has closed a connection from which nothing is read."""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall

from mailproto._twisted_internals import socket_below
from mailproto.typing import ReactorTime

__all__ = ["FarEnd", "far_end_has_closed"]

INTERVAL: Final = 1.0
"""Seconds between two looks."""

# The last one is Linux's: nothing more comes after what has arrived.
_CLOSED: Final = select.POLLHUP | select.POLLERR | select.POLLNVAL | getattr(select, "POLLRDHUP", 0)


class FarEnd:
    """Looks from time to time whether the server has closed: a reactor notices that only when it reads.

    It is not seen as long as the server's system still has octets to send, for which there is no room here.

    :param closed: called when it has.
    :ivar has_closed: whether it has.
    """

    def __init__(self, clock: ReactorTime, closed: Callable[[], None]) -> None:
        self._clock = clock
        self._closed = closed
        self._next: IDelayedCall | None = None
        self.has_closed = False

    def watch(self, transport: Any) -> None:
        """Begin to look."""
        self._next = self._clock.callLater(INTERVAL, self._look, transport)

    def _look(self, transport: Any) -> None:
        self._next = None
        if far_end_has_closed(transport):
            self.has_closed = True
            self._closed()
        else:
            self.watch(transport)

    def stop(self) -> None:
        """Look no more."""
        if self._next is not None:
            self._next.cancel()
            self._next = None


def far_end_has_closed(transport: Any) -> bool:
    """Whether nothing can come any more but what has arrived; False if the system does not tell."""
    socket = socket_below(transport)
    if socket is None or socket.fileno() < 0:
        return False
    poll = select.poll()
    poll.register(socket, getattr(select, "POLLRDHUP", 0))
    return any(events & _CLOSED for _, events in poll.poll(0))
