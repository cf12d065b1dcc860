"""``--quota``: the limits of accounts that have none of their own."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor as installed
from twisted.trial.unittest import TestCase
from zope.interface import implementer_only

from mailproto.backends import MemoryStore
from mailproto.interfaces import IStore
from mailproto.model import QuotaLimits
from mailproto.service import QuotaSettings, SettingError, _store
from mailproto.service._store import StoreService

ALICE = "alice@example.org"


class Opened(MemoryStore):
    """One with an account, as if it had been there before."""

    def __init__(self) -> None:
        super().__init__()
        self.directory.insert(ALICE, "")


@implementer_only(IStore)
class Small(Opened):
    """One that says nothing of quotas."""


class QuotaTests(TestCase):
    async def opened(self, quota: QuotaSettings, store: MemoryStore | None = None) -> StoreService:
        self.patch(_store, "open_store", lambda *_: store or Opened())
        reactor: Any = installed
        data: Any = type("Data", (), {"folder": self.mktemp()})
        service = StoreService("memory:", quota, data, reactor=reactor)
        await service.startService()
        return service

    async def test_every_server_sets_them_anew(self) -> None:
        store = Opened()
        await self.opened(QuotaSettings(storage=1000, messages=5), store)
        quota = await store.quota_of(ALICE)
        self.assertEqual((quota.storage.limit, quota.messages.limit), (1000, 5))
        await store.set_limits(ALICE, QuotaLimits(messages=7))
        await self.opened(QuotaSettings(), store)
        quota = await store.quota_of(ALICE)
        self.assertEqual((quota.storage.limit, quota.messages.limit), (None, 7))

    async def test_a_store_without_quotas(self) -> None:
        store = Small()
        await self.opened(QuotaSettings(), store)
        with self.assertRaises(SettingError) as caught:
            await self.opened(QuotaSettings(storage=1), store)
        self.assertEqual(
            (caught.exception.path, caught.exception.reason), ("quota", "this store has no quotas")
        )
