"""Tests of `IMailboxChanges`, if a store provides it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from zope.interface.verify import verifyObject

from mailproto.errors import NoSuchAccount
from mailproto.interfaces.add_ons import IAccessControl, IAnnotations, IMailboxChanges
from mailproto.model import INBOX, AccountChanges, Placement
from mailproto.testing._fixture import ALICE, TEXT, Offer, StoreFixture, flag_change, needs, new

__all__ = ["MailboxChangesConformance"]


@needs(IMailboxChanges)
class MailboxChangesConformance(StoreFixture):
    """Tests what is told of all mailboxes of an account."""

    _modseq = 0

    async def mailbox_changes(self) -> AccountChanges:
        """What has changed since the last call."""
        changes: AccountChanges = await self.account.mailbox_changes(self._modseq)
        self.assertGreaterEqual(changes.modseq, self._modseq)
        self._modseq = changes.modseq
        named = changes.statuses
        self.assertEqual(await self.account.status(list(named)), named)
        return changes

    async def assert_mailboxes_changed(self, *names: str, is_list: bool = False) -> None:
        """Check what has changed since the last call."""
        changes = await self.mailbox_changes()
        self.assertEqual((set(changes.statuses), changes.list_changed), (set(names), is_list))
        await self.assert_no_mailbox_changed()

    async def assert_no_mailbox_changed(self) -> None:
        changes = await self.mailbox_changes()
        self.assertEqual((changes.statuses, changes.list_changed, changes.annotations), ({}, False, {}))

    async def test_changes_of_mailboxes_have_their_contract(self) -> None:
        verifyObject(IMailboxChanges, self.account)

    async def test_mailbox_changes_from_the_beginning(self) -> None:
        names = [entry.name for entry in await self.account.list() if entry.selectable]
        await self.assert_mailboxes_changed(*names, is_list=True)

    @needs(Offer.CHANGES)
    async def test_mailbox_changes_by_messages(self) -> None:
        inbox = await self.inbox()
        await self.there("Sent")
        sent: Any = await self.account.open("Sent")
        await self.mailbox_changes()
        await inbox.append([new(), new()])
        await self.assert_mailboxes_changed(INBOX)
        await self.store.deliver(TEXT, [Placement(ALICE), Placement(ALICE, "Sent")])
        await self.assert_mailboxes_changed(INBOX, "Sent")
        await inbox.store([1], flag_change("+", "\\Deleted"))
        await self.assert_mailboxes_changed(INBOX)
        await inbox.store([1], flag_change("+", "\\Deleted"))
        await self.assert_no_mailbox_changed()
        await inbox.expunge()
        await self.assert_mailboxes_changed(INBOX)
        await inbox.copy([2], sent)
        await self.assert_mailboxes_changed("Sent")
        await inbox.move([2], sent)
        await self.assert_mailboxes_changed(INBOX, "Sent")

    @needs(Offer.NAMES)
    async def test_mailbox_changes_of_the_list(self) -> None:
        await self.mailbox_changes()
        await self.account.create("a/b")
        await self.assert_mailboxes_changed("a", "a/b", is_list=True)
        await self.account.rename("a/b", "c")
        changes = await self.mailbox_changes()
        self.assertTrue(changes.list_changed)
        await self.account.subscribe("c")
        await self.assert_mailboxes_changed(is_list=True)
        await self.account.subscribe("c")
        await self.assert_no_mailbox_changed()
        await self.account.unsubscribe("c")
        await self.assert_mailboxes_changed(is_list=True)
        await self.account.delete("c")
        await self.assert_mailboxes_changed(is_list=True)

    @needs(IAnnotations)
    async def test_mailbox_changes_of_annotations(self) -> None:
        await self.mailbox_changes()
        await self.account.annotate(INBOX, {"/shared/a": b"x", "/private/b": b"y"})
        await self.account.annotate("", {"/private/c": b"z"})
        changes = await self.mailbox_changes()
        found = {name: sorted(entries) for name, entries in changes.annotations.items()}
        self.assertEqual(found, {INBOX: ["/private/b", "/shared/a"], "": ["/private/c"]})
        self.assertEqual((set(changes.statuses), changes.list_changed), ({INBOX}, False))
        await self.assert_no_mailbox_changed()
        await self.account.annotate(INBOX, {"/shared/a": None})
        self.assertEqual((await self.mailbox_changes()).annotations, {INBOX: ["/shared/a"]})

    @needs(IAccessControl)
    async def test_mailbox_changes_of_rights_that_others_give(self) -> None:
        await self.store.directory.add("bob@example.org", "")
        bob = await self.store.account("bob@example.org")
        heard: list[int] = []
        self.addCleanup(self.account.watch(heard.append))
        for identifier, rights in ((ALICE, "lr"), (f"-{ALICE}", "r"), (ALICE, "")):
            await self.mailbox_changes()
            heard.clear()
            await bob.set_acl(INBOX, identifier, rights)
            await self.eventually(lambda: bool(heard))
            changes = await self.mailbox_changes()
            self.assertEqual((dict(changes.statuses), changes.list_changed), ({}, True))
        await bob.set_acl(INBOX, "carol", "lr")
        await self.assert_no_mailbox_changed()

    async def assert_list_changes(self, change: Callable[[], Awaitable[Any]]) -> None:
        """Check that a change of another account changes the list of mailboxes, and that this is told."""
        heard: list[int] = []
        end = self.account.watch(heard.append)
        await self.mailbox_changes()
        await change()
        for _ in range(100):
            await self.eventually(lambda: bool(heard))
            heard.clear()
            if (await self.mailbox_changes()).list_changed:
                break
        else:
            self.fail("It is not told that the list has changed")
        end()

    @needs(IAccessControl)
    async def test_mailbox_changes_of_rights_that_anyone_has(self) -> None:
        await self.store.directory.add("bob@example.org", "")
        bob = await self.store.account("bob@example.org")
        for identifier, rights in (("anyone", "lr"), ("-anyone", "r"), ("anyone", "")):
            await self.assert_list_changes(partial(bob.set_acl, INBOX, identifier, rights))

    @needs(IAccessControl, Offer.NAMES)
    async def test_mailbox_changes_of_names_that_others_give(self) -> None:
        """Those who see a mailbox hear of its names, its inferiors and its end."""
        await self.store.directory.add("bob@example.org", "")
        for identifier in (ALICE, "anyone"):
            bob = await self.store.account("bob@example.org")
            await bob.create("shown")
            await bob.create("other")
            await bob.set_acl("shown", identifier, "lr")
            for change in (
                partial(bob.create, "shown/below"),
                partial(bob.rename, "shown", "else"),
                partial(bob.delete, "else/below"),
                partial(bob.rename, "other", "else/new/other"),
            ):
                await self.assert_list_changes(change)
            await self.mailbox_changes()
            await bob.rename("else/new/other", "other")  # it did not get the rights of those above it
            await bob.create("hidden")
            await bob.rename("hidden", "unseen")
            await bob.delete("unseen")
            await self.assert_no_mailbox_changed()
            await self.assert_list_changes(partial(self.store.directory.delete, "bob@example.org"))
            await self.store.directory.add("bob@example.org", "")

    @needs(Offer.NAMES, Offer.CHANGES)
    async def test_mailbox_changes_of_many(self) -> None:
        names = [f"box {number:03}" for number in range(450)]
        for name in names:
            await self.account.create(name)
        await self.mailbox_changes()
        for name in names[::2]:
            await (await self.account.open(name)).append([new()])
        await self.assert_mailboxes_changed(*names[::2])

    async def test_mailbox_changes_of_an_account_that_is_gone(self) -> None:
        await self.store.directory.delete(ALICE)
        await self.assert_raises(NoSuchAccount, self.account.mailbox_changes(0))
