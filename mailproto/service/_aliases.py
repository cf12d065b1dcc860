"""A service that reads the file of aliases, and what commands need of it."""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool

from mailproto._logger import PackageLogger
from mailproto.auth.signing_in import ensure_secret
from mailproto.files import write_private
from mailproto.interfaces import IAliases
from mailproto.relay.aliases import SRS, AliasFile
from mailproto.service._data import DataService
from mailproto.service._setting_error import SettingError
from mailproto.service._settings import Settings

__all__ = ["LOOK_INTERVAL", "AliasesService", "remembered_aliases", "srs_of"]

_KEPT = "aliases-file"
"""The file in the data folder that has the name of the file of aliases."""

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

    def __init__(self, settings: Settings, data: DataService, *, reactor: Any) -> None:
        self._data = data
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
        self._remember()
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

    def _remember(self) -> None:
        """Keep the file's name for ``mailproto send``."""
        kept = self._data.folder / _KEPT
        try:
            if self._file is None:
                kept.unlink(missing_ok=True)
            else:
                write_private(kept, os.fsencode(self._file.absolute()))
        except OSError as error:
            self.log.warn("mailproto send will not know the aliases: {error}", error=error)

    def _in_thread(self, work: Callable[[], Callable[[], None]]) -> Deferred[Callable[[], None]]:
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), work)


def remembered_aliases(folder: Path, domains: Sequence[str]) -> AliasFile | None:
    """The aliases of the last server that used this data folder.

    :raises ValueError: the file cannot be used.
    :raises OSError: its name cannot be read.
    """
    with suppress(FileNotFoundError, NotADirectoryError):
        file = Path(os.fsdecode((folder / _KEPT).read_bytes()))
        try:
            return AliasFile(file, domains)
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from None
    return None


def srs_of(folder: Path, domains: Sequence[str]) -> SRS:
    """The reverse-paths of this data folder's server, in each of its domains.

    They have a secret of their own, so that an address tells nothing of other uses of the server's secret.

    :raises OSError: the secret cannot be read or made.
    """
    secret = hmac.digest(ensure_secret(folder), b"mailproto SRS", "sha256")
    return SRS(domains[0], secret, domains=domains)


def _state_of(file: Path) -> tuple[int, ...] | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
