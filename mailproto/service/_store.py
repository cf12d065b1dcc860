"""A service that opens and closes the store."""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred

from mailproto.awaiting import settle
from mailproto.backends import open_store
from mailproto.errors import MailError, StoreUnusable
from mailproto.interfaces import IStore
from mailproto.interfaces.add_ons import IIndexed, IQuotas
from mailproto.model import QuotaLimits
from mailproto.service._data import DataService
from mailproto.service._reasons import store_error
from mailproto.service._setting_error import SettingError
from mailproto.service._settings import QuotaSettings

__all__ = ["StoreService"]


class StoreService(Service):
    """Opens the store at the start, and closes it at the end.

    :param search_index: whether texts are indexed, if the store can do that (`IIndexed`).
    :ivar store: exists from `startService` to `stopService`.
    """

    store: IStore

    def __init__(
        self, url: str, quota: QuotaSettings, data: DataService, *, search_index: bool = True, reactor: Any
    ) -> None:
        self._url = url
        self._quota = quota
        self._search_index = search_index
        self._data = data
        self._reactor = reactor
        self._is_open = False

    def startService(self) -> Deferred[None]:
        """Open the store.  The result fails with `SettingError` if that is not possible."""
        super().startService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._open())

    def stopService(self) -> Deferred[None]:
        """Close the store; everything is on disk when the result arrives."""
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._close())

    def problem(self, reason: str) -> SettingError:
        """The error for a store that cannot be used."""
        return SettingError("store", reason, value=self._url)

    async def _open(self) -> None:
        try:
            self.store = open_store(self._url, str(self._data.folder), self._reactor)
        except ValueError as error:
            raise self.problem(str(error)) from None
        if IIndexed.providedBy(self.store):
            self.store.use_index(texts=self._search_index)
        try:
            await settle(self.store.start())
        except (StoreUnusable, MailError, OSError) as error:
            raise self.problem(store_error(error, getattr(self.store, "path", None))) from None
        self._is_open = True
        await self._set_limits()

    async def _set_limits(self) -> None:
        """Set the accounts' default limits, or none."""
        limits = QuotaLimits(self._quota.storage, self._quota.messages)
        if IQuotas.providedBy(self.store):
            try:
                await settle(self.store.set_default_limits(limits))
            except MailError as error:
                raise self.problem(store_error(error, getattr(self.store, "path", None))) from None
        elif limits != QuotaLimits():
            raise SettingError("quota", "this store has no quotas", value=self._url)

    async def _close(self) -> None:
        if self._is_open:
            self._is_open = False
            await settle(self.store.stop())
