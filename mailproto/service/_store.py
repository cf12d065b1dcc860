"""The store, as a service: opened before anything that needs it, and closed after that."""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred

from mailproto.backends import open_store
from mailproto.errors import MailError, StoreUnusable
from mailproto.interfaces import IStore
from mailproto.service._data import DataService
from mailproto.service._reasons import store_error
from mailproto.service._settings import SettingError

__all__ = ["StoreService"]


class StoreService(Service):
    """Where mail is kept.

    :ivar store: from `startService` to `stopService`.
    """

    store: IStore

    def __init__(self, url: str, data: DataService, *, reactor: Any) -> None:
        self._url = url
        self._data = data
        self._reactor = reactor
        self._is_open = False

    def startService(self) -> Deferred[None]:
        """Open it.  The result fails with `SettingError` when that is not possible."""
        super().startService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._open())

    def stopService(self) -> Deferred[None]:
        """Close it; everything is on disk when the result arrives."""
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._close())

    def problem(self, reason: str) -> SettingError:
        """What to say when it cannot be used."""
        return SettingError("store", reason, value=self._url)

    async def _open(self) -> None:
        try:
            self.store = open_store(self._url, str(self._data.folder), self._reactor)
        except ValueError as error:
            raise self.problem(str(error)) from None
        try:
            await self.store.start()
        except (StoreUnusable, MailError, OSError) as error:
            raise self.problem(store_error(error, getattr(self.store, "path", None))) from None
        self._is_open = True

    async def _close(self) -> None:
        if self._is_open:
            self._is_open = False
            await self.store.stop()
