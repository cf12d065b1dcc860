"""Long changes of mailboxes in memory leave turns to others, who may change everything meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mailproto.backends import MemoryStore, SimpleMailbox, _memory_mailbox, _simple, _simple_state
from mailproto.errors import NoSuchMailbox, OverQuota
from mailproto.model import FlagChange, FlagOperation, NewMessage
from tests.imap.server.dialogue import run

DELETED = FlagChange(FlagOperation.ADD, frozenset({"\\Deleted"}))
ALL = list(range(1, 6))


LOOKED = 3
"""The first turn after a slice was done, where all messages are looked at before."""


def interrupted(awaitable: Any, act: Callable[[], object], turn: int = 1) -> Any:
    """The result of a change, in whose given ``turn`` ``act`` is called."""
    coroutine = awaitable.__await__()
    for _ in range(turn):
        next(coroutine)
    act()
    while True:
        try:
            next(coroutine)
        except StopIteration as stop:
            return stop.value


class SliceTests(SynchronousTestCase):
    """Slices of two messages, in an INBOX of five."""

    def setUp(self) -> None:
        self.patch(_simple, "AT_ONCE", 2)
        self.patch(_simple, "_MOVED_AT_ONCE", 2)
        self.patch(_simple_state, "AT_ONCE", 2)
        self.patch(_memory_mailbox, "AT_ONCE", 2)
        store = MemoryStore()
        run(store.directory.add("alice", ""))
        self.account: Any = run(store.account("alice"))
        self.inbox, self.trash = (run(self.account.open(name)) for name in ("INBOX", "Trash"))
        run(self.inbox.append([NewMessage(b"x")] * 5))

    def test_changes(self) -> None:
        """A message that is removed while they are read is told of the next time."""
        for since in (0, 1):
            modseq = run(self.inbox.status()).modseq
            there = [each.uid for each in run(self.inbox.changes_since(since)).changed]
            *_, last, gone = there

            def act(gone: int = gone, last: int = last) -> None:
                self.inbox.remove([gone])
                run(self.inbox.store([last], DELETED))

            changes = interrupted(self.inbox.changes_since(since), act)
            self.assertEqual(([each.uid for each in changes.changed], changes.modseq), (there, modseq))
            later = run(self.inbox.changes_since(modseq))
            self.assertEqual(([each.uid for each in later.changed], list(later.vanished)), ([last], [gone]))

    def test_changes_in_any_order_are_told_by_uid(self) -> None:
        since = run(self.inbox.status()).modseq
        for uid in (4, 2, 5, 1):
            run(self.inbox.store([uid], DELETED))
        changes = run(self.inbox.changes_since(since))
        self.assertEqual([each.uid for each in changes.changed], [1, 2, 4, 5])
        self.assertEqual([*changes.changed.modseqs], [since + 4, since + 2, since + 1, since + 3])

    def test_changes_of_a_mailbox_that_is_deleted_meanwhile(self) -> None:
        with self.assertRaises(NoSuchMailbox):
            interrupted(self.inbox.changes_since(0), self.inbox.retire)

    def test_many_tombstones(self) -> None:
        self.patch(_simple_state, "_TOMBSTONES", 1)
        seen = run(self.inbox.status()).modseq
        for uid in (1, 3, 5):
            self.inbox.remove([uid])
        turns: list[int] = []
        for since in (seen, seen + 1):
            changes = interrupted(self.inbox.changes_since(since), lambda: turns.append(1))
            self.assertEqual([*changes.vanished], [1, 3, 5])
        self.assertTrue(turns)

    def test_store(self) -> None:
        stored = interrupted(self.inbox.store(ALL, DELETED), lambda: self.inbox.remove([1, 4]), LOOKED)
        self.assertEqual([each.uid for each in stored.changed], [1, 2, 3, 5])
        self.assertEqual(run(self.inbox.status()).deleted, 3)

    def test_flags_that_come_meanwhile_stay(self) -> None:
        later = FlagChange(FlagOperation.ADD, frozenset({"Later"}))
        stored = interrupted(
            self.inbox.store(ALL, DELETED), lambda: run(self.inbox.store([5], later)), LOOKED
        )
        self.assertEqual(stored.changed[-1].flags, {"\\Deleted", "Later"})

    def test_expunge(self) -> None:
        interrupted(self.inbox.store(ALL, DELETED), lambda: None)
        seen = run(self.inbox.status()).modseq
        keep = FlagChange(FlagOperation.REMOVE, frozenset({"\\Deleted"}))
        gone = interrupted(self.inbox.expunge(), lambda: run(self.inbox.store([3], keep)))
        self.assertEqual(list(gone), [1, 2, 4, 5])
        self.assertEqual(list(run(self.inbox.changes_since(seen)).vanished), [1, 2, 4, 5])

    def test_copy_and_move(self) -> None:
        copied = interrupted(self.inbox.copy(ALL, self.trash), lambda: self.inbox.remove([3]), LOOKED)
        self.assertEqual(copied, [(1, 1), (2, 2), (4, 3), (5, 4)])
        moved = interrupted(self.inbox.move([1, 2, 4, 5], self.trash), lambda: self.inbox.remove([4]))
        self.assertEqual(moved, [(1, 5), (2, 6), (5, 7)])
        self.assertEqual((run(self.inbox.status()).messages, run(self.trash.status()).messages), (0, 7))

    def test_move_has_shorter_slices(self) -> None:
        """Each message is copied and removed."""
        self.patch(_simple, "_MOVED_AT_ONCE", 1)
        there: list[int] = []

        def look() -> None:
            there.append(run(self.inbox.status()).messages)

        moved = interrupted(self.inbox.move(ALL, self.trash), look, 2)
        self.assertEqual((len(moved), there), (5, [3]))

    def test_delete(self) -> None:
        """The mailbox is gone at once; its messages, and then their threads, are forgotten in slices."""
        work = run(self.account.create("Work")) or run(self.account.open("Work"))
        run(work.append([NewMessage(b"Message-ID: <%d@x>\r\n\r\n" % number) for number in range(5)]))
        threads = self.account._threads._messages
        before = len(threads)
        found: list[object] = []

        def look() -> None:
            found.extend([len(threads), [each.name for each in run(self.account.list())]])
            with self.assertRaises(NoSuchMailbox):
                run(work.status())

        interrupted(self.account.delete("Work"), look)
        self.assertEqual(found[0], before - 2)
        self.assertNotIn("Work", found[1])  # type: ignore[arg-type]
        self.assertEqual(len(threads), before - 5)

    def test_delete_for_somebody_who_has_gone(self) -> None:
        work = run(self.account.create("Work")) or run(self.account.open("Work"))
        run(work.append([NewMessage(b"Message-ID: <%d@x>\r\n\r\n" % number) for number in range(5)]))
        before = len(self.account._threads._messages)
        deleting = self.account.delete("Work").__await__()
        next(deleting)
        deleting.close()
        self.assertEqual(len(self.account._threads._messages), before - 5)

    def test_all_are_copied_or_none(self) -> None:
        for is_source in (True, False):
            work = run(self.account.create("Work")) or run(self.account.open("Work"))
            run(work.append([NewMessage(b"x")] * 5))
            source, target = (work, self.inbox) if is_source else (self.inbox, work)
            with self.assertRaises(NoSuchMailbox):
                interrupted(source.copy(ALL, target), lambda: run(self.account.delete("Work")), LOOKED)
            self.assertEqual(run(self.inbox.status()).messages, 5)

    def test_copies_between_mailboxes_of_an_application(self) -> None:
        """All are copied or none, and an `append` of its own is called."""
        for fails_at in (0, 2):
            calls: list[int] = []

            class Work(SimpleMailbox):
                async def append(
                    self, messages: Any, calls: list[int] = calls, fails_at: int = fails_at
                ) -> Any:
                    calls.append(len(messages))
                    if len(calls) == fails_at:
                        raise OverQuota
                    return await super().append(messages)

            source, target = SimpleMailbox("a"), Work("b")
            for _ in ALL:
                source.add(b"x")
            if fails_at:
                with self.assertRaises(OverQuota):
                    interrupted(source.copy(ALL, target), lambda: None)
                self.assertEqual(run(target.status()).messages, 0)
            else:
                copied = interrupted(source.copy(ALL, target), lambda source=source: source.remove([3]))
                self.assertEqual((copied, calls), ([(1, 1), (2, 2), (4, 3), (5, 4)], [2, 1, 1]))

    def test_a_mailbox_that_is_deleted_meanwhile(self) -> None:
        for method in ("store", "expunge"):
            work = run(self.account.create("Work")) or run(self.account.open("Work"))
            run(work.append([NewMessage(b"x", frozenset({"\\Deleted"}))] * 5))
            arguments = (ALL, DELETED) if method == "store" else ()
            with self.assertRaises(NoSuchMailbox):
                interrupted(getattr(work, method)(*arguments), lambda: run(self.account.delete("Work")))
