"""Files of the operator that are read again when they have changed."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool

from mailproto._logger import PackageLogger

__all__ = ["LOOK_INTERVAL", "FileState", "FileWatch", "state_of"]

T = TypeVar("T")

LOOK_INTERVAL = 20.0
"""Seconds between checks whether files have changed."""

FileState: TypeAlias = tuple[int, ...] | None
"""The state of a file: it changes when the file does; None if it is not there."""


def state_of(file: Path) -> FileState:
    """The state of a file now."""
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


class FileWatch:
    """Looks at files again and again.

    :param look: called each time; its errors are logged, and end nothing.
    :param what: what is read, for the log.
    """

    log = PackageLogger()

    def __init__(self, reactor: Any, look: Callable[[], Awaitable[None]], what: str) -> None:
        self._reactor = reactor
        self._look = look
        self._what = what
        self._looks = LoopingCall(lambda: Deferred.fromCoroutine(self._caught()))
        self._looks.clock = reactor

    def start(self) -> None:
        """Begin; the first look is later."""
        self._looks.start(LOOK_INTERVAL, now=False)

    def stop(self) -> None:
        """End, if it has begun."""
        if self._looks.running:
            self._looks.stop()

    def in_thread(self, work: Callable[[], T]) -> Deferred[T]:
        """Read files without holding the reactor."""
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), work)

    async def _caught(self) -> None:
        try:
            await self._look()
        except Exception:  # the next look must still take place
            self.log.failure("error while reading {what} again", what=self._what)
