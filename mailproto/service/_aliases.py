"""A service that reads the file of aliases, and what commands need of it."""

from __future__ import annotations

import hmac
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import DeferredLock

from mailproto._logger import PackageLogger
from mailproto.auth.signing_in import ensure_secret
from mailproto.files import write_private
from mailproto.interfaces import IAliases
from mailproto.relay.aliases import SRS, AliasFile
from mailproto.service._data import DataService
from mailproto.service._setting_error import SettingError
from mailproto.service._settings import Settings
from mailproto.service._watched_files import FileState, FileWatch, state_of

__all__ = ["AliasesService", "remembered_aliases", "srs_of"]

_KEPT = "aliases-file"
"""The file in the data folder that has the name of the file of aliases."""


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
        self._aliases: AliasFile | None = None
        self._seen: FileState = None  # the state of the file that was read last, usable or not
        self._noticed: FileState = None  # the state at the last check
        self._lock = DeferredLock()  # so that what was read last is used in the end
        self._watch = FileWatch(reactor, self._look, "the aliases")

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
        self._seen = self._noticed = state_of(self._file)
        try:
            self._aliases = AliasFile(self._file, self._domains)
        except ValueError as error:
            raise SettingError("relay.aliases", str(error), value=self._file) from None
        self._watch.start()

    def stopService(self) -> None:
        """Stop checking the file."""
        super().stopService()  # type: ignore[no-untyped-call]
        self._watch.stop()

    async def reload(self) -> None:
        """Read the file again, and log the result."""
        if self.running:
            await self._read()

    async def _look(self) -> None:
        if self._file is None:
            return
        before, self._noticed = self._noticed, state_of(self._file)
        if before == self._noticed != self._seen:
            await self._read()

    async def _read(self) -> None:
        aliases, file = self._aliases, self._file
        if aliases is None or file is None:
            return
        async with self._lock:
            self._seen = state_of(file)
            try:
                use = await self._watch.in_thread(aliases.prepare)
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
