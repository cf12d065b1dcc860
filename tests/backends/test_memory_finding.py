"""Finding and sorting in memory leaves turns to others."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailproto.backends import MemoryStore, _memory_finding
from mailproto.model import InField, InText, SortKey, SortOrder
from tests.imap.server.dialogue import message, run


class TurnTests(SynchronousTestCase):
    def setUp(self) -> None:
        store = MemoryStore()
        run(store.directory.add("alice", ""))
        self.inbox = run(run(store.account("alice")).open("INBOX"))
        for number in range(500):
            self.inbox.add(message(f"{number * 7 % 10}"), (), number)
        self.uids = range(1, 501)
        run(self.inbox.sort(self.uids, [SortOrder(SortKey.SUBJECT)]))  # values are made
        self.patch(_memory_finding, "_TESTED", 20)
        self.turns = 0

        async def turn() -> None:
            self.turns += 1

        self.patch(_memory_finding, "turn", turn)

    def test_many_tests(self) -> None:
        tests = [InField("subject", f"{number % 10}") for number in range(40)]
        found = run(self.inbox.find(self.uids, [*tests, InText("X", True)]))
        self.assertGreaterEqual(self.turns, 40 * 500 // 20)
        self.assertEqual(list(found[3].passing), [uid for uid in self.uids if (uid - 1) * 7 % 10 == 3])
        self.assertEqual((list(found[40].passing), list(found[40].unknown)), ([], list(self.uids)))

    def test_many_messages_are_sorted_in_pieces(self) -> None:
        for reverse in (False, True):
            orders = [SortOrder(SortKey.SUBJECT, reverse), SortOrder(SortKey.ARRIVAL, not reverse)]
            found = run(self.inbox.sort(self.uids, orders))
            sign = -1 if reverse else 1
            right = sorted(self.uids, key=lambda uid: (sign * ((uid - 1) * 7 % 10), -sign * uid))
            self.assertEqual(found, right)
            found = run(self.inbox.sort(self.uids, orders[:1]))
            self.assertEqual(found, sorted(self.uids, key=lambda uid: (sign * ((uid - 1) * 7 % 10), uid)))
        self.assertGreater(self.turns, 100)
