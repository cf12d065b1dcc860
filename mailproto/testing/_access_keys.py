"""Tests of `IAccessKeys`, if a store provides it."""

from __future__ import annotations

from zope.interface.verify import verifyObject

from mailproto.errors import NoSuchAccount, NoSuchMailbox
from mailproto.interfaces.add_ons import IAccessKeys
from mailproto.model import INBOX
from mailproto.testing._fixture import ALICE, Offer, StoreFixture, needs, new

__all__ = ["AccessKeyConformance"]

BOB = "bob@example.org"


@needs(IAccessKeys)
class AccessKeyConformance(StoreFixture):
    """Tests the keys with which URLs are made."""

    async def test_each_mailbox_has_its_access_key(self) -> None:
        verifyObject(IAccessKeys, self.account)
        await self.there("Sent")
        inbox, sent = await self.account.access_key("inbox"), await self.account.access_key("Sent")
        self.assertNotEqual(inbox, sent)
        self.assertGreaterEqual(min(len(inbox), len(sent)), 16)
        self.assertEqual(await self.account.access_key(INBOX), inbox)
        await self.assert_raises(NoSuchMailbox, self.account.access_key("none"))

    async def test_access_keys_are_reset(self) -> None:
        await self.there("Sent")
        inbox, sent = await self.account.access_key(INBOX), await self.account.access_key("Sent")
        await self.account.reset_access_keys("inbox")
        self.assertNotEqual(await self.account.access_key(INBOX), inbox)
        self.assertEqual(await self.account.access_key("Sent"), sent)
        inbox = await self.account.access_key(INBOX)
        await self.account.reset_access_keys()
        self.assertNotEqual(await self.account.access_key("Sent"), sent)
        self.assertNotEqual(await self.account.access_key(INBOX), inbox)
        await self.assert_raises(NoSuchMailbox, self.account.reset_access_keys("none"))

    @needs(Offer.NAMES)
    async def test_access_keys_stay_with_a_rename_and_go_with_the_mailbox(self) -> None:
        await self.account.create("a")
        key = await self.account.access_key("a")
        await self.account.rename("a", "b")
        self.assertEqual(await self.account.access_key("b"), key)
        await self.account.delete("b")
        await self.account.create("b")
        self.assertNotEqual(await self.account.access_key("b"), key)

    @needs(Offer.CHANGES)
    async def test_others_find_what_has_an_access_key(self) -> None:
        await self.inbox(new())
        await self.store.directory.add(BOB, "")
        bob = await self.store.account(BOB)
        await self.assert_raises(NoSuchMailbox, bob.shared_by_url(ALICE, INBOX))
        key = await self.account.access_key(INBOX)
        for who in (bob, self.account):
            found, inbox = await who.shared_by_url(ALICE.upper(), "inbox")
            self.assertEqual((found, await self.uids(inbox)), (key, [1]))
        await self.account.reset_access_keys()
        await self.assert_raises(NoSuchMailbox, bob.shared_by_url(ALICE, INBOX))
        await self.assert_raises(NoSuchMailbox, bob.shared_by_url(ALICE, "none"))
        await self.assert_raises(NoSuchAccount, bob.shared_by_url("nobody@example.org", INBOX))

    async def test_access_keys_of_an_account_that_is_gone(self) -> None:
        await self.store.directory.delete(ALICE)
        await self.assert_raises(NoSuchAccount, self.account.access_key(INBOX))
        await self.assert_raises(NoSuchAccount, self.account.reset_access_keys())
