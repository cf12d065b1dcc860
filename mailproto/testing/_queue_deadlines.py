"""Conformance of queues: senders can be told in time that nothing is sent."""

from __future__ import annotations

from collections.abc import Sequence

from mailproto.model import Lease, Outcome, QueueChange, QueueFilter, QueueState, RecipientResult
from mailproto.testing._queue_fixture import DOMAIN, NOW, QueueFixture, message, numbers, octets_of, sent

__all__ = ["QueueDeadlinesConformance"]

DEAD = Outcome(451, "4.4.1", "No route to host")


class QueueDeadlinesConformance(QueueFixture):
    """What cannot be sent is found when its deadline is over."""

    async def overdue(self, now: float, messages: int = 10) -> Sequence[Lease]:
        """Lease what is overdue, for a minute."""
        leases: Sequence[Lease] = await self.queue.lease_overdue(now=now, until=now + 60, messages=messages)
        return leases

    async def told(self, lease: Lease, *, is_late: bool = True, due: float = NOW) -> None:
        """Settle a lease: the sender was told of the delay."""
        results = [
            RecipientResult(
                number, QueueState.WAITING, DEAD, due=due, is_attempt=False, is_reported_late=is_late
            )
            for number in numbers(lease)
        ]
        await self.queue.settle(lease, results)

    async def test_deadlines(self) -> None:
        self.assertIsNone(await self.queue.next_deadline())
        await self.queue.add([message("a", expires=NOW + 900)])
        self.assertEqual(await self.queue.next_deadline(), NOW + 900)
        await self.queue.add([message("b", notice=NOW + 300), message("c", notice=NOW + 400)])
        self.assertEqual(await self.queue.next_deadline(), NOW + 300)
        await self.queue.add([message("d", notice=NOW + 500, expires=NOW + 200)])
        self.assertEqual(await self.queue.next_deadline(), NOW + 200)

    async def test_a_notice_and_then_the_end(self) -> None:
        await self.queue.pause(DOMAIN, NOW + 5000, 3, "dead")
        await self.queue.add([message("a", "b", notice=NOW + 300, expires=NOW + 900)])
        self.assertEqual(list(await self.overdue(NOW + 299)), [])
        [lease] = await self.overdue(NOW + 300)
        self.assertEqual((numbers(lease), lease.until), ([0, 1], NOW + 360))
        self.assertEqual(octets_of(lease)[:5], b"From:")
        self.assertEqual(list(await self.overdue(NOW + 301)), [])
        await self.told(lease)
        self.assertEqual(await self.queue.next_deadline(), NOW + 900)
        self.assertEqual(list(await self.overdue(NOW + 899)), [])
        [lease] = await self.overdue(NOW + 900)
        self.assertTrue(all(each.is_reported_late for each in lease.message.recipients))
        await self.queue.settle(lease, [RecipientResult(n, QueueState.FAILED, DEAD) for n in (0, 1)])
        self.assertIsNone(await self.queue.next_deadline())

    async def test_those_who_are_told_wait_as_before(self) -> None:
        await self.queue.pause(DOMAIN, NOW + 5000, 3)
        await self.queue.add([message("a", notice=NOW + 300)])
        [lease] = await self.overdue(NOW + 300)
        await self.told(lease)
        self.assertEqual(await self.due(), [(DOMAIN, NOW + 5000)])
        self.assertEqual(await self.locals(now=NOW + 5000), [["a"]])

    async def test_only_where_it_cannot_be_sent(self) -> None:
        """What is sent now, or can be, is with whoever sends it."""
        await self.queue.add([message("a@x.example", "b@y.example", "c@z.example", notice=NOW + 300)])
        await self.queue.pause("y.example", NOW + 5000)
        await self.queue.pause("z.example", NOW + 5000)
        leased = await self.lease_one("z.example", now=NOW, until=NOW + 1000)
        [lease] = await self.overdue(NOW + 300)
        self.assertEqual([each.destination for each in lease.message.recipients], ["y.example"])
        await self.queue.settle(leased, sent(leased))
        await self.told(lease)
        self.assertEqual(await self.locals("x.example", now=NOW + 300), [["a"]])

    async def test_a_lease_for_each_destination(self) -> None:
        for name in ("y.example", "x.example"):
            await self.queue.pause(name, NOW + 5000)
        await self.queue.add([message("a@y.example", "b@x.example", "c@y.example", notice=NOW + 300)])
        leases = await self.overdue(NOW + 300)
        self.assertEqual([numbers(lease) for lease in leases], [[0, 2], [1]])

    async def test_the_earliest_come_first(self) -> None:
        await self.queue.pause(DOMAIN, NOW + 5000)
        await self.queue.add([message(f"u{at}", notice=NOW + 300 - at) for at in range(5)])
        found: list[str] = []
        while leases := await self.overdue(NOW + 300, messages=2):
            found += [lease.message.recipients[0].recipient.address.local for lease in leases]
        self.assertEqual(found, ["u4", "u3", "u2", "u1", "u0"])

    async def test_what_was_looked_at_is_looked_at_later(self) -> None:
        await self.queue.add([message("a", notice=NOW + 4000)])
        self.assertEqual(list(await self.overdue(NOW + 4000)), [])
        self.assertEqual(await self.queue.next_deadline(), NOW + 5000)
        await self.queue.pause(DOMAIN, NOW + 9000)
        [lease] = await self.overdue(NOW + 5000)
        self.assertEqual(await self.queue.next_deadline(), NOW + 6250)
        await self.told(lease, is_late=False)
        self.assertEqual(await self.queue.next_deadline(), NOW + 6250)

    async def test_one_that_has_expired_is_looked_at_again(self) -> None:
        await self.queue.pause(DOMAIN, NOW + 5000)
        await self.queue.add([message("a", expires=NOW + 100)])
        [lease] = await self.overdue(NOW + 100)
        self.assertEqual(await self.queue.next_deadline(), NOW + 160)
        [again] = await self.overdue(NOW + 160)  # the lease has run out
        self.assertGreater(again.token, lease.token)

    async def test_what_is_held_or_gone_is_not_found(self) -> None:
        await self.queue.pause(DOMAIN, NOW + 5000)
        await self.queue.add([message("a", notice=NOW + 300), message("b", notice=NOW + 300)])
        first, second = [each.id for each in await self.queue.find(QueueFilter())]
        await self.queue.change([first], QueueChange.HOLD)
        await self.queue.change([second], QueueChange.DELETE)
        self.assertEqual(list(await self.overdue(NOW + 300)), [])
