"""What `IStore.deliver` promises."""

from __future__ import annotations

from twisted.internet.defer import gatherResults

from mailproto.errors import NoSuchAccount
from mailproto.model import INBOX, NewMessage, Part
from mailproto.testing._fixture import ALICE, TEXT, StoreFixture, deferred, new

__all__ = ["DeliveryConformance"]


class DeliveryConformance(StoreFixture):
    """Mail that comes by SMTP."""

    async def test_each_account_gets_it_or_says_why_not(self) -> None:
        await self.store.directory.add("bob@example.org", "")
        outcomes = await self.store.deliver(
            ["ALICE@example.org", "nobody@example.org", "bob@example.org"], new()
        )
        self.assertEqual([outcomes[0], outcomes[2]], [None, None])
        self.assertIsInstance(outcomes[1], NoSuchAccount)
        for name in (ALICE, "bob@example.org"):
            inbox = await (await self.store.account(name)).open(INBOX)
            [info] = await inbox.read([1], Part.CONTENT | Part.SIZE)
            self.assertEqual((bytes(info.content or b""), info.size), (TEXT, len(TEXT)))
            status = await inbox.status()
            self.assertEqual((status.messages, status.recent, status.unseen), (1, 1, 1))

    async def test_nobody(self) -> None:
        self.assertEqual(list(await self.store.deliver([], new())), [])
        [outcome] = await self.store.deliver(["nobody@example.org"], new())
        self.assertIsInstance(outcome, NoSuchAccount)

    async def test_flags_and_date_are_kept(self) -> None:
        await self.store.deliver([ALICE], NewMessage(TEXT, frozenset({"\\Flagged"}), 1_000_000_000))
        inbox = await self.inbox()
        [flags] = (await inbox.changes_since(0)).changed
        [info] = await inbox.read([1], Part.INTERNAL_DATE)
        self.assertEqual((flags.flags, info.internal_date), (frozenset({"\\Flagged"}), 1_000_000_000))

    async def test_many_at_a_time(self) -> None:
        names = [ALICE, "nobody@example.org"]
        outcomes = await gatherResults([deferred(self.store.deliver(names, new())) for _ in range(50)])
        self.assertEqual([outcome[0] for outcome in outcomes], [None] * 50)
        self.assertEqual({type(outcome[1]) for outcome in outcomes}, {NoSuchAccount})
        self.assertEqual(await self.uids(await self.inbox()), list(range(1, 51)))

    async def test_watchers_are_told(self) -> None:
        updates: list[int] = []
        inbox = await self.inbox()
        inbox.watch(updates.append)
        await self.store.deliver([ALICE], new())
        now = (await inbox.status()).modseq
        await self.eventually(lambda: updates[-1:] == [now])
