"""Tests of `IReplacing`, if a store provides it."""

from __future__ import annotations

from zope.interface.verify import verifyObject

from mailproto.errors import NoSuchMailbox, NoSuchMessage, OverQuota
from mailproto.interfaces.add_ons import IQuota, IReplacing
from mailproto.model import INBOX, Part, QuotaLimits
from mailproto.testing._fixture import ALICE, TEXT, Offer, StoreFixture, flags_by_uid, needs, new

__all__ = ["ReplacingConformance"]

SIZE = len(TEXT)


@needs(IReplacing, Offer.CHANGES)
class ReplacingConformance(StoreFixture):
    """Tests that a message takes the place of another one, or nothing happens."""

    async def test_replaced_in_the_same_mailbox(self) -> None:
        inbox = await self.inbox(new(), new("\\Seen"), new())
        verifyObject(IReplacing, inbox)
        before = (await inbox.status()).modseq
        for uid, content in ((2, TEXT * 2), (4, TEXT + b"x" * 300_000)):
            appended = await inbox.replace(uid, new("\\Draft", content=content, date=1_000_000_000), inbox)
            changes = await inbox.changes_since(before)
            self.assertEqual(list(changes.vanished), [uid])
            self.assertEqual(flags_by_uid(changes.changed), {appended.uid: {"\\Draft"}})
            self.assertEqual(changes.changed[0].modseq, appended.modseq)
            [info] = await inbox.read([appended.uid], Part.CONTENT | Part.INTERNAL_DATE)
            self.assertEqual((bytes(info.content or b""), info.internal_date), (content, 1_000_000_000))
            before = changes.modseq
        self.assertEqual(await self.uids(inbox), [1, 3, 5])

    async def test_replaced_in_another_mailbox(self) -> None:
        await self.there("Sent")
        inbox, sent = await self.inbox(new()), await self.account.open("Sent")
        appended = await inbox.replace(1, new(), sent)
        self.assertEqual((await self.uids(inbox), await self.uids(sent)), ([], [appended.uid]))

    async def test_what_is_not_there_is_not_replaced(self) -> None:
        await self.there("Sent")
        inbox, sent = await self.inbox(new()), await self.account.open("Sent")
        for content in (TEXT, TEXT + b"x" * 300_000):
            await self.assert_raises(NoSuchMessage, inbox.replace(2, new(content=content), inbox))
            await self.assert_raises(NoSuchMessage, sent.replace(1, new(content=content), inbox))
        self.assertEqual(await self.uids(inbox), [1])
        with self.assertRaises(ValueError):
            await inbox.replace(1, new("a b"), inbox)
        await self.assert_raises(OverQuota, inbox.replace(1, new("x" * 1000), inbox))
        self.assertEqual(await self.uids(inbox), [1])

    @needs(Offer.NAMES)
    async def test_nothing_is_replaced_in_a_mailbox_that_is_gone(self) -> None:
        inbox, gone = await self.inbox(new()), await self.opened("gone")
        await self.account.delete("gone")
        await self.assert_raises(NoSuchMailbox, inbox.replace(1, new(), gone))
        await self.assert_raises(NoSuchMailbox, gone.replace(1, new(), inbox))
        self.assertEqual(await self.uids(inbox), [1])

    @needs(IQuota)
    async def test_replacing_counts_by_growth(self) -> None:
        await self.there("Sent")
        inbox, sent = await self.inbox(new(), new()), await self.account.open("Sent")
        await self.store.set_limits(ALICE, QuotaLimits(2 * SIZE + 1, 2))
        await self.assert_raises(OverQuota, inbox.replace(2, new(content=TEXT + b"xx"), sent))
        self.assertEqual((await self.uids(inbox), await self.uids(sent)), ([1, 2], []))
        await inbox.replace(2, new(content=TEXT + b"x"), sent)
        quota = await self.account.quota("")
        self.assertEqual((quota.storage.used, quota.messages.used), (2 * SIZE + 1, 2))
        await self.store.set_limits(ALICE, QuotaLimits(1, 1))
        await inbox.replace(1, new(), inbox)
        await self.assert_raises(OverQuota, inbox.replace(3, new(content=TEXT + b"x"), inbox))
        self.assertEqual(await self.uids(inbox), [3])

    async def test_watchers_are_told_of_what_is_replaced(self) -> None:
        inbox = await self.inbox(new())
        hints: list[int] = []
        inbox.watch(hints.append)
        await inbox.replace(1, new(), inbox)
        now = (await inbox.status()).modseq
        await self.eventually(lambda: hints[-1:] == [now])
        self.assertEqual((await self.account.status([INBOX]))[INBOX].messages, 1)
