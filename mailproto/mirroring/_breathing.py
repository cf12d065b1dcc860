"""Lets others use the reactor while much is to be done."""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, TypeVar

from twisted.internet.task import deferLater

from mailproto._in_thread import in_thread
from mailproto.content import Content

__all__ = ["Breather"]

T = TypeVar("T")

_AT_ONCE = 0.004
"""Seconds after which others have their turn."""


class Breather:
    """Gives the reactor to others from time to time.

    :param clock: the reactor, or a `twisted.internet.task.Clock`.
    """

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self._since = time.perf_counter()

    async def breathe(self) -> None:
        """Wait for the reactor's next turn, if this one is long."""
        if time.perf_counter() - self._since > _AT_ONCE:
            await deferLater(self._clock, 0)
            self._since = time.perf_counter()

    async def each(self, items: Iterable[T]) -> AsyncIterator[T]:
        """The items, and turns for others between them."""
        for item in items:
            yield item
            await self.breathe()

    async def aside(self, function: Callable[[], T]) -> T:
        """Call a function that waits for the disk, in a thread if there are threads; its result."""
        return await in_thread(self._clock, function)

    async def digest(self, content: Content) -> bytes:
        """SHA-256 of a message's octets."""
        found = hashlib.sha256()
        for octets in content.chunks():
            found.update(octets)
            await self.breathe()
        return found.digest()
