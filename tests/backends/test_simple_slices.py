"""Long changes of mailboxes in memory leave turns to others, who may change everything meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mailproto.backends import MemoryStore, _memory_mailbox, _simple
from mailproto.errors import NoSuchMailbox
from mailproto.model import FlagChange, FlagOperation, NewMessage
from tests.imap.server.dialogue import run

DELETED = FlagChange(FlagOperation.ADD, frozenset({"\\Deleted"}))
ALL = list(range(1, 6))


def interrupted(awaitable: Any, act: Callable[[], object]) -> Any:
    """The result of a change, in the first turn of which ``act`` is called."""
    coroutine = awaitable.__await__()
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
        self.patch(_memory_mailbox, "AT_ONCE", 2)
        store = MemoryStore()
        run(store.directory.add("alice", ""))
        self.account: Any = run(store.account("alice"))
        self.inbox, self.trash = (run(self.account.open(name)) for name in ("INBOX", "Trash"))
        run(self.inbox.append([NewMessage(b"x")] * 5))

    def test_store(self) -> None:
        stored = interrupted(self.inbox.store(ALL, DELETED), lambda: self.inbox.remove([1, 4]))
        self.assertEqual([each.uid for each in stored.changed], [1, 2, 3, 5])
        self.assertEqual(run(self.inbox.status()).deleted, 3)

    def test_flags_that_come_meanwhile_stay(self) -> None:
        later = FlagChange(FlagOperation.ADD, frozenset({"Later"}))
        stored = interrupted(self.inbox.store(ALL, DELETED), lambda: run(self.inbox.store([5], later)))
        self.assertEqual(stored.changed[-1].flags, {"\\Deleted", "Later"})

    def test_expunge(self) -> None:
        interrupted(self.inbox.store(ALL, DELETED), lambda: None)
        seen = run(self.inbox.status()).modseq
        keep = FlagChange(FlagOperation.REMOVE, frozenset({"\\Deleted"}))
        gone = interrupted(self.inbox.expunge(), lambda: run(self.inbox.store([3], keep)))
        self.assertEqual(list(gone), [1, 2, 4, 5])
        self.assertEqual(list(run(self.inbox.changes_since(seen)).vanished), [1, 2, 4, 5])

    def test_copy_and_move(self) -> None:
        copied = interrupted(self.inbox.copy(ALL, self.trash), lambda: self.inbox.remove([3]))
        self.assertEqual(copied, [(1, 1), (2, 2), (4, 3), (5, 4)])
        moved = interrupted(self.inbox.move([1, 2, 4, 5], self.trash), lambda: self.inbox.remove([4]))
        self.assertEqual(moved, [(1, 5), (2, 6), (5, 7)])
        self.assertEqual((run(self.inbox.status()).messages, run(self.trash.status()).messages), (0, 7))

    def test_all_are_copied_or_none(self) -> None:
        for is_source in (True, False):
            work = run(self.account.create("Work")) or run(self.account.open("Work"))
            run(work.append([NewMessage(b"x")] * 5))
            source, target = (work, self.inbox) if is_source else (self.inbox, work)
            with self.assertRaises(NoSuchMailbox):
                interrupted(source.copy(ALL, target), lambda: run(self.account.delete("Work")))
            self.assertEqual(run(self.inbox.status()).messages, 5)

    def test_a_mailbox_that_is_deleted_meanwhile(self) -> None:
        for method in ("store", "expunge"):
            work = run(self.account.create("Work")) or run(self.account.open("Work"))
            run(work.append([NewMessage(b"x", frozenset({"\\Deleted"}))] * 5))
            arguments = (ALL, DELETED) if method == "store" else ()
            with self.assertRaises(NoSuchMailbox):
                interrupted(getattr(work, method)(*arguments), lambda: run(self.account.delete("Work")))
