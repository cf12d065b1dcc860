"""Tests of messages that the queue hands over when it accepts them."""

from __future__ import annotations

from collections.abc import Callable
from unittest import SkipTest

from mailproto.errors import LeaseLost, NoSuchAccount
from mailproto.interfaces import IHandover
from mailproto.model import Lease, Placement, QueueChange, QueueFilter, QueueState
from mailproto.testing._fixture import ALICE, TEXT, provides
from mailproto.testing._queue_fixture import (
    DOMAIN,
    NOW,
    QueueFixture,
    message,
    numbers,
    octets_of,
    sent,
    waiting,
)

__all__ = ["QueueHandoverConformance"]

UNTIL = NOW + 60


class QueueHandoverConformance(QueueFixture):
    """What is handed over is leased, as if it had been leased by itself; the rest is in the queue."""

    def take_all(self) -> None:
        """Take all messages that the queue hands over."""
        if not provides(IHandover, self.queue):
            raise SkipTest("Not offered: the queue is no IHandover")
        self.asked: list[str] = []
        self.taken: list[tuple[str, Lease | None]] = []
        self.until = UNTIL
        self.end: Callable[[], None] = self.queue.hand_over(self._reserve, self._take)

    def _reserve(self, destination: str) -> float:
        self.asked.append(destination)
        return self.until

    def _take(self, destination: str, lease: Lease | None) -> None:
        self.taken.append((destination, lease))

    def handed(self) -> list[Lease]:
        """What was handed over since the last call."""
        taken, self.taken, self.asked = self.taken, [], []
        return [lease for _, lease in taken if lease is not None]

    async def test_what_is_accepted_is_leased(self) -> None:
        self.take_all()
        hints, _ = await self.watched()
        await self.queue.add([message("a", content=b"Return-Path: <>\r\n" + TEXT, skip=17)])
        self.assertEqual(self.asked, [DOMAIN])
        [(name, lease)] = self.taken
        assert lease is not None
        self.assertEqual((name, lease.until, numbers(lease)), (DOMAIN, UNTIL, [0]))
        self.assertEqual(octets_of(lease), TEXT)
        self.assertEqual(hints, [], "there is nothing to look for")
        self.assertEqual(await self.locals(), [], "it is leased")
        self.assertEqual(await self.due(), [(DOMAIN, UNTIL)])
        await self.assert_counts(messages=1, waiting=1, leased=1, octets=len(TEXT), oldest=NOW)
        await self.queue.settle(lease, sent(lease))
        await self.assert_counts()

    async def test_it_is_what_a_lease_would_give(self) -> None:
        self.take_all()
        await self.queue.add([message("a", priority=3, share="ann")])
        [handed] = self.handed()
        [later] = await self.lease(now=UNTIL, until=UNTIL + 60)
        self.assertGreater(later.token, handed.token)
        self.assertEqual((later.message.id, later.message.size), (handed.message.id, handed.message.size))
        self.assertEqual(octets_of(later), octets_of(handed))
        for name in ("envelope", "recipients", "arrived", "expires", "priority"):
            self.assertEqual(getattr(later.message, name), getattr(handed.message, name), name)

    async def test_one_that_ran_out_is_taken_over(self) -> None:
        self.take_all()
        await self.queue.add([message("a")])
        [old] = self.handed()
        [new] = await self.lease(now=UNTIL)
        with self.assertRaises(LeaseLost):
            await self.queue.settle(old, sent(old))
        await self.queue.settle(new, sent(new))

    async def test_renewed_given_back_and_tried_again(self) -> None:
        self.take_all()
        await self.queue.add([message("a")])
        [lease] = self.handed()
        [lease] = await self.queue.renew([lease], UNTIL + 60)
        self.assertEqual(await self.locals(now=UNTIL), [])
        await self.queue.release([lease])
        [again] = await self.lease()
        await self.queue.settle(again, waiting(again, NOW + 90))
        self.assertEqual(await self.due(), [(DOMAIN, NOW + 90)])
        self.assertEqual(await self.locals(now=NOW + 90), [["a"]])

    async def test_nobody_is_passed(self) -> None:
        """While some are ready, who comes waits behind them."""
        self.take_all()
        self.until = 0.0
        await self.queue.add([message("a")])
        self.until = UNTIL
        hints, _ = await self.watched()
        await self.queue.add([message("b"), message("c", priority=9)])
        self.assertEqual(self.taken, [(DOMAIN, None), (DOMAIN, None)])
        self.assertEqual(await self.locals(), [["c"], ["a"], ["b"]])
        self.assertGreaterEqual(len(hints), 1)
        await self.queue.add([message("d")])
        self.assertEqual([numbers(lease) for lease in self.handed()], [[0]], "all others are leased")

    async def test_given_back_it_is_before_later_ones(self) -> None:
        self.take_all()
        await self.queue.add([message("a", share="ann")])
        [lease] = self.handed()
        self.until = 0.0
        await self.queue.add([message("b", share="bob"), message("c", share="ann")])
        await self.queue.release([lease])
        self.assertEqual(await self.locals(messages=1), [["a"]])
        self.assertEqual(sorted(await self.locals()), [["b"], ["c"]])

    async def test_several_of_one_transaction(self) -> None:
        self.take_all()
        await self.queue.add([message("a"), message("b"), message("c@z.example")])
        leases = self.handed()
        self.assertEqual(len({lease.token for lease in leases}), 3)
        for lease in leases:
            await self.queue.settle(lease, sent(lease))
        await self.assert_counts()

    async def test_only_where_there_is_room(self) -> None:
        self.take_all()
        self.until = 0.0
        hints, _ = await self.watched()
        await self.queue.add([message("a")])
        self.assertEqual((self.asked, self.taken), ([DOMAIN], []))
        self.assertEqual(await self.locals(), [["a"]])
        self.assertEqual(len(hints), 1)

    async def test_not_what_is_due_later(self) -> None:
        self.take_all()
        await self.queue.add([message("a", due=NOW + 10)])
        self.assertEqual((self.asked, self.taken), ([], []))
        self.assertEqual(await self.due(), [(DOMAIN, NOW + 10)])

    async def test_not_several_recipients(self) -> None:
        self.take_all()
        await self.queue.add([message("a", "b")])
        self.assertEqual((self.asked, self.taken), ([], []))
        self.assertEqual(await self.locals(), [["a", "b"]])

    async def test_not_while_the_destination_is_paused_or_fails(self) -> None:
        self.take_all()
        await self.queue.pause(DOMAIN, NOW + 30, 1, "Busy")
        await self.queue.add([message("a")])
        self.assertEqual(self.taken, [(DOMAIN, None)])
        self.assertEqual(await self.due(), [(DOMAIN, NOW + 30)])
        await self.lease(now=NOW + 30)
        await self.queue.add([message("b", arrived=NOW + 31)])
        self.assertEqual(self.handed(), [], "its server has not answered yet")

    async def test_not_what_is_refused(self) -> None:
        self.take_all()
        nobody = Placement("nobody@example.com", "INBOX")
        with self.assertRaises(NoSuchAccount):
            await self.queue.add([message("a"), message("b", placements=[nobody])])
        self.assertEqual(self.handed(), [])
        self.assertEqual(len(self.taken), len(self.asked), "each time, the room is given up")
        await self.assert_counts()

    async def test_with_copies_here(self) -> None:
        self.take_all()
        placed = await self.queue.add(
            [message("a", "b", destinations=[None, DOMAIN], placements=[Placement(ALICE, "INBOX")])]
        )
        self.assertEqual([len(each) for each in placed], [1])
        [lease] = self.handed()
        self.assertEqual(numbers(lease), [1])
        await self.queue.settle(lease, sent(lease))
        await self.assert_counts()

    async def test_an_operator_may_delete_it(self) -> None:
        self.take_all()
        await self.queue.add([message("a")])
        [lease] = self.handed()
        [found] = await self.pages(QueueFilter())
        self.assertEqual([each.state for each in found.recipients], [QueueState.WAITING])
        self.assertEqual(list(await self.queue.change([found.id], QueueChange.DELETE)), [found.id])
        with self.assertRaises(LeaseLost):
            await self.queue.settle(lease, sent(lease))

    async def test_its_end(self) -> None:
        self.take_all()
        self.end()
        await self.queue.add([message("a")])
        self.assertEqual((self.asked, self.taken), ([], []))
        self.assertEqual(await self.locals(), [["a"]])

    async def test_of_several_the_first_one_takes(self) -> None:
        self.take_all()
        others: list[object] = []
        end = self.queue.hand_over(lambda name: UNTIL, lambda *taken: others.append(taken))
        await self.queue.add([message("a")])
        self.assertEqual((len(self.handed()), others), (1, []))
        self.end()
        await self.queue.add([message("b@z.example")])
        self.assertEqual((self.handed(), len(others)), ([], 1))
        end()
