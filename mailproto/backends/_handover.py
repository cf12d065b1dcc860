"""Hands messages to whoever sends them in this process, as soon as the queue has accepted them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from mailproto._logger import PackageLogger
from mailproto.model import Lease, NewQueued

__all__ = ["Handover", "Offer"]


class _Taker(NamedTuple):
    """The arguments of `IHandover.hand_over`."""

    reserve: Callable[[str], float]
    take: Callable[[str, Lease | None], None]


class Offer:
    """What is asked for some messages.

    :ivar until: for each message, until when its only recipient is leased if it is next; 0.0 not to lease it.
    """

    _log = PackageLogger()

    def __init__(self, taker: _Taker, messages: Sequence[NewQueued]) -> None:
        self._taker = taker
        self._names = [_only_destination(each) for each in messages]
        self.until = [taker.reserve(name) if name else 0.0 for name in self._names]

    def answer(self, leases: Sequence[Lease | None]) -> None:
        """Tell what was leased, for each message; nothing if they were not accepted."""
        for at, (name, until) in enumerate(zip(self._names, self.until, strict=True)):
            if until:
                try:
                    self._taker.take(name, leases[at] if leases else None)
                except Exception:
                    self._log.failure("a new message was not taken: it is sent when its lease has run out")


class Handover:
    """Who takes new messages, if anybody does."""

    def __init__(self) -> None:
        self._takers: list[_Taker] = []

    def begin(
        self, reserve: Callable[[str], float], take: Callable[[str, Lease | None], None]
    ) -> Callable[[], None]:
        """See `IHandover.hand_over`."""
        taker = _Taker(reserve, take)
        self._takers.append(taker)

        def end() -> None:
            self._takers = [each for each in self._takers if each is not taker]

        return end

    def offer(self, messages: Sequence[NewQueued]) -> Offer | None:
        """Ask the first taker, if there is any; the offer must be answered once."""
        return Offer(self._takers[0], messages) if self._takers else None


def _only_destination(message: NewQueued) -> str:
    """The destination of a message that is due and has one recipient elsewhere; "" if it is not so."""
    if message.due > message.arrived:
        return ""
    destinations = message.destinations
    if len(destinations) > 1:
        destinations = tuple(name for name in destinations if name is not None)
    return destinations[0] or "" if len(destinations) == 1 else ""
