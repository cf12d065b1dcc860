"""Tests of `IAccessControl`, if a store provides it."""

from __future__ import annotations

from typing import Any

from zope.interface.verify import verifyObject

from mailproto.errors import (
    InvalidMailboxName,
    InvalidRights,
    NoPermission,
    NoSuchMailbox,
    OverQuota,
)
from mailproto.interfaces import IObjectIds
from mailproto.interfaces.add_ons import IAccessControl, IAnnotations, IQuota
from mailproto.model import (
    DELETED,
    INBOX,
    PERMANENT_FLAGS,
    SEEN,
    FlagChange,
    FlagOperation,
    Part,
    QuotaLimits,
)
from mailproto.testing._fixture import ALICE, Offer, StoreFixture, flag_change, flags_by_uid, needs, new

__all__ = ["AccessControlConformance"]

BOB, CAROL = "Bob@example.org", "carol@example.org"
INBOX_OF_ALICE = f"user/{ALICE}/INBOX"
ALL = "lrswipkxtea"


@needs(IAccessControl, Offer.CHANGES, Offer.NAMES)
class AccessControlConformance(StoreFixture):
    """Alice lets Bob use her mailboxes."""

    async def let_bob(self, rights: str, name: str = INBOX) -> Any:
        """Bob's account, with these rights to a mailbox of Alice's."""
        if BOB not in await self.store.directory.names():
            await self.store.directory.add(BOB, "")
        await self.account.set_acl(name, BOB.upper(), rights)
        return await self.store.account(BOB)

    async def shared_inbox(self, rights: str, *flags: str) -> Any:
        """Alice's INBOX as Bob sees it, with a message."""
        await self.inbox(new(*flags))
        return await (await self.let_bob("lr" + rights)).open(INBOX_OF_ALICE)

    async def flags_of_inbox(self) -> dict[int, set[str]]:
        return flags_by_uid((await (await self.account.open(INBOX)).changes_since(0)).changed)

    async def names_for(self, account: Any) -> list[str]:
        """The names of others' mailboxes in an account's list."""
        return [entry.name for entry in await account.list() if entry.name.startswith("user/")]

    # -- the shared namespace

    async def office(self) -> Any:
        """The account with the shared mailboxes of Alice's domain."""
        name = "shared" + ALICE[ALICE.index("@") :] if "@" in ALICE else "shared"
        await self.store.directory.add(name, "")
        return await self.store.account(name)

    async def test_shared_mailboxes(self) -> None:
        office = await self.office()
        await office.create("Lists/News")
        await (await office.open("Lists/News")).append([new(SEEN)])
        self.assertEqual([each.name for each in await self.account.list() if "hared" in each.name], [])
        await office.set_acl("Lists/News", "anyone", "lrs")
        entries = {each.name: each for each in await self.account.list()}
        name = "shared/Lists/News"
        self.assertTrue(entries[name].selectable)
        self.assertFalse(entries["shared/Lists"].exists and entries["shared/Lists"].selectable)
        self.assertFalse([each for each in entries if each.startswith("user/")])
        self.assertEqual(await self.account.my_rights(name), "lrs")
        self.assertEqual((await self.account.status([name]))[name].messages, 1)
        inbox = await self.account.open(name)
        self.assertEqual(inbox.name, name)
        await inbox.store([1], flag_change("-", SEEN))
        await self.assert_raises(NoPermission, inbox.append([new()]))
        await self.assert_raises(NoPermission, self.account.create("shared/Lists/New"))
        await self.account.subscribe(name)
        self.assertTrue({each.name: each for each in await self.account.list()}[name].subscribed)
        # Its messages are the account's, and it may use its mailboxes as everybody does.
        self.assertEqual(
            flags_by_uid((await (await office.open("Lists/News")).changes_since(0)).changed), {1: set()}
        )
        self.assertNotIn(name, [each.name for each in await office.list()])

    async def test_who_may_make_shared_mailboxes(self) -> None:
        office = await self.office()
        await office.create("Team")
        await office.set_acl("Team", ALICE, "lrswikxtea")
        await self.account.create("shared/Team/Plans")
        self.assertIn("Team/Plans", [each.name for each in await office.list()])
        await self.account.rename("shared/Team/Plans", "shared/Team/Done")
        await self.account.set_acl("shared/Team/Done", CAROL, "lr")
        await self.account.delete("shared/Team/Done")
        self.assertNotIn("Team/Done", [each.name for each in await office.list()])
        await self.assert_raises(NoPermission, self.account.create("shared/Elsewhere"))

    @needs(IQuota)
    async def test_what_is_shared_counts_for_its_own_account(self) -> None:
        office = await self.office()
        await office.create("Team")
        await office.set_acl("Team", ALICE, "lri")
        self.assertEqual(list(await self.account.quota_roots("shared/Team")), [])
        await (await self.account.open("shared/Team")).append([new()])
        [root] = await office.quota_roots("Team")
        self.assertEqual((await office.quota(root)).messages.used, 1)

    async def test_no_mailbox_of_ones_own_has_such_a_name(self) -> None:
        """Whether there are shared mailboxes or not."""
        for has_shared in (False, True):
            if has_shared:
                await self.office()
            for name in ("shared/mine", "user/mine", "user/nobody@example.org/mine", f"user/{ALICE}/mine"):
                await self.assert_raises(NoPermission, self.account.create(name))
                await self.assert_raises(NoPermission, self.account.rename("Sent", name))
                await self.assert_raises(NoPermission, self.account.rename(INBOX, name))
            for name in ("shared", "user"):
                await self.assert_raises(InvalidMailboxName, self.account.create(name))
                await self.assert_raises(InvalidMailboxName, self.account.rename("Sent", name))
        for name in ("Shared/mine", "users/mine", "Sent/user/mine"):  # they only look like those
            await self.account.create(name)

    # -- lists of rights

    async def test_rights_have_their_contract(self) -> None:
        verifyObject(IAccessControl, self.account)
        self.assertEqual((self.account.other_users, self.account.shared), ("user/", "shared/"))

    async def test_owners_have_all_rights(self) -> None:
        self.assertEqual(await self.account.my_rights("inbox"), ALL)
        self.assertEqual(await self.account.acl(INBOX), {ALICE: ALL})
        self.assertEqual(await self.account.list_rights(INBOX, ALICE.lower()), (ALL, ()))
        for rights in ("", "lr"):
            await self.assert_raises(NoPermission, self.account.set_acl(INBOX, ALICE.upper(), rights))
            await self.assert_raises(NoPermission, self.account.set_acl(INBOX, f"-{ALICE}", rights))
        for name in ("none", "user/nobody/INBOX", "user/", "user"):
            await self.assert_raises(NoSuchMailbox, self.account.my_rights(name))
            await self.assert_raises(NoSuchMailbox, self.account.acl(name))
            await self.assert_raises(NoSuchMailbox, self.account.set_acl(name, BOB, "lr"))

    async def test_names_without_a_domain(self) -> None:
        bob = await self.let_bob("")
        await self.account.set_acl(INBOX, "Bob", "lr")
        await self.account.set_acl(INBOX, "-bob", "r")
        self.assertEqual(
            await self.account.acl(INBOX), {ALICE: ALL, BOB.lower(): "lr", f"-{BOB.lower()}": "r"}
        )
        self.assertEqual(await bob.my_rights(INBOX_OF_ALICE), "l")
        self.assertEqual(await self.account.list_rights(INBOX, "alice"), (ALL, ()))
        await self.assert_raises(NoPermission, self.account.set_acl(INBOX, "alice", "l"))
        await self.account.set_acl(INBOX, "Bob", "")
        await self.account.set_acl(INBOX, "-Bob", "")
        self.assertEqual(await self.account.acl(INBOX), {ALICE: ALL})

    async def test_rights_are_set_added_and_removed(self) -> None:
        bob = await self.let_bob("rl")
        for rights, operation, expected in (
            ("rrl", FlagOperation.SET, "lr"),
            ("wi", FlagOperation.ADD, "lrwi"),
            ("rx", FlagOperation.REMOVE, "lwi"),
            ("", FlagOperation.ADD, "lwi"),
            ("cd", FlagOperation.SET, "kxte"),
            (ALL, FlagOperation.SET, ALL),
        ):
            await self.account.set_acl(INBOX, BOB, rights, operation)
            self.assertEqual(await bob.my_rights(INBOX_OF_ALICE.upper().replace("USER", "user")), expected)
        await self.account.set_acl("Sent", BOB, "l")
        self.assertEqual(await self.account.acl(INBOX), {ALICE: ALL, BOB.lower(): ALL})
        self.assertEqual(await bob.list_rights(INBOX_OF_ALICE, CAROL), ("", tuple(ALL)))
        for wrong in ("q", "L", "lr ", "1"):
            await self.assert_raises(InvalidRights, self.account.set_acl(INBOX, BOB, wrong))
        for wrong in ("", "-", "--x", "a\0b", "\ud800"):
            await self.assert_raises(InvalidRights, self.account.set_acl(INBOX, wrong, "lr"))
        await self.account.set_acl(INBOX, BOB, "")
        await self.assert_raises(NoSuchMailbox, bob.my_rights(INBOX_OF_ALICE))

    async def test_anyone_and_rights_that_are_taken_away(self) -> None:
        bob = await self.let_bob("lr")
        await self.store.directory.add(CAROL, "")
        carol = await self.store.account(CAROL)
        await self.account.set_acl(INBOX, "Anyone", "lwi")
        self.assertEqual(await bob.my_rights(INBOX_OF_ALICE), "lrwi")
        self.assertEqual(await carol.my_rights(INBOX_OF_ALICE), "lwi")
        await self.account.set_acl(INBOX, f"-{CAROL}", "wl")
        await self.account.set_acl(INBOX, "-anyone", "r")
        self.assertEqual(await bob.my_rights(INBOX_OF_ALICE), "lwi")
        self.assertEqual(await carol.my_rights(INBOX_OF_ALICE), "i")
        self.assertEqual((await self.names_for(bob))[-1:], [INBOX_OF_ALICE])
        self.assertEqual(await self.names_for(carol), [])
        self.assertEqual(await self.names_for(self.account), [])

    async def test_who_may_see_and_change_rights(self) -> None:
        bob = await self.let_bob("lrswipkxte")
        await self.assert_raises(NoPermission, bob.acl(INBOX_OF_ALICE))
        await self.assert_raises(NoPermission, bob.set_acl(INBOX_OF_ALICE, BOB, ALL))
        await self.assert_raises(NoPermission, bob.list_rights(INBOX_OF_ALICE, BOB))
        await self.let_bob("a")
        await bob.set_acl(INBOX_OF_ALICE, CAROL, "lr")
        self.assertEqual(await bob.acl(INBOX_OF_ALICE), {ALICE: ALL, BOB.lower(): "a", CAROL: "lr"})
        await self.assert_raises(NoPermission, bob.set_acl(INBOX_OF_ALICE, ALICE, "lr"))

    async def test_rights_go_with_an_account(self) -> None:
        await self.let_bob("lr")
        await self.store.directory.delete(BOB)
        await self.store.directory.add(BOB, "")
        bob = await self.store.account(BOB)
        await self.assert_raises(NoSuchMailbox, bob.open(INBOX_OF_ALICE))
        self.assertEqual(await self.account.acl(INBOX), {ALICE: ALL})

    async def test_rights_follow_a_rename_and_go_with_the_mailbox(self) -> None:
        await self.account.create("a")
        bob = await self.let_bob("lr", "a")
        await self.account.create("a/b/c")
        await self.account.rename("a", "z")
        self.assertEqual(await self.account.acl("z/b/c"), {ALICE: ALL, BOB.lower(): "lr"})
        names = [f"user/{ALICE}/{name}" for name in ("z", "z/b", "z/b/c")]
        self.assertEqual((await self.names_for(bob))[-3:], names)
        await self.account.delete("z/b/c")
        await self.account.create("z/b/c2")
        await self.account.set_acl("z/b/c2", BOB, "")
        await self.account.create("a")
        self.assertEqual(await self.account.acl("a"), {ALICE: ALL})
        self.assertEqual((await self.names_for(bob))[-2:], names[:2])

    # -- what may be done

    async def test_what_others_do_not_see_is_not_there(self) -> None:
        bob = await self.let_bob("", "Sent")
        shared = f"user/{ALICE}/Sent"
        for name in (shared, f"user/{ALICE}/none", "user/nobody@example.org/INBOX", f"user/{ALICE}"):
            for asked in (
                bob.open(name),
                bob.subscribe(name),
                bob.delete(name),
                bob.rename(name, "mine"),
                bob.my_rights(name),
            ):
                await self.assert_raises(NoSuchMailbox, asked)
            self.assertEqual(await bob.status([name]), {})
        for name in (f"{shared}/x", f"user/{ALICE}/new", "user/nobody@example.org/new", "user/x"):
            await self.assert_raises(NoPermission, bob.create(name))
        await self.let_bob("l", "Sent")
        await self.assert_raises(NoPermission, bob.open(shared))
        self.assertEqual(await bob.status([shared]), {})
        await bob.subscribe(shared)
        [entry] = [entry for entry in await bob.list() if entry.name == shared]
        self.assertTrue(entry.subscribed and entry.exists)

    async def test_reading_alone_changes_nothing(self) -> None:
        inbox = await self.shared_inbox("")
        self.assertEqual((inbox.name, inbox.writable, inbox.permanent_flags), (INBOX_OF_ALICE, False, set()))
        self.assertEqual(bytes((await inbox.read([1], Part.CONTENT))[0].content or b""), new().content)
        before = await (await self.account.open(INBOX)).status()
        for asked in (
            inbox.append([new()]),
            inbox.store([1], flag_change("+", SEEN)),
            inbox.store([1], flag_change("")),
            inbox.copy([1], inbox),
            inbox.move([1], inbox),
            inbox.expunge(),
        ):
            await self.assert_raises(NoPermission, asked)
        await inbox.claim_recent()
        self.assertEqual(await inbox.status(), before)

    async def test_flags_without_a_right_stay(self) -> None:
        inbox = await self.shared_inbox("s", "\\Flagged", "Label")
        self.assertEqual((inbox.writable, inbox.permanent_flags), (True, {SEEN}))
        await inbox.store([1], flag_change("+", SEEN, DELETED, "x"))
        self.assertEqual(await self.flags_of_inbox(), {1: {SEEN, "\\Flagged", "Label"}})
        result = await inbox.store([1], flag_change("", DELETED))
        self.assertEqual(flags_by_uid(result.changed), {1: {"\\Flagged", "Label"}})
        await self.assert_raises(NoPermission, inbox.store([1], flag_change("-", "Label")))
        await self.let_bob("lrwt")
        result = await inbox.store([1], flag_change("", SEEN, DELETED, "New"))
        self.assertEqual(flags_by_uid(result.changed), {1: {DELETED, "New"}})
        inbox = await (await self.store.account(BOB)).open(INBOX_OF_ALICE)
        self.assertEqual(inbox.permanent_flags, PERMANENT_FLAGS - {SEEN})
        self.assertEqual(await self.flags_of_inbox(), {1: {DELETED, "New"}})
        await inbox.store([], flag_change("", "y"))

    async def test_what_comes_has_the_flags_that_are_allowed(self) -> None:
        inbox = await self.shared_inbox("is")
        await inbox.append([new(SEEN, DELETED, "Label")])
        bob = await self.store.account(BOB)
        own = await bob.open(INBOX)
        await own.append([new(SEEN, "x"), new("y"), new(SEEN)])
        self.assertEqual(list(await own.copy([1, 2], inbox)), [(1, 3), (2, 4)])
        self.assertEqual(list(await own.move([3], inbox)), [(3, 5)])
        self.assertEqual(await self.flags_of_inbox(), {1: set(), 2: {SEEN}, 3: {SEEN}, 4: set(), 5: {SEEN}})
        self.assertEqual(await self.uids(own), [1, 2])
        await self.let_bob("lrswte")
        for asked in (own.copy([1], inbox), own.move([1], inbox), inbox.append([new()])):
            await self.assert_raises(NoPermission, asked)

    async def test_taken_from_others(self) -> None:
        inbox = await self.shared_inbox("t", DELETED)
        bob = await self.store.account(BOB)
        own = await bob.open(INBOX)
        await inbox.copy([1], own)
        for asked in (inbox.move([1], own), inbox.expunge()):
            await self.assert_raises(NoPermission, asked)
        await self.let_bob("lrte")
        await inbox.move([1], own)
        self.assertEqual((await self.uids(own), await self.uids(inbox)), ([1, 2], []))
        await (await self.account.open(INBOX)).append([new(DELETED)])
        self.assertEqual(list(await inbox.expunge()), [2])

    @needs(IObjectIds)
    async def test_copies_in_another_account_keep_their_email_ids(self) -> None:
        inbox = await self.shared_inbox("")
        own = await (await self.store.account(BOB)).open(INBOX)
        await inbox.copy([1], own)
        [here], [there] = await inbox.read([1], Part.IDS), await own.read([1], Part.IDS)
        self.assertEqual(here.email_id, there.email_id)
        self.assertTrue(there.thread_id)

    async def test_rights_that_are_taken_away_end_at_once(self) -> None:
        inbox = await self.shared_inbox("i")
        await self.let_bob("")
        reading = inbox.status(), inbox.changes_since(0), inbox.read([1], Part.SIZE)
        for asked in (*reading, inbox.append([new()])):
            await self.assert_raises(NoSuchMailbox, asked)
        await self.let_bob("lr")
        self.assertEqual((await inbox.status()).messages, 1)
        await self.store.directory.delete(ALICE)
        await self.assert_raises(NoSuchMailbox, inbox.status())

    async def test_watchers_of_others_mailboxes_are_told(self) -> None:
        inbox = await self.shared_inbox("")
        hints: list[int] = []
        inbox.watch(hints.append)
        own = await self.account.open(INBOX)
        await own.append([new()])
        now = (await own.status()).modseq
        await self.eventually(lambda: hints[-1:] == [now])

    async def test_mailboxes_are_made_renamed_and_deleted(self) -> None:
        await self.account.create("a")
        bob = await self.let_bob("lrk", "a")
        above = f"user/{ALICE}/a"
        await bob.create(f"{above}/b/c")
        self.assertIn("a/b/c", await self.names())
        self.assertEqual(await bob.my_rights(f"{above}/b/c"), "lrk")
        for asked in (
            bob.delete(f"{above}/b/c"),
            bob.rename(f"{above}/b/c", f"{above}/d"),
            bob.rename(f"{above}/b/c", "mine"),
            bob.rename("Sent", f"{above}/d"),
        ):
            await self.assert_raises(NoPermission, asked)
        await self.let_bob("lrkx", "a/b/c")
        await bob.rename(f"{above}/b/c", f"{above}/d")
        await self.assert_raises(NoPermission, bob.rename(f"{above}/d", "mine"))
        await self.assert_raises(NoPermission, bob.rename(f"{above}/d", f"user/{ALICE}/d"))
        await bob.delete(f"{above}/d")
        self.assertEqual(sorted({"a", "a/b", "a/b/c", "a/d"} & set(await self.names())), ["a", "a/b"])
        await self.let_bob("lx")
        await self.assert_raises(InvalidMailboxName, bob.delete(INBOX_OF_ALICE))

    @needs(IQuota)
    async def test_the_quota_of_the_owner_counts(self) -> None:
        inbox = await self.shared_inbox("iswt")
        await self.store.set_limits(ALICE, QuotaLimits(messages=2))
        bob = await self.store.account(BOB)
        own = await bob.open(INBOX)
        await own.append([new(), new()])
        await own.copy([1], inbox)
        for asked in (own.copy([1], inbox), own.move([1, 2], inbox), inbox.append([new()])):
            await self.assert_raises(OverQuota, asked)
        self.assertEqual((await self.store.quota_of(ALICE)).messages.used, 2)
        self.assertEqual((await self.store.quota_of(BOB)).messages.used, 2)
        self.assertEqual(list(await bob.quota_roots(INBOX_OF_ALICE)), [])
        self.assertEqual(list(await bob.quota_roots(f"user/{ALICE}/Sent")), [])
        self.assertEqual(await bob.deleted_storage(INBOX_OF_ALICE), 0)

    @needs(IAnnotations)
    async def test_annotations_of_a_shared_mailbox(self) -> None:
        bob = await self.let_bob("l")
        await self.assert_raises(NoPermission, bob.annotate(INBOX_OF_ALICE, {"/shared/a": b"x"}))
        await self.let_bob("lr")
        await self.account.annotate(INBOX, {"/shared/a": b"1", "/private/a": b"2"})
        await bob.annotate(INBOX_OF_ALICE, {"/shared/b": b"3", "/private/a": b"4"})
        both = ["/private", "/shared"]
        shared = {"/shared/a": b"1", "/shared/b": b"3"}
        self.assertEqual(await self.account.annotations(INBOX, both, None), {"/private/a": b"2", **shared})
        self.assertEqual(await bob.annotations(INBOX_OF_ALICE, both, None), {"/private/a": b"4", **shared})
        await self.assert_raises(NoSuchMailbox, bob.annotations(f"user/{ALICE}/Sent", both, None))
        await self.store.directory.delete(BOB)
        self.assertEqual(await self.account.annotations(INBOX, both, None), {"/private/a": b"2", **shared})

    async def test_many_shared_mailboxes(self) -> None:
        bob = await self.let_bob("l", "Sent")
        await self.account.create("a")
        await self.account.set_acl("a", "anyone", "l")
        names = [f"a/{number:03}" for number in range(430)]
        for name in names:
            await self.account.create(name)
        listed = await self.names_for(bob)
        expected = [f"user/{ALICE}/{name}" for name in ("Sent", "a", *names)]
        self.assertEqual(sorted(set(listed) - {"user", f"user/{ALICE}"}), expected)

    async def test_changes_keep_their_kind(self) -> None:
        """A store of a change that names nothing is no change."""
        inbox = await self.shared_inbox("s")
        result = await inbox.store([1], FlagChange(FlagOperation.SET, frozenset()))
        self.assertEqual(flags_by_uid(result.changed), {1: set()})
