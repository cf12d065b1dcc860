"""Tests of `IDirectory` and `IStore.account`."""

from __future__ import annotations

import unicodedata

from zope.interface.interface import InterfaceClass
from zope.interface.verify import verifyObject

from mailproto.backends import DEFAULT_MAILBOXES
from mailproto.errors import AccountExists, InvalidAccountName, NoSuchAccount, NoSuchMailbox
from mailproto.interfaces import IAccount, IAccountChanges, IDirectory, IObjectIds, IRecent, IStore
from mailproto.model import INBOX, AppendedMessage, MailboxEntry, Placement
from mailproto.testing._fixture import ALICE, TEXT, Offer, StoreFixture, needs, new, provides

__all__ = ["DirectoryConformance"]


class DirectoryConformance(StoreFixture):
    """Tests accounts and their password records."""

    def test_interfaces(self) -> None:
        """The objects have the methods of their interfaces."""
        verifyObject(IStore, self.store)
        verifyObject(IDirectory, self.store.directory)
        verifyObject(IAccount, self.account)

    async def test_add_ons_are_what_is_there(self) -> None:
        """`IAddOns.add_ons` is exactly what every account and mailbox provides."""
        self.assertIsInstance(self.store.add_ons, frozenset)
        mailbox_add_ons: tuple[InterfaceClass, ...] = (IRecent, IObjectIds)
        if not self.has_fixed_mailboxes:
            await self.account.create("work")
        for name in [entry.name for entry in await self.account.list() if entry.selectable]:
            mailbox = await self.account.open(name)
            for add_on in mailbox_add_ons:
                self.assertEqual(add_on.providedBy(mailbox), add_on in self.store.add_ons, (name, add_on))
                if add_on in self.store.add_ons:
                    verifyObject(add_on, mailbox)
        for add_on in self.store.add_ons.difference(mailbox_add_ons):
            inbox = await self.account.open(INBOX)
            self.assertTrue(add_on.providedBy(self.account) or add_on.providedBy(inbox), add_on)

    async def test_names_are_kept_as_given_and_found_without_case(self) -> None:
        directory = self.store.directory
        await directory.add("Straße@example.org", "hash")
        self.assertEqual(await directory.find("aLICE@EXAMPLE.ORG"), ALICE)
        self.assertEqual(await directory.find("STRASSE@example.org"), "Straße@example.org")
        self.assertEqual((await self.store.account("alice@example.org")).name, ALICE)
        self.assertEqual(await self.account_names(), sorted([ALICE, "Straße@example.org"]))

    async def test_a_name_is_one_in_every_spelling(self) -> None:
        """`mailproto.accounts`: case, composition, width, and A-labels or U-labels of the domain."""
        directory = self.store.directory
        for kept, *spellings in (
            ("zoë@bücher.example", "ZOE\u0308@BU\u0308CHER.example.", "zoë@xn--bcher-kva.example"),
            ("josé@xn--bcher-kva.example", "jose\u0301@bücher.example"),
            ("bob@example.org", "ｂob@EXAMPLE.org."),
        ):
            await directory.add(unicodedata.normalize("NFD", kept), "hash")
            for spelling in (kept, *spellings):
                self.assertEqual(await directory.find(spelling), kept)
                self.assertEqual(await directory.password_hash(spelling), "hash")
                self.assertEqual((await self.store.account(spelling)).name, kept)
                if not self.has_fixed_mailboxes:
                    [delivered] = await self.store.deliver(TEXT, [Placement(spelling)])
                    self.assertIsInstance(delivered, AppendedMessage)
                await self.assert_raises(AccountExists, directory.add(spelling, "other"))
            await directory.set_password_hash(spellings[0], "new")
            self.assertEqual(await directory.password_hash(kept), "new")
            if not self.has_fixed_mailboxes:
                inbox = await (await self.store.account(kept)).open(INBOX)
                self.assertEqual((await inbox.status()).messages, len(spellings) + 1)
            await directory.delete(spellings[-1])
            await self.assert_raises(NoSuchAccount, directory.find(kept))

    async def test_no_account_with_what_cannot_be_seen(self) -> None:
        directory = self.store.directory
        for name in ("al\u200bice@example.org", "bob\u00a0@example.org", "bob@exam\u00adple.org", ""):
            await self.assert_raises(InvalidAccountName, directory.add(name, "hash"))
            await self.assert_raises(NoSuchAccount, directory.find(name))
        self.assertEqual(await self.account_names(), [ALICE])

    async def test_an_account_is_added_once(self) -> None:
        await self.assert_raises(AccountExists, self.store.directory.add("ALICE@example.org", "other"))
        self.assertEqual(await self.store.directory.password_hash(ALICE), "hash")

    async def test_password_hashes(self) -> None:
        directory = self.store.directory
        self.assertEqual(await directory.password_hash("alice@example.org"), "hash")
        await directory.set_password_hash("ALICE@example.org", "$argon2id$new")
        self.assertEqual(await directory.password_hash(ALICE), "$argon2id$new")
        await directory.add("nobody@example.org", "")
        self.assertEqual(await directory.password_hash("nobody@example.org"), "")

    async def test_a_password_that_has_changed_stays(self) -> None:
        directory = self.store.directory
        await directory.set_password_hash(ALICE, "completed", replacing="hash")
        self.assertEqual(await directory.password_hash(ALICE), "completed")
        await directory.set_password_hash(ALICE, "hash, completed", replacing="hash")
        self.assertEqual(await directory.password_hash(ALICE), "completed")

    async def test_who_is_not_there(self) -> None:
        directory = self.store.directory
        for asked in (
            directory.find("bob@example.org"),
            directory.password_hash("bob@example.org"),
            directory.set_password_hash("bob@example.org", "hash"),
            directory.delete("bob@example.org"),
            self.store.account("bob@example.org"),
        ):
            await self.assert_raises(NoSuchAccount, asked)

    @needs(Offer.NAMES)
    async def test_a_new_account_has_the_usual_mailboxes_subscribed(self) -> None:
        self.assertEqual(
            list(await self.account.list()),
            [
                MailboxEntry(name, subscribed=True, special_use=frozenset({use} if use else ()))
                for name, use in sorted(DEFAULT_MAILBOXES)
            ],
        )
        self.assertIn(INBOX, await self.names())

    async def test_a_deleted_account_is_gone_with_its_mail(self) -> None:
        inbox = await self.account.open(INBOX)
        await self.store.directory.delete("alice@EXAMPLE.org")
        self.assertEqual(await self.account_names(), [])
        await self.assert_raises(NoSuchAccount, self.store.account(ALICE))
        await self.assert_raises(NoSuchAccount, self.account.list())
        await self.assert_raises(NoSuchAccount, self.account.create("work"))
        if not self.has_fixed_mailboxes:
            await self.assert_raises(NoSuchMailbox, inbox.status())

    async def test_revisions_change_with_the_right_to_be_signed_in(self) -> None:
        """`IAccountChanges`, if the directory provides it."""
        directory = self.store.directory
        if not provides(IAccountChanges, directory):
            return
        verifyObject(IAccountChanges, directory)
        seen = [await directory.revisions([ALICE])]
        for change in (
            directory.set_password_hash(ALICE.upper(), "another hash"),
            directory.set_password_hash(ALICE, ""),
            directory.set_password_hash(ALICE, "hash"),
        ):
            await change
            seen.append(await directory.revisions([ALICE]))
        await directory.delete(ALICE)
        self.assertEqual(await directory.revisions([ALICE, "bob@example.org"]), {})
        await directory.add(ALICE, "hash")
        seen.append(await directory.revisions([ALICE]))
        self.assertEqual(len({found[ALICE] for found in seen}), len(seen))

    async def test_revisions_stay_while_the_password_does(self) -> None:
        directory = self.store.directory
        if not provides(IAccountChanges, directory):
            return
        asked = [ALICE.lower(), "bob@example.org"]
        before = await directory.revisions(asked)
        self.assertEqual(list(before), [ALICE.lower()])
        await directory.add("bob@example.org", "hash")
        await directory.set_password_hash("bob@example.org", "hash of bob's")
        for replaced in ("hash", "not the record"):
            await directory.set_password_hash(ALICE, "hash, completed", replacing=replaced)
        after = await directory.revisions(asked)
        self.assertEqual(after[ALICE.lower()], before[ALICE.lower()])

    async def test_changes_of_accounts_are_told(self) -> None:
        directory = self.store.directory
        if not provides(IAccountChanges, directory):
            return
        hints: list[None] = []
        end = directory.watch(lambda: hints.append(None))
        await directory.set_password_hash(ALICE, "another hash")
        await self.eventually(lambda: bool(hints))
        hints.clear()
        await directory.delete(ALICE)
        await self.eventually(lambda: bool(hints))
        end()
        end()

    @needs(Offer.NAMES)
    async def test_an_account_made_again_is_another(self) -> None:
        before = await self.inbox(new())
        await self.store.directory.delete(ALICE)
        await self.store.directory.add(ALICE, "new hash")
        after = await (await self.store.account(ALICE)).open(INBOX)
        self.assertEqual((await after.status()).messages, 0)
        self.assertGreater(after.uid_validity, before.uid_validity)
        await self.assert_raises(NoSuchMailbox, before.append([new()]))
        await self.assert_raises(NoSuchAccount, self.account.open(INBOX))
