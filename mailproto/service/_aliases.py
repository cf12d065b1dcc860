"""A service that reads the file of aliases at the start, and again when it changes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool

from mailproto._logger import PackageLogger
from mailproto.interfaces import IAliases
from mailproto.relay.aliases import AliasFile
from mailproto.service._setting_error import SettingError
from mailproto.service._settings import Settings

__all__ = ["LOOK_INTERVAL", "AliasesService"]

LOOK_INTERVAL = 20.0
"""Seconds between checks whether the file has changed."""


class AliasesService(Service):
    """Provides the aliases.

    A changed file is noticed within a minute, when it stays the same from one check to the next: half a file,
    which somebody is still writing, may look like a good one.  `reload` reads it at once.  If it cannot be
    used, the aliases that were read last stay in use, and the log says why.

    :ivar aliases: None without a file.
    """

    log = PackageLogger()

    def __init__(self, settings: Settings, *, reactor: Any) -> None:
        self._file: Path | None = settings.relay.aliases
        self._domains = settings.domains
        self._reactor = reactor
        self._aliases: AliasFile | None = None
        self._seen: tuple[int, ...] | None = None  # the state of the file that was read last, usable or not
        self._noticed: tuple[int, ...] | None = None  # the state at the last check
        self._lock = DeferredLock()  # so that what was read last is used in the end
        self._looks = LoopingCall(lambda: Deferred.fromCoroutine(self._look()))
        self._looks.clock = reactor

    @property
    def aliases(self) -> IAliases | None:
        """See the class."""
        return self._aliases

    def startService(self) -> None:
        """Read the file.

        :raises SettingError: it cannot be used.
        """
        super().startService()  # type: ignore[no-untyped-call]
        if self._file is None:
            return
        self._seen = self._noticed = _state_of(self._file)
        try:
            self._aliases = AliasFile(self._file, self._domains)
        except ValueError as error:
            raise SettingError("relay.aliases", str(error), value=self._file) from None
        self._looks.start(LOOK_INTERVAL, now=False)

    def stopService(self) -> None:
        """Stop checking the file."""
        super().stopService()  # type: ignore[no-untyped-call]
        if self._looks.running:
            self._looks.stop()

    async def reload(self) -> None:
        """Read the file again, and log the result."""
        if self.running:
            await self._read()

    async def _look(self) -> None:
        if self._file is None:
            return
        before, self._noticed = self._noticed, _state_of(self._file)
        if before == self._noticed != self._seen:
            try:
                await self._read()
            except Exception:  # the next check must still take place
                self.log.failure("error while reading the aliases again")

    async def _read(self) -> None:
        aliases, file = self._aliases, self._file
        if aliases is None or file is None:
            return
        async with self._lock:
            self._seen = _state_of(file)
            try:
                use = await self._in_thread(aliases.prepare)
            except ValueError as error:
                self.log.error("The aliases in use stay: {file}: {reason}", file=file, reason=error)
                return
            use()
        self.log.info("Aliases read again: {number} in {file}", number=len(aliases), file=file)

    def _in_thread(self, work: Callable[[], Callable[[], None]]) -> Deferred[Callable[[], None]]:
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), work)


def _state_of(file: Path) -> tuple[int, ...] | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
