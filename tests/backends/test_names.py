"""How many names an account may have, and what it remembers of those that are gone."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailproto.awaiting import settle
from mailproto.backends import MemoryStore, SQLiteStore, _memory_account, _names
from mailproto.backends._names import DEFAULT_MAILBOXES, SortedNames, entries, entry_steps, is_inferior
from mailproto.backends.sqlite import _tree
from mailproto.errors import LimitReached
from mailproto.interfaces import IAccount, IStore
from mailproto.model import INBOX, MailboxEntry

DEFAULTS = len(DEFAULT_MAILBOXES)
OCTETS = sum(len(name) for name, _ in DEFAULT_MAILBOXES)


class LimitTests(TestCase):
    """The store in memory."""

    account: IAccount

    def make_store(self) -> IStore:
        return MemoryStore()

    async def setUp(self) -> None:  # type: ignore[override]
        store = self.make_store()
        await settle(store.start())
        self.addCleanup(lambda: Deferred.fromCoroutine(store.stop()))  # type: ignore[arg-type]
        await settle(store.directory.add("alice", ""))
        self.account = await settle(store.account("alice"))

    async def names(self) -> Sequence[str]:
        return [entry.name for entry in await settle(self.account.list()) if entry.exists]

    async def refused(self, result: Any) -> None:
        try:
            await settle(result)
        except LimitReached as error:
            self.assertEqual(error.imap, "LIMIT")
        else:
            self.fail("it was done")

    async def test_the_number_of_mailboxes(self) -> None:
        self.patch(_names, "MAX_MAILBOXES", DEFAULTS + 3)
        before = await self.names()
        await self.refused(self.account.create("a/b/c/d"))
        self.assertEqual(await self.names(), before)
        await self.account.create("a/b")
        await self.refused(self.account.rename("a/b", "c/d/e"))
        await self.refused(self.account.rename(INBOX, "c/d"))
        await self.account.rename("a/b", "c/d")
        self.assertEqual(await self.names(), sorted([*before, "a", "c", "c/d"]))
        await self.refused(self.account.create("e"))
        await self.refused(self.account.rename(INBOX, "e"))
        await self.account.rename("a", "e")
        await self.account.delete("e")
        await self.account.create("f")

    async def test_the_octets_of_their_names(self) -> None:
        self.patch(_names, "MAX_NAMES_OCTETS", OCTETS + 10)
        await self.refused(self.account.create("é" * 5 + "x"))
        await self.account.create("é" * 2 + "x")
        await self.refused(self.account.create("123456"))
        await self.account.create("12345")
        await self.refused(self.account.rename("12345", "123456"))
        await self.account.rename("12345", "54321")
        await self.account.rename("54321", "1")
        await self.account.rename("é" * 2 + "x", "é" * 4)

    async def test_the_number_of_subscriptions(self) -> None:
        self.patch(_names, "MAX_MAILBOXES", DEFAULTS + 1)
        await self.account.create("a")
        await self.account.subscribe("a")
        await self.account.delete("a")
        await self.account.create("b")
        await self.refused(self.account.subscribe("b"))
        await self.account.subscribe(INBOX)
        await self.account.unsubscribe("a")
        await self.account.subscribe("b")

    async def test_the_octets_of_subscriptions(self) -> None:
        self.patch(_names, "MAX_NAMES_OCTETS", OCTETS + 5)
        await self.account.create("é" * 2)
        await self.account.subscribe("é" * 2)
        await self.account.delete("é" * 2)
        await self.account.create("xy")
        await self.refused(self.account.subscribe("xy"))
        await self.account.unsubscribe("é" * 2)
        await self.account.subscribe("xy")

    async def test_uid_validities_of_former_names_grow_even_if_the_names_are_forgotten(self) -> None:
        self.patch(_memory_account, "MAX_RETIRED", 3)
        self.patch(_tree, "MAX_RETIRED", 3)
        self.patch(_tree, "_RETIRED_AT_ONCE", 1)
        await self.account.create("old/one")
        validities = {}
        for number in range(8):
            await self.account.create(f"x{number}")
            validities[number] = (await settle(self.account.open(f"x{number}"))).uid_validity
            await self.account.delete(f"x{number}")
        for number, validity in validities.items():
            await self.account.rename("old" if not number else f"x{number - 1}", f"x{number}")
            for name in (f"x{number}", f"x{number}/one"):
                mailbox = await settle(self.account.open(name))
                self.assertGreater(mailbox.uid_validity, validity if "/" not in name else 0)
        await self.bounded()

    async def bounded(self) -> None:
        account: Any = self.account
        self.assertLessEqual(len(account._retired), 3)

    async def test_a_whole_tree_moves(self) -> None:
        await self.account.create("a/b/c")
        await self.account.create("a-b")
        await self.account.create("a/b.c", "\\Sent")
        seen = {}
        for name in ("a", "a/b", "a/b/c", "a/b.c", "a-b"):
            seen[name] = (await settle(self.account.open(name))).uid_validity
        for old, new in (("a", "z"), ("z", "a")):
            await self.account.rename(old, new)
        self.assertEqual(await self.names(), sorted([*seen, *(name for name, _ in DEFAULT_MAILBOXES)]))
        back = {name: (await settle(self.account.open(name))).uid_validity for name in seen}
        self.assertEqual(len(set(back.values())), len(back))
        self.assertEqual({name for name in seen if back[name] <= seen[name]}, {"a-b"})


class SQLiteLimitTests(LimitTests):
    """The same in a database."""

    def make_store(self) -> IStore:
        reactor: Any = installed
        self.store = SQLiteStore(self.mktemp(), reactor=reactor)
        return self.store

    async def bounded(self) -> None:
        count = "SELECT count(*) FROM retired"
        [(number,)] = self.store._database.read(lambda reader: reader.execute(count).fetchall())
        self.assertLessEqual(number, 5)

    async def test_numbers_of_names_are_right(self) -> None:
        await self.test_a_whole_tree_moves()
        await self.account.delete("a/b")
        await self.account.unsubscribe("Sent")
        await self.account.subscribe("a")
        lines: list[str] = []
        await self.store.check(lines.append)
        self.assertEqual(lines, [])


names = st.lists(st.sampled_from("ab/-0"), min_size=1, max_size=6).map("".join)


class SortedNamesTests(SynchronousTestCase):
    @given(st.sets(names), st.sets(names), names)
    def test_those_below_a_name(self, there: set[str], gone: set[str], name: str) -> None:
        sorted_names = SortedNames()
        for each in there:
            sorted_names.add(each)
        for each in there & gone:
            sorted_names.remove(each)
        left = sorted(there - gone)
        self.assertEqual(list(sorted_names), left)
        self.assertEqual((len(sorted_names), sorted_names.octets), (len(left), sum(map(len, left))))
        self.assertEqual(sorted_names.below(name), [each for each in left if is_inferior(each, name)])


class EntriesTests(SynchronousTestCase):
    def test_a_sequence(self) -> None:
        subscribed = {"gone/far", "a"}
        found = entries({"INBOX": None, "a": "\\Sent", "b/c": None}, subscribed)
        subscribed.add("later")
        self.assertEqual(
            list(found),
            [
                MailboxEntry("INBOX"),
                MailboxEntry("a", subscribed=True, special_use=frozenset({"\\Sent"})),
                MailboxEntry("b", selectable=False),
                MailboxEntry("b/c"),
                MailboxEntry("gone/far", selectable=False, subscribed=True, exists=False),
            ],
        )
        self.assertEqual((len(found), found[1].name), (5, "a"))
        self.assertEqual([entry.name for entry in found[-2:]], ["b/c", "gone/far"])
        self.assertRaises(IndexError, lambda: found[5])

    some_names = st.sets(
        st.lists(st.text("a-0 ", min_size=1, max_size=2), min_size=1, max_size=4).map("/".join), max_size=8
    )

    @given(some_names, some_names)
    def test_names_that_only_hold_others_are_among_them(
        self, mailboxes: set[str], subscribed: set[str]
    ) -> None:
        above = {name[:at] for name in mailboxes for at, octet in enumerate(name) if octet == "/"}
        found = entries(dict.fromkeys(mailboxes), subscribed)
        expected = [
            MailboxEntry(
                name,
                selectable=name in mailboxes,
                subscribed=name in subscribed,
                exists=name in mailboxes or name in above,
            )
            for name in sorted(mailboxes | subscribed | above)
        ]
        self.assertEqual(list(found), expected)
        self.assertEqual([found[at] for at in range(len(found))], expected)

    def test_deep_names_take_little_memory(self) -> None:
        """The names above these have thirty times as many octets."""
        deep = dict.fromkeys(
            f"box{number:04}/" + "/".join("x" * 30 for _ in range(30)) for number in range(300)
        )
        tracemalloc.start()
        try:
            found = entries(deep, set())
            self.assertEqual(sum(not entry.selectable for entry in found), 300 * 30)
            self.assertLess(tracemalloc.get_traced_memory()[1], 1_000_000)
        finally:
            tracemalloc.stop()

    def test_others_have_their_turn_while_they_are_put_in_order(self) -> None:
        flat = {f"box{number:05}" for number in range(10_000)}
        deep = {f"{number:05}" + "/a" * 31 for number in range(2000)}
        beside = {f"{number:05}{octet}/b" for number in range(2000) for octet in "! "}
        for names, pauses in ((flat, 4), (deep, 62), (deep | beside, 64), (set(list(flat)[:1000]), 0)):
            steps = 0
            for _ in entry_steps(dict.fromkeys(names), set()):
                steps += 1
            self.assertGreaterEqual(steps, pauses)
            self.assertLess(steps, 2 * pauses + 10)
