"""Tests of `IMailbox` and `IRecent`: flags, modseqs, removed messages and hints."""

from __future__ import annotations

from mailproto.backends import MAX_KEYWORD_LENGTH, MAX_KEYWORDS
from mailproto.errors import NoSuchAccount, OverQuota
from mailproto.interfaces import IRecent
from mailproto.model import INBOX, Placement
from mailproto.testing._fixture import (
    ALICE,
    TEXT,
    Offer,
    StoreFixture,
    flag_change,
    flags_by_uid,
    needs,
    new,
    provides,
)

__all__ = ["ChangesConformance"]


@needs(Offer.CHANGES)
class ChangesConformance(StoreFixture):
    """Tests the changes of one mailbox, and the hints about them."""

    async def test_set_add_and_remove(self) -> None:
        inbox = await self.inbox(new("\\Seen", "a"), new())
        for change, first, second in (
            (flag_change("+", "\\Flagged", "b"), {"\\Seen", "a", "\\Flagged", "b"}, {"\\Flagged", "b"}),
            (flag_change("-", "\\Seen", "b"), {"a", "\\Flagged"}, {"\\Flagged"}),
            (flag_change("", "c"), {"c"}, {"c"}),
            (flag_change(""), set(), set()),
        ):
            result = await inbox.store([1, 2], change)
            self.assertEqual(flags_by_uid(result.changed), {1: first, 2: second})
            self.assertEqual(list(result.refused), [])
            self.assertEqual(list((await inbox.changes_since(0)).changed), list(result.changed))

    async def test_flags_have_no_case_and_keep_their_spelling(self) -> None:
        inbox = await self.inbox(new("\\SEEN", "Label"))
        before = (await inbox.status()).modseq
        for sign in ("+", ""):
            result = await inbox.store([1], flag_change(sign, "\\seen", "lABEL"))
            self.assertEqual(flags_by_uid(result.changed), {1: {"\\Seen", "Label"}})
        self.assertEqual((await inbox.status()).modseq, before)
        result = await inbox.store([1], flag_change("-", "\\sEEn", "LABEL"))
        self.assertEqual(flags_by_uid(result.changed), {1: set()})

    async def test_recent_and_unknown_system_flags_are_not_kept(self) -> None:
        inbox = await self.inbox(new("\\Recent", "\\Nonsense", "\\Draft"))
        result = await inbox.store([1], flag_change("+", "\\Recent", "\\Other", "\\Answered"))
        self.assertEqual(flags_by_uid(result.changed), {1: {"\\Draft", "\\Answered"}})

    async def test_keywords_are_limited(self) -> None:
        inbox = await self.inbox(new("x" * MAX_KEYWORD_LENGTH))
        many = [f"k{number}" for number in range(MAX_KEYWORDS)]
        before = await inbox.status()
        for change in (flag_change("+", *many), flag_change("+", "y" * (MAX_KEYWORD_LENGTH + 1))):
            await self.assert_raises(OverQuota, inbox.store([1], change))
        await self.assert_raises(OverQuota, inbox.append([new(*many, "more")]))
        self.assertEqual(await inbox.status(), before)
        await inbox.store([1], flag_change("", *many, "\\Seen"))

    async def test_store_leaves_out_what_is_not_there(self) -> None:
        inbox = await self.inbox(new(), new())
        result = await inbox.store([2, 3, 2**32 - 1], flag_change("+", "\\Seen"))
        self.assertEqual(flags_by_uid(result.changed), {2: {"\\Seen"}})
        self.assertEqual(list((await inbox.store([], flag_change("+", "\\Seen"))).changed), [])

    async def test_only_what_changes_gets_a_new_modseq(self) -> None:
        inbox = await self.inbox(new("\\Seen"), new())
        first, second = (await inbox.changes_since(0)).changed
        result = await inbox.store([1, 2], flag_change("+", "\\Seen"))
        self.assertEqual(result.changed[0], first)
        self.assertGreater(result.changed[1].modseq, second.modseq)
        self.assertEqual((await inbox.status()).modseq, result.changed[1].modseq)

    async def test_unchanged_since_refuses_each_by_itself(self) -> None:
        inbox = await self.inbox(new(), new(), new())
        since = (await inbox.status()).modseq
        await inbox.store([2], flag_change("+", "a"))
        result = await inbox.store([1, 2, 3], flag_change("+", "b"), since)
        self.assertEqual(flags_by_uid(result.changed), {1: {"b"}, 3: {"b"}})
        self.assertEqual(list(result.refused), [2])
        self.assertEqual(flags_by_uid((await inbox.changes_since(0)).changed), {1: {"b"}, 2: {"a"}, 3: {"b"}})

    async def test_unchanged_since_zero_refuses_all(self) -> None:
        inbox = await self.inbox(new(), new())
        result = await inbox.store([1, 2, 3], flag_change("+", "b"), 0)
        self.assertEqual((list(result.changed), list(result.refused)), ([], [1, 2]))

    async def test_every_change_raises_the_modseq(self) -> None:
        inbox, target = await self.inbox(), await self.opened("target")
        seen = [(await inbox.status()).modseq]
        for change in (
            lambda: inbox.append([new(), new()]),
            lambda: inbox.store([1], flag_change("+", "\\Deleted")),
            lambda: inbox.expunge(),
            lambda: inbox.copy([2], inbox),
            lambda: inbox.move([2], target),
            lambda: self.store.deliver(TEXT, [Placement(ALICE)]),
        ):
            await change()  # type: ignore[no-untyped-call]
            changes = await inbox.changes_since(seen[-1])
            self.assertTrue(changes.changed or changes.vanished)
            self.assertEqual(changes.modseq, (await inbox.status()).modseq)
            seen.append(changes.modseq)
        self.assertEqual(seen, sorted(set(seen)))

    async def test_changes_since_tells_what_came_changed_and_went(self) -> None:
        inbox = await self.inbox(*[new()] * 4)
        since = (await inbox.status()).modseq
        await inbox.append([new("a")])
        await inbox.store([2, 4], flag_change("+", "\\Deleted"))
        await inbox.expunge([4])
        changes = await inbox.changes_since(since)
        self.assertEqual(flags_by_uid(changes.changed), {2: {"\\Deleted"}, 5: {"a"}})
        self.assertEqual([message.uid for message in changes.changed], [2, 5])
        self.assertEqual(list(changes.vanished), [4])

    async def test_from_zero_nothing_has_vanished(self) -> None:
        inbox = await self.inbox(new("\\Deleted"), new())
        await inbox.expunge()
        changes = await inbox.changes_since(0)
        self.assertEqual(([m.uid for m in changes.changed], list(changes.vanished)), ([2], []))

    async def test_vanished_ascends_whatever_the_order_of_removal(self) -> None:
        inbox = await self.inbox(*[new("\\Deleted")] * 6)
        since = (await inbox.status()).modseq
        for uids in ([5, 6], [1], [3, 4]):
            await inbox.expunge(uids)
        self.assertEqual(list((await inbox.changes_since(since)).vanished), [1, 3, 4, 5, 6])

    async def test_what_came_and_went_is_not_among_the_changed(self) -> None:
        inbox = await self.inbox(new())
        since = (await inbox.status()).modseq
        await inbox.append([new("\\Deleted")])
        await inbox.expunge()
        changes = await inbox.changes_since(since)
        self.assertEqual(list(changes.changed), [])
        self.assertLessEqual(set(changes.vanished), {2})

    async def test_watchers_hear_of_every_change(self) -> None:
        inbox, other = await self.inbox(), await self.account.open("inbox")
        updates: list[int] = []
        inbox.watch(updates.append)
        for change in (
            lambda: other.append([new(), new()]),
            lambda: other.store([1], flag_change("+", "\\Deleted")),
            lambda: other.expunge(),
            lambda: other.copy([2], other),
        ):
            await change()  # type: ignore[no-untyped-call]
            now = (await inbox.status()).modseq
            await self.eventually(lambda now=now: updates[-1:] == [now])  # type: ignore[misc]

    @needs(Offer.NAMES)
    async def test_watchers_hear_that_a_rename_of_inbox_took_its_messages(self) -> None:
        inbox = await self.inbox(new())
        updates: list[int] = []
        inbox.watch(updates.append)
        await self.account.rename("INBOX", "elsewhere")
        now = (await inbox.status()).modseq
        await self.eventually(lambda: updates[-1:] == [now])

    async def test_watchers_of_other_mailboxes_hear_nothing(self) -> None:
        other = await self.opened("other")
        other.watch(lambda modseq: self.fail("told of another mailbox's change"))
        inbox = await self.inbox(new())
        await inbox.store([1], flag_change("+", "\\Seen"))

    async def test_the_end_of_a_watch(self) -> None:
        inbox = await self.inbox()
        first: list[int] = []
        second: list[int] = []
        end, _ = inbox.watch(first.append), inbox.watch(second.append)
        inbox.watch(first.append)()
        end()
        end()
        await inbox.append([new()])
        await self.eventually(lambda: bool(second))
        self.assertEqual(first, [])

    async def test_a_watcher_that_fails_harms_nobody(self) -> None:
        inbox = await self.inbox()
        updates: list[int] = []
        inbox.watch(lambda modseq: [][modseq])
        inbox.watch(updates.append)
        await inbox.append([new()])
        await self.eventually(lambda: bool(updates))
        self.assertEqual(len(self.flushLoggedErrors(IndexError)), 1)

    @needs(Offer.NAMES)
    async def test_watchers_of_a_deleted_mailbox_are_told(self) -> None:
        mailbox = await self.opened("gone")
        updates: list[int] = []
        end = mailbox.watch(updates.append)
        await self.account.delete("gone")
        await self.eventually(lambda: bool(updates))
        end()

    @needs(Offer.NAMES)
    async def test_modseqs_order_the_whole_account(self) -> None:
        """Each change in a mailbox, or of the list of mailboxes, has a greater modseq than all earlier
        ones."""
        inbox, other = await self.inbox(), await self.opened("other")
        told: list[int] = []
        self.account.watch(told.append)
        last = max((await inbox.status()).modseq, (await other.status()).modseq)
        for mailbox, change in (
            (inbox, lambda: inbox.append([new("\\Deleted"), new()])),
            (other, lambda: other.append([new()])),
            (inbox, lambda: inbox.store([2], flag_change("+", "\\Seen"))),
            (other, lambda: inbox.copy([1], other)),
            (inbox, lambda: inbox.expunge()),
            (inbox, lambda: inbox.move([2], other)),
            (other, lambda: self.store.deliver(TEXT, [Placement(ALICE, "other")])),
            (None, lambda: self.account.create("new")),
            (None, lambda: self.account.rename("new", "newer")),
            (None, lambda: self.account.unsubscribe(INBOX)),
            (None, lambda: self.account.subscribe("newer")),
            (None, lambda: self.account.delete("newer")),
            (other, lambda: other.store([1], flag_change("+", "Label"))),
        ):
            await change()  # type: ignore[no-untyped-call]
            if mailbox is not None:
                changes = await mailbox.changes_since(last)
                self.assertGreater(changes.modseq, last)
                self.assertTrue(changes.changed or changes.vanished)
                self.assertTrue(all(message.modseq > last for message in changes.changed))
                last = changes.modseq
                self.assertEqual((await mailbox.status()).modseq, last)
            else:
                for each in (inbox, other):
                    self.assertLessEqual((await each.status()).modseq, last)
            await self.eventually(lambda last=last: told[-1:] >= [last])  # type: ignore[misc]
            last = told[-1]
        again = await self.opened("newer")
        self.assertGreater((await again.status()).modseq, last)

    async def test_what_changes_nothing_is_not_told_to_the_account(self) -> None:
        inbox = await self.inbox(new("\\Seen"))
        before = (await (await self.opened("before")).status()).modseq
        told: list[int] = []
        self.account.watch(told.append)
        for change in (
            lambda: inbox.store([1], flag_change("+", "\\Seen")),
            lambda: inbox.expunge(),
            lambda: inbox.copy([], inbox),
            lambda: self.account.subscribe(INBOX),
            lambda: self.account.unsubscribe("none"),
        ):
            await change()  # type: ignore[no-untyped-call]
        await self.make_mailbox("new")
        await self.eventually(lambda: bool(told) and told[-1] > before)
        self.assertEqual(len({modseq for modseq in told if modseq > before}), 1, told)

    async def test_an_account_that_is_deleted_is_told(self) -> None:
        told: list[int] = []
        end = self.account.watch(told.append)
        await self.store.directory.delete(ALICE)
        await self.eventually(lambda: bool(told))
        end()
        end()
        with self.assertRaises(NoSuchAccount):
            self.account.watch(told.append)

    @needs(Offer.NAMES)
    async def test_other_accounts_hear_nothing(self) -> None:
        await self.store.directory.add("bob@example.org", "")
        bob = await self.store.account("bob@example.org")
        made = (await (await bob.open(INBOX)).status()).modseq
        told: list[int] = []
        bob.watch(told.append)
        self.account.watch(lambda modseq: self.fail("told after the end"))()
        for number in range(9):
            await self.account.create(f"new {number}")
        await self.inbox(new())
        await bob.create("new")
        await self.eventually(lambda: bool(told) and told[-1] > made)
        last = (await (await bob.open("new")).status()).modseq
        self.assertTrue(all(modseq <= last for modseq in told), told)

    async def test_recent_belongs_to_the_first_who_claims_it(self) -> None:
        inbox = await self.inbox()
        if not provides(IRecent, inbox):
            return
        self.assertEqual(await inbox.claim_recent(), range(1, 1))
        await inbox.append([new(), new()])
        self.assertEqual((await inbox.status()).recent, 2)
        self.assertEqual(await inbox.claim_recent(), range(1, 3))
        self.assertEqual((await inbox.status()).recent, 0)
        self.assertEqual(await (await self.account.open("INBOX")).claim_recent(), range(3, 3))
        await inbox.append([new("\\Deleted"), new()])
        await inbox.expunge()
        self.assertEqual((await inbox.status()).recent, 1)
        self.assertEqual(await inbox.claim_recent(), range(4, 5))
