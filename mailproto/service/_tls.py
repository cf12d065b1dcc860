"""A service that reads the server's certificate at the start, and again when it is renewed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from time import time
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import DeferredLock

from mailproto._logger import PackageLogger
from mailproto.service._data import DataService, check_access, lock_folder
from mailproto.service._reasons import file_error
from mailproto.service._setting_error import SettingError
from mailproto.service._settings import TLSSettings
from mailproto.service._watched_files import FileState, FileWatch, state_of
from mailproto.tls import ServerTLS, TLSFilesError, ensure_self_signed, server_tls

__all__ = ["TLSService"]


class TLSService(Service):
    """Provides the contexts for TLS.

    Renewed files are noticed within a minute.  If certificate and key do not match, they are checked again
    later, because only one of them may have been renewed so far; if they still do not match, a warning is
    logged.  The old certificate stays in use until a new one is valid.  Connections are not affected.

    :ivar server: for clients that deliver mail (SMTP and LMTP).
    :ivar account_server: for clients that sign in: it may ask for a client certificate, and refuses one
        from another authority.  `server` does not ask, because other mail servers may have certificates of
        any authority.
    """

    log = PackageLogger()
    server: ServerTLS
    account_server: ServerTLS

    def __init__(self, settings: TLSSettings, hostname: str, data: DataService, *, reactor: Any) -> None:
        self._settings = settings
        self._hostname = hostname
        self._data = data
        self._seen: Sequence[FileState] = ()  # of the files in use
        self._failed: Sequence[FileState] | None = None  # of files that could not be used at the last check
        self._warned_about: Sequence[FileState] | None = None  # of files about which a warning was logged
        self._lock = DeferredLock()  # so that the files that were read last are used in the end
        self._watch = FileWatch(reactor, self._look, "the TLS certificate")

    def startService(self) -> None:
        """Read the files.

        :raises SettingError: the files cannot be used.
        """
        super().startService()  # type: ignore[no-untyped-call]
        certificate, key = self._files()
        self._seen = self._signature()
        try:
            self.server = server_tls(certificate, key)
            self.account_server = server_tls(certificate, key, client_ca=self._settings.client_ca)
        except TLSFilesError as error:
            raise self._setting_error(error) from None
        self._warn_if_expired()
        self._watch.start()

    def stopService(self) -> None:
        """Stop checking the files."""
        super().stopService()  # type: ignore[no-untyped-call]
        self._watch.stop()

    async def reload(self) -> None:
        """Read the files again, and log the result; never raises because of their content."""
        if self.running:
            await self._renew(self._signature(), is_told=True)

    async def _look(self) -> None:
        signature = self._signature()
        if signature != self._seen:
            # Files that failed at the last check and have not changed since are not just being written.
            is_told = signature == self._failed and signature != self._warned_about
            await self._renew(signature, is_told=is_told)

    async def _renew(self, signature: Sequence[FileState], *, is_told: bool) -> None:
        async with self._lock:
            await self._renew_alone(signature, is_told=is_told)

    async def _renew_alone(self, signature: Sequence[FileState], *, is_told: bool) -> None:
        try:
            self._files()
            prepared = await self._watch.in_thread(self._prepare)
        except (TLSFilesError, SettingError, OSError) as error:
            self._failed = signature
            if is_told:
                self._warned_about = signature
                reason = self._setting_error(error).reason if isinstance(error, TLSFilesError) else error
                self.log.warn("The TLS certificate in use stays: {reason}", reason=reason)
            return
        for use in prepared:
            use()
        self._seen, self._failed, self._warned_about = signature, None, None
        self.log.info("TLS certificate read again: {certificate}", certificate=self.server.description)
        self._warn_if_expired()

    def _warn_if_expired(self) -> None:
        if self.server.not_after < time():
            self.log.warn(
                "The TLS certificate has expired, clients will not take it: {certificate}: renew it",
                certificate=self.server.description,
            )

    def _prepare(self) -> list[Callable[[], None]]:
        return [each.prepare() for each in (self.server, self.account_server)]

    def _files(self) -> tuple[Path, Path]:
        """The files of certificate and key; a self-signed pair is made if necessary.

        :raises SettingError:
        """
        settings = self._settings
        if settings.certificate is not None and settings.key is not None:
            return settings.certificate, settings.key
        folder = self._data.folder
        try:
            for name in ("tls-cert.pem", "tls-key.pem"):
                # A certificate that cannot be read is not replaced, because clients may have stored it.
                check_access(folder / name, os.R_OK)
            with lock_folder(folder):
                return ensure_self_signed(folder, self._hostname)
        except OSError as error:
            raise SettingError("data", file_error(error, folder)) from None

    def _signature(self) -> Sequence[FileState]:
        folder, settings = self._data.folder, self._settings
        files = [
            settings.certificate or folder / "tls-cert.pem",
            settings.key or folder / "tls-key.pem",
            *([] if settings.client_ca is None else [settings.client_ca]),
        ]
        return [state_of(file) for file in files]

    def _setting_error(self, error: TLSFilesError) -> SettingError:
        """The error with the setting that it is about."""
        settings = self._settings
        names = {settings.client_ca: "tls.client_ca", settings.key: "tls.key"}
        names[settings.certificate] = "tls.certificate"
        reason = str(error)
        try:
            check_access(error.file, os.R_OK)
        except OSError as denied:
            reason = file_error(denied, error.file)
        return SettingError(names.get(error.file, "data"), reason)
