"""Tests of `IQuota` and `IQuotas`, if a store provides them."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import gatherResults
from zope.interface.verify import verifyObject

from mailproto.errors import (
    MailError,
    NoPermission,
    NoSuchAccount,
    NoSuchMailbox,
    NoSuchQuotaRoot,
    OverQuota,
)
from mailproto.interfaces.add_ons import IQuota, IQuotas
from mailproto.model import INBOX, NO_LIMIT, AppendedMessage, Placement, Quota, QuotaLimits
from mailproto.testing._fixture import ALICE, TEXT, Offer, StoreFixture, deferred, flag_change, needs, new

__all__ = ["QuotaConformance"]

BOB = "bob@example.org"
SIZE = len(TEXT)


@needs(IQuota, Offer.CHANGES)
class QuotaConformance(StoreFixture):
    """Tests what accounts may store."""

    async def limited_inbox(self, storage: int | None = None, messages: int | None = None) -> Any:
        """The account's INBOX, with these limits."""
        await self.store.set_limits(ALICE.upper(), QuotaLimits(storage, messages))
        return await self.inbox()

    async def used_storage(self) -> tuple[int, int]:
        """The octets and the messages that the account is said to have; it must be what its mailboxes
        have."""
        quota: Quota = await self.account.quota("")
        self.assertEqual(await self.store.quota_of(ALICE), quota)
        statuses = (await self.account.status(await self.names())).values()
        self.assertEqual(quota.storage.used, sum(status.size for status in statuses))
        self.assertEqual(quota.messages.used, sum(status.messages for status in statuses))
        self.assertEqual(quota.mailboxes.used, len(statuses))
        return quota.storage.used, quota.messages.used

    async def test_quotas_have_their_contracts(self) -> None:
        verifyObject(IQuota, self.account)
        self.assertTrue(IQuotas.providedBy(self.store))

    async def test_quota_roots(self) -> None:
        self.assertEqual(list(await self.account.quota_roots("inbox")), [""])
        self.assertEqual(list(await self.account.quota_roots("none")), [""])
        await self.assert_raises(NoSuchQuotaRoot, self.account.quota("other"))
        await self.assert_raises(NoPermission, self.account.set_quota("", QuotaLimits(NO_LIMIT)))
        await self.assert_raises(NoSuchAccount, self.store.quota_of(BOB))
        await self.assert_raises(NoSuchAccount, self.store.limits_of(BOB))
        await self.assert_raises(NoSuchAccount, self.store.set_limits(BOB, QuotaLimits()))

    async def test_usage_of_quotas_is_exact(self) -> None:
        inbox = await self.inbox()
        self.assertEqual(await self.used_storage(), (0, 0))
        await inbox.append([new(), new(content=TEXT * 2), new("\\Deleted")])
        self.assertEqual(await self.used_storage(), (4 * SIZE, 3))
        await self.store.deliver(TEXT, [Placement(ALICE), Placement(ALICE, INBOX)])
        self.assertEqual(await self.used_storage(), (6 * SIZE, 5))
        work = await self.opened("work")
        await inbox.copy([1, 2], work)
        await inbox.copy([1], inbox)
        self.assertEqual(await self.used_storage(), (10 * SIZE, 8))
        await inbox.move([2, 4], work)
        self.assertEqual(await self.used_storage(), (10 * SIZE, 8))
        await inbox.expunge()
        self.assertEqual(await self.used_storage(), (9 * SIZE, 7))
        await work.store([1, 2, 3, 4], flag_change("+", "\\Deleted"))
        await work.expunge([2, 3])
        self.assertEqual(await self.used_storage(), (5 * SIZE, 5))
        await self.account.rename("work", "play")
        self.assertEqual(await self.used_storage(), (5 * SIZE, 5))
        await self.account.delete("play")
        self.assertEqual(await self.used_storage(), (3 * SIZE, 3))
        await self.account.rename(INBOX, "old")
        self.assertEqual(await self.used_storage(), (3 * SIZE, 3))
        await self.account.delete("old")
        self.assertEqual(await self.used_storage(), (0, 0))

    async def test_quotas_without_a_mailbox_that_held_others(self) -> None:
        inbox = await self.inbox(new())
        await self.account.create("a/b")
        await inbox.copy([1], await self.account.open("a"))
        await inbox.copy([1], await self.account.open("a/b"))
        await self.account.delete("a")
        self.assertEqual(await self.used_storage(), (2 * SIZE, 2))

    async def test_quotas_of_octets(self) -> None:
        inbox = await self.limited_inbox(storage=2 * SIZE)
        await inbox.append([new()])
        await self.assert_raises(OverQuota, inbox.append([new(), new()]))
        await self.assert_raises(OverQuota, inbox.append([new(content=TEXT + b"x")]))
        await inbox.append([new()])
        quota = await self.account.quota("")
        self.assertEqual(quota.storage, (2 * SIZE, 2 * SIZE))
        self.assertEqual((quota.messages.limit, quota.takes_mail), (None, False))
        await self.assert_raises(OverQuota, inbox.append([new(content=b"x")]))
        self.assertEqual(await self.used_storage(), (2 * SIZE, 2))
        await inbox.append([])

    async def test_quotas_let_nothing_come_where_there_is_too_much(self) -> None:
        """Limits may be lowered below what is used."""
        inbox = await self.inbox(new(), new())
        await self.store.set_limits(ALICE, QuotaLimits(storage=SIZE, messages=1))
        self.assertEqual(list(await inbox.append([])), [])
        self.assertEqual(list(await inbox.copy([], inbox)), [])
        await self.assert_raises(OverQuota, inbox.append([new(content=b"")]))

    async def test_quotas_of_messages(self) -> None:
        inbox = await self.limited_inbox(messages=3)
        await self.assert_raises(OverQuota, inbox.append([new()] * 4))
        await inbox.append([new()] * 2)
        self.assertTrue((await self.account.quota("")).takes_mail)
        await self.assert_raises(OverQuota, inbox.append([new()] * 2))
        await inbox.append([new()])
        quota = await self.account.quota("")
        self.assertEqual((quota.messages, quota.storage.limit), ((3, 3), None))
        self.assertFalse(quota.takes_mail)

    async def test_quotas_count_copies_and_no_moves(self) -> None:
        inbox = await self.limited_inbox(messages=4)
        work = await self.opened("work")
        await inbox.append([new()] * 3)
        await self.assert_raises(OverQuota, inbox.copy([1, 2], work))
        self.assertEqual(await self.uids(work), [])
        await inbox.copy([1], work)
        await self.assert_raises(OverQuota, inbox.copy([1], inbox))
        await inbox.move([1, 2, 3], work)
        self.assertEqual(await self.used_storage(), (4 * SIZE, 4))
        await self.account.rename(INBOX, "old")
        await inbox.copy([1], work)  # nothing is there to be copied

    async def test_a_copy_of_many_that_has_no_room_is_undone(self) -> None:
        inbox = await self.limited_inbox(messages=400)
        work = await self.opened("work")
        await inbox.append([new(content=b"\r\n")] * 220)
        await self.assert_raises(OverQuota, inbox.copy(range(1, 221), work))
        self.assertEqual((await work.status()).messages, 0)
        self.assertEqual(await self.used_storage(), (440, 220))

    async def test_who_has_too_much_can_still_tidy_up(self) -> None:
        inbox = await self.limited_inbox()
        work = await self.opened("work")
        await inbox.append([new()] * 3)
        await self.limited_inbox(messages=1)
        self.assertEqual((await self.account.quota("")).messages, (3, 1))
        await inbox.store([1], flag_change("+", "\\Deleted", "Label"))
        await inbox.move([2], work)
        await self.assert_raises(OverQuota, inbox.append([new()]))
        await inbox.expunge()
        await self.account.delete("work")
        await self.assert_raises(OverQuota, inbox.append([new()]))
        await inbox.store([3], flag_change("+", "\\Deleted"))
        await inbox.expunge()
        await inbox.append([new()])

    async def test_quotas_of_deliveries(self) -> None:
        await self.store.directory.add(BOB, "")
        await self.there("Sent")
        await self.limited_inbox(messages=2)
        places = [Placement(ALICE), Placement(BOB), Placement(ALICE, "Sent"), Placement(ALICE)]
        outcomes = await self.store.deliver(TEXT, places)
        kinds = [AppendedMessage, AppendedMessage, AppendedMessage, OverQuota]
        self.assertEqual([type(each) for each in outcomes], kinds)
        self.assertEqual((outcomes[3].code, outcomes[3].enhanced), (452, "4.2.2"))
        self.assertIn("quota", outcomes[3].text)
        for content in (TEXT, TEXT + b"x" * 300_000):
            [outcome] = await self.store.deliver(content, [Placement(ALICE)])
            self.assertIsInstance(outcome, OverQuota)
        self.assertEqual(await self.used_storage(), (2 * SIZE, 2))

    async def test_many_at_a_time_get_no_more_than_there_is(self) -> None:
        await self.there("Sent")
        inbox, sent = await self.limited_inbox(messages=10), await self.account.open("Sent")

        async def appended(mailbox: Any) -> bool:
            try:
                await mailbox.append([new()])
            except OverQuota:
                return False
            return True

        async def delivered() -> bool:
            [outcome] = await self.store.deliver(TEXT, [Placement(ALICE)])
            return not isinstance(outcome, MailError)

        every = [
            deferred(asked) for _ in range(10) for asked in (appended(inbox), delivered(), appended(sent))
        ]
        self.assertEqual(sum(await gatherResults(every)), 10)
        self.assertEqual(await self.used_storage(), (10 * SIZE, 10))

    async def test_quotas_by_default_and_own(self) -> None:
        await self.store.directory.add(BOB, "")
        await self.store.set_default_limits(QuotaLimits(1000, 5))
        await self.store.set_limits(BOB, QuotaLimits(messages=7))
        quota, bobs = await self.account.quota(""), await self.store.quota_of(BOB)
        self.assertEqual((quota.storage.limit, quota.messages.limit), (1000, 5))
        self.assertEqual((bobs.storage.limit, bobs.messages.limit), (1000, 7))
        await self.store.set_limits(BOB, QuotaLimits(NO_LIMIT, 0))
        await self.store.set_default_limits(QuotaLimits(2000))
        quota, bobs = await self.account.quota(""), await self.store.quota_of(BOB)
        self.assertEqual((quota.storage.limit, quota.messages.limit), (2000, None))
        self.assertEqual((bobs.storage.limit, bobs.messages.limit), (None, 0))
        [outcome] = await self.store.deliver(b"", [Placement(BOB)])
        self.assertIsInstance(outcome, OverQuota)
        self.assertEqual(await self.store.limits_of(BOB.upper()), QuotaLimits(NO_LIMIT, 0))
        self.assertEqual(await self.store.limits_of(ALICE), QuotaLimits())
        await self.store.set_limits(BOB, QuotaLimits())
        self.assertEqual((await self.store.quota_of(BOB)).storage.limit, 2000)

    async def test_octets_of_deleted_messages(self) -> None:
        inbox = await self.inbox(new(), new("\\Deleted"), new("\\Deleted", content=TEXT * 2))
        self.assertEqual(await self.account.deleted_storage("inbox"), 3 * SIZE)
        await inbox.expunge()
        self.assertEqual(await self.account.deleted_storage(INBOX), 0)
        await self.assert_raises(NoSuchMailbox, self.account.deleted_storage("none"))

    async def test_a_new_account_of_a_name_begins_anew(self) -> None:
        await self.limited_inbox(messages=1)
        await self.store.deliver(TEXT, [Placement(ALICE)])
        await self.store.directory.delete(ALICE)
        await self.assert_raises(NoSuchAccount, self.account.quota(""))
        await self.store.directory.add(ALICE, "")
        quota = await self.store.quota_of(ALICE)
        self.assertEqual((quota.messages, quota.storage), ((0, None), (0, None)))
