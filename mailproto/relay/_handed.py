"""Messages that the queue hands over when it accepts them (`IHandover`)."""

from __future__ import annotations

from collections.abc import Callable

from mailproto._twisted_arguments import provided
from mailproto.interfaces import IHandover, IQueue
from mailproto.model import Lease
from mailproto.relay._destination import Destination, Held
from mailproto.relay._leases import Leases
from mailproto.typing import ReactorTime

__all__ = ["Handed"]


class Handed:
    """Takes new messages, if the queue hands them over.

    :param may_take: the destination with this name if one for it may be leased at once; None if it must wait
        in the queue.
    :param destination: the same destination, when it comes.
    :param start: sends what waits for a destination.
    :param give_back: gives back what must not be sent now.
    """

    def __init__(
        self,
        clock: ReactorTime,
        leases: Leases,
        *,
        may_take: Callable[[str], Destination | None],
        destination: Callable[[str], Destination],
        start: Callable[[Destination], None],
        give_back: Callable[[Held], None],
    ) -> None:
        self._clock = clock
        self._leases = leases
        self._may_take = may_take
        self._destination = destination
        self._start = start
        self._give_back = give_back
        self._fed: dict[Destination, None] = {}  # those that got messages from the same commit
        self._end: Callable[[], None] | None = None
        self._has_ended = False

    def begin(self, queue: IQueue) -> None:
        """Take messages from now on."""
        handover = provided(IHandover, queue)
        if handover is not None:
            self._end = handover.hand_over(self._reserve, self._take)

    def end(self) -> None:
        """Take no more; those that are coming are given back."""
        self._has_ended = True
        if self._end is not None:
            self._end()

    def _reserve(self, name: str) -> float:
        destination = self._may_take(name)
        return 0.0 if destination is None else self._leases.reserve(destination)

    def _take(self, name: str, lease: Lease | None) -> None:
        destination = self._destination(name)
        held = self._leases.take(destination, lease)
        if held is None:
            return
        if self._has_ended or destination.is_leaving:
            self._give_back(held)
            return
        destination.add(held)
        if not self._fed:
            self._clock.callLater(0, self._send)  # connections take several messages at a time
        self._fed[destination] = None

    def _send(self) -> None:
        fed, self._fed = self._fed, {}
        for destination in fed:
            self._start(destination)
