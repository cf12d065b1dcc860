"""How many annotations an account may have."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from mailproto.backends import MemoryStore, SQLiteStore, _annotations
from mailproto.errors import TooManyAnnotations
from mailproto.interfaces import IStore

ALICE = "alice@example.org"


class LimitTests(TestCase):
    def make_store(self) -> IStore:
        return MemoryStore()

    async def setUp(self) -> None:
        self.store: Any = self.make_store()
        await self.store.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(self.store.stop()))
        await self.store.directory.add(ALICE, "")
        self.account = await self.store.account(ALICE)

    async def annotate(self, mailbox: str = "INBOX", /, **values: bytes | None) -> None:
        await self.account.annotate(mailbox, {f"/shared/{name}": value for name, value in values.items()})

    async def assert_too_many(self, mailbox: str = "INBOX", /, **values: bytes | None) -> None:
        with self.assertRaises(TooManyAnnotations) as caught:
            await self.annotate(mailbox, **values)
        error = caught.exception
        self.assertEqual(error.imap, "METADATA TOOMANY")

    async def names(self, mailbox: str = "INBOX") -> list[str]:
        found = await self.account.annotations(mailbox, ["/shared"], None)
        return [name.removeprefix("/shared/") for name in found]

    async def test_number(self) -> None:
        self.patch(_annotations, "MAX_ANNOTATIONS", 3)
        await self.annotate(a=b"", b=b"")
        await self.assert_too_many(c=b"", d=b"")
        self.assertEqual(await self.names(), ["a", "b"])
        await self.annotate("Sent", c=b"")
        await self.assert_too_many(d=b"")
        await self.annotate(a=b"changed", b=b"changed")

    async def test_removed_ones_make_room(self) -> None:
        self.patch(_annotations, "MAX_ANNOTATIONS", 3)
        for name in "abcdefghij":
            await self.annotate(**{name: b""})
            await self.annotate(**{name: None})
        await self.annotate(a=b"", b=b"", c=b"")
        await self.assert_too_many(d=b"")
        await self.annotate(a=None, d=b"")
        self.assertEqual(await self.names(), ["b", "c", "d"])
        await self.account.create("work")
        await self.annotate(b=None, c=None)
        await self.annotate("work", b=b"", c=b"")
        await self.account.delete("work")
        await self.annotate(b=b"", c=b"")

    async def test_octets(self) -> None:
        self.patch(_annotations, "MAX_ANNOTATIONS_OCTETS", 40)
        await self.annotate(a=b"x" * 30)
        await self.assert_too_many(a=b"x" * 32)
        await self.assert_too_many(b=b"")
        await self.annotate(a=b"x" * 31)
        await self.annotate(a=b"")
        await self.annotate(b=b"x" * 20)


class SQLiteLimitTests(LimitTests):
    def make_store(self) -> IStore:
        reactor: Any = installed
        return SQLiteStore(self.mktemp(), reactor=reactor)
