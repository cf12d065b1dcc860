"""Tests of leases: who may try what, and for how long."""

from __future__ import annotations

from twisted.internet.defer import gatherResults

from mailproto.errors import LeaseLost, NoSuchAccount, NoSuchQueued
from mailproto.model import NULL_PATH, Placement, QueueChange, QueueFilter, QueueState, RecipientResult
from mailproto.testing._fixture import ALICE, TEXT, Offer, deferred, needs
from mailproto.testing._queue_fixture import (
    BUSY,
    DOMAIN,
    NOW,
    REFUSED,
    SENT,
    QueueFixture,
    failed,
    message,
    numbers,
    octets_of,
    sent,
    waiting,
)

__all__ = ["QueueLeasingConformance"]


class QueueLeasingConformance(QueueFixture):
    """A lease is somebody's alone until it runs out."""

    async def assert_lost(self, result: object) -> None:
        """Check that a settlement raises `LeaseLost`."""
        with self.assertRaises(LeaseLost):
            await result  # type: ignore[misc]

    async def test_what_is_leased_is_not_leased_again(self) -> None:
        await self.queue.add([message("a"), message("b")])
        self.assertEqual(await self.locals(messages=1), [["a"]])
        self.assertEqual(await self.locals(), [["b"]])
        self.assertEqual(await self.locals(), [])

    async def test_of_nothing_nothing_is_leased(self) -> None:
        self.assertEqual(await self.locals(), [])
        await self.queue.add([message()])
        self.assertEqual(await self.locals("other.example"), [])

    async def test_recipients_of_a_message_share_a_lease(self) -> None:
        """Those at the same destination, as many as asked for."""
        await self.queue.add([message("a", "b@z.example", "c", "d", "e"), message("f")])
        self.assertEqual(await self.locals(messages=1, recipients=2), [["a", "c"]])
        self.assertEqual(await self.locals(recipients=2), [["d", "e"], ["f"]])
        self.assertEqual(await self.locals("z.example"), [["b"]])

    async def test_numbers_are_those_of_the_envelope(self) -> None:
        await self.queue.add([message("a", "b@z.example", "c", destinations=(None, "z.example", DOMAIN))])
        lease = await self.lease_one()
        self.assertEqual(numbers(lease), [2])
        self.assertEqual(len(lease.message.envelope.recipients), 3)

    async def test_not_before_it_is_due(self) -> None:
        await self.queue.add([message("later", due=NOW + 100), message("now", due=NOW)])
        self.assertEqual(await self.locals(), [["now"]])
        self.assertEqual(await self.locals(now=NOW + 99), [["now"]])
        self.assertEqual(await self.locals(now=NOW + 100), [["later"]])

    async def test_one_that_ran_out_is_taken_over(self) -> None:
        await self.queue.add([message("a"), message("b")])
        old = await self.lease(until=NOW + 60)
        self.assertEqual(await self.locals(now=NOW + 59.5), [])
        new = await self.lease(now=NOW + 60)
        self.assertEqual([each.message.id for each in new], [each.message.id for each in old])
        self.assertGreater(min(each.token for each in new), max(each.token for each in old))
        await self.assert_lost(self.queue.settle(old[0], sent(old[0])))
        self.assertEqual(list(await self.queue.renew(old, NOW + 500)), [])
        await self.queue.release(old)
        self.assertEqual(await self.locals(now=NOW + 61), [])
        for lease in new:
            await self.queue.settle(lease, sent(lease))
        await self.assert_counts(NOW + 61)

    async def test_one_that_is_taken_over_in_part_is_lost(self) -> None:
        await self.queue.add([message("a", "b", "c")])
        old = await self.lease_one()
        new = await self.lease_one(now=NOW + 60, recipients=1)
        await self.assert_lost(self.queue.settle(old, sent(old)))
        await self.assert_counts(
            NOW + 60, messages=1, waiting=3, due=2, leased=1, octets=len(TEXT), oldest=NOW
        )
        await self.queue.settle(new, sent(new))
        self.assertEqual(await self.locals(now=NOW + 60), [["b", "c"]])

    async def test_one_that_ran_out_can_be_settled(self) -> None:
        await self.queue.add([message("a"), message("b")])
        one = await self.lease_one(messages=1)
        self.assertEqual(await self.locals(now=NOW + 100, messages=1), [["b"]])  # looked at the other, too
        await self.queue.settle(one, sent(one))
        await self.assert_counts(NOW + 100, messages=1, waiting=1, leased=1, octets=len(TEXT), oldest=NOW)

    async def test_renewed(self) -> None:
        await self.queue.add([message("a"), message("b")])
        leases = await self.lease()
        longer = await self.queue.renew(leases, NOW + 200)
        self.assertEqual(
            [(each.token, each.until) for each in longer], [(each.token, NOW + 200) for each in leases]
        )
        self.assertEqual(await self.locals(now=NOW + 199), [])
        self.assertEqual(await self.due(), [(DOMAIN, NOW + 200)])
        self.assertEqual(await self.locals(now=NOW + 200), [["a"], ["b"]])
        self.assertEqual(list(await self.queue.renew([], NOW + 1)), [])

    async def test_renewed_after_it_ran_out(self) -> None:
        """Nobody has it: one that was nearly late goes on."""
        await self.queue.add([message("a"), message("b")])
        one = await self.lease_one(messages=1)
        await self.lease(now=NOW + 100, messages=1)
        [longer] = await self.queue.renew([one], NOW + 200)
        self.assertEqual(await self.locals(now=NOW + 150), [])
        await self.queue.settle(longer, sent(longer))

    async def test_given_back(self) -> None:
        await self.queue.add([message("a"), message("b")])
        [first, _] = await self.lease()
        await self.queue.release([first])
        await self.assert_lost(self.queue.settle(first, sent(first)))
        self.assertEqual(await self.locals(), [["a"]])
        await self.queue.release([])

    async def test_sent(self) -> None:
        await self.queue.add([message("a")])
        lease = await self.lease_one()
        await self.queue.settle(lease, sent(lease))
        with self.assertRaises(NoSuchQueued):
            await self.queue.get(lease.message.id)
        await self.assert_counts()
        self.assertEqual(await self.due(), [])
        await self.assert_lost(self.queue.settle(lease, sent(lease)))

    async def test_each_recipient_has_its_own_result(self) -> None:
        await self.queue.add([message("a", "b", "c", "d")])
        lease = await self.lease_one()
        await self.queue.settle(
            lease,
            [
                *sent(lease)[:1],
                RecipientResult(1, QueueState.FAILED, REFUSED, "mx1"),
                RecipientResult(2, QueueState.WAITING, BUSY, "mx2", NOW + 300, is_reported_late=True),
            ],
        )
        queued = await self.queue.get(lease.message.id)
        self.assertEqual(
            [
                (
                    each.state.value,
                    each.attempts,
                    each.outcome,
                    each.host,
                    each.attempted,
                )
                for each in queued.recipients
            ],
            [
                ("sent", 1, SENT, "mx.y.example", NOW),
                ("failed", 1, REFUSED, "mx1", NOW),
                ("waiting", 1, BUSY, "mx2", NOW),
                ("waiting", 0, None, "", None),
            ],
        )
        self.assertEqual([each.is_reported_late for each in queued.recipients], [False, False, True, False])
        self.assertEqual(queued.recipients[2].due, NOW + 300)
        self.assertEqual(await self.locals(now=NOW + 1), [["d"]])
        self.assertEqual(await self.locals(now=NOW + 300, recipients=1), [["c"]])

    async def test_replies_are_kept_as_they_are(self) -> None:
        await self.queue.add([message("a")])
        lease = await self.lease_one()
        odd = type(BUSY)(450, "4.2.0", 'caf\u00e9 "\\\0\udc80\n', detail="for the log")
        await self.queue.settle(lease, [RecipientResult(0, QueueState.WAITING, odd, "[2001:db8::1]", NOW)])
        [recipient] = (await self.queue.get(lease.message.id)).recipients
        self.assertEqual((recipient.outcome, recipient.outcome.detail), (odd, "for the log"))

    async def test_attempts_that_count_and_those_that_do_not(self) -> None:
        await self.queue.add([message("a")])
        for is_attempt, attempts, attempted in ((False, 0, None), (True, 1, NOW + 10), (False, 1, NOW + 10)):
            lease = await self.lease_one(now=NOW + 10)
            await self.queue.settle(lease, waiting(lease, NOW + 10, is_attempt=is_attempt))
            [recipient] = (await self.queue.get(lease.message.id)).recipients
            self.assertEqual((recipient.attempts, recipient.attempted), (attempts, attempted))
            self.assertEqual(recipient.outcome, BUSY)

    async def test_results_of_others_are_an_error_of_the_caller(self) -> None:
        await self.queue.add([message("a", "b@z.example")])
        lease = await self.lease_one()
        for wrong in ([RecipientResult(1, QueueState.WAITING, BUSY)], sent(lease) * 2):
            with self.assertRaises(ValueError):
                await self.queue.settle(lease, wrong)
        await self.queue.settle(lease, sent(lease))

    async def test_reports_come_with_the_results(self) -> None:
        await self.queue.add([message("a")])
        lease = await self.lease_one()
        report = message("ann@x.example", sender="", content=b"Subject: Returned\r\n\r\n")
        self.assertEqual(report.envelope.sender, NULL_PATH)
        await self.queue.settle(lease, failed(lease), [report])
        [queued] = await self.queue.find(QueueFilter())
        self.assertNotEqual(queued.id, lease.message.id)
        bounce = await self.lease_one("x.example")
        self.assertEqual(octets_of(bounce), b"Subject: Returned\r\n\r\n")

    @needs(Offer.CHANGES)
    async def test_reports_into_mailboxes(self) -> None:
        await self.queue.add([message("a")])
        lease = await self.lease_one()
        for content in (TEXT, TEXT + b"x" * 300_000):
            wrong = message("alice", destinations=[None], placements=[Placement("nobody")], content=content)
            await self.assert_raises(NoSuchAccount, self.queue.settle(lease, failed(lease), [wrong]))
        self.assertEqual((await self.queue.get(lease.message.id)).recipients[0].state, QueueState.WAITING)
        right = message("alice", destinations=[None], placements=[Placement(ALICE)], content=content)
        await self.queue.settle(lease, failed(lease), [right])
        self.assertEqual((await (await self.inbox()).status()).messages, 1)
        await self.assert_counts()

    async def test_reports_of_a_lost_lease_are_not_sent(self) -> None:
        await self.queue.add([message("a")])
        lease = await self.lease_one()
        await self.queue.change([lease.message.id], QueueChange.DELETE)
        for content in (TEXT, TEXT + b"x" * 300_000):
            report = message("ann@x.example", content=content)
            await self.assert_lost(self.queue.settle(lease, failed(lease), [report]))
        await self.assert_counts()

    async def test_many_settle_at_a_time(self) -> None:
        await self.queue.add([message(f"u{n}", "v") for n in range(20)])
        leases = await self.lease(recipients=1)
        others = await self.lease()
        await self.queue.change([leases[3].message.id], QueueChange.DELETE)
        results = [deferred(self.queue.settle(lease, sent(lease))) for lease in (*leases, *others)]
        lost = [
            each.addErrback(lambda failure: failure.trap(LeaseLost)) for each in (results[3], results[23])
        ]
        await gatherResults(results)
        self.assertEqual(await gatherResults(lost), [LeaseLost, LeaseLost])
        await self.assert_counts()
        self.assertEqual(await self.queue.find(QueueFilter()), [])

    async def test_the_same_lease_more_than_once(self) -> None:
        """At the same time, or in one call: it counts once."""
        await self.queue.add([message("a", "b"), message("c")])
        first, second = await self.lease()
        both = [deferred(self.queue.settle(first, waiting(first, NOW + 9))) for _ in range(2)]
        lost = [each.addErrback(lambda failure: failure.trap(LeaseLost)) for each in both]
        self.assertEqual(sorted(map(str, await gatherResults(lost))), sorted(["None", str(LeaseLost)]))
        renewed = await self.queue.renew([second, second], NOW + 90)
        self.assertEqual({each.token for each in renewed}, {second.token})
        await gatherResults([deferred(self.queue.release([second, second])) for _ in range(2)])
        octets = 2 * len(TEXT)
        await self.assert_counts(messages=2, waiting=3, due=1, deferred=2, octets=octets, oldest=NOW)
        self.assertEqual(await self.locals(now=NOW + 9), [["c"], ["a", "b"]])

    async def test_two_who_work_with_one_queue(self) -> None:
        second = await self.second_queue()
        await self.queue.add([message("a"), message("b")])
        [first] = await self.lease(messages=1)
        [other] = await self.lease(queue=second)
        self.assertNotEqual(first.message.id, other.message.id)
        self.assertEqual(octets_of(other), TEXT)
        [taken] = await self.lease(now=NOW + 60, until=NOW + 200, messages=1, queue=second)
        await self.assert_lost(self.queue.settle(first, sent(first)))
        await second.settle(taken, sent(taken))
        await self.queue.settle(other, sent(other))
        await self.assert_counts()

    async def test_those_who_lease_at_the_same_time_get_different_recipients(self) -> None:
        second = await self.second_queue()
        await self.queue.add([message(f"u{n}") for n in range(40)])
        got = await gatherResults(
            [
                deferred(self.lease(messages=3, queue=queue))
                for _ in range(7)
                for queue in (self.queue, second)
            ]
        )
        ids = [lease.message.id for leases in got for lease in leases]
        self.assertEqual((len(ids), len(set(ids))), (40, 40))

    async def test_leases_of_one_message_at_the_same_time(self) -> None:
        """Each has its own recipients only, whatever a queue reads together."""
        to = [f"{name}@d{n}.example" for name in "ab" for n in range(5)]
        await self.queue.add([message(*to), message(*to)])
        wanted = [f"d{n}.example" for n in range(5)] * 2
        got = await gatherResults([deferred(self.locals(name, recipients=1)) for name in wanted])
        self.assertEqual(got, [[["a"], ["a"]]] * 5 + [[["b"], ["b"]]] * 5)
