"""Tests of what is tried when: priorities, turns, times, pauses and hints."""

from __future__ import annotations

from mailproto.model import DestinationState, QueueChange, QueueFilter
from mailproto.testing._queue_fixture import DOMAIN, NOW, QueueFixture, message, sent, waiting

__all__ = ["QueueOrderConformance"]


class QueueOrderConformance(QueueFixture):
    """Nobody starves, and what is urgent comes first."""

    async def test_as_they_came(self) -> None:
        await self.queue.add([message(f"u{n}") for n in range(5)])
        await self.queue.add([message("u5")])
        self.assertEqual(await self.locals(), [[f"u{n}"] for n in range(6)])

    async def test_what_is_urgent_comes_first(self) -> None:
        for priority in (0, -9, 9, 3):
            await self.queue.add([message(f"p{priority}", priority=priority)])
        self.assertEqual(await self.locals(messages=2), [["p9"], ["p3"]])
        self.assertEqual(await self.locals(), [["p0"], ["p-9"]])

    async def test_shares_take_turns(self) -> None:
        await self.queue.add([message(f"a{n}", share="ann") for n in range(4)])
        await self.queue.add([message("b0", share="bob"), message("b1", share="bob")])
        self.assertEqual(await self.locals(), [["a0"], ["b0"], ["a1"], ["b1"], ["a2"], ["a3"]])

    async def test_one_who_comes_late_is_next(self) -> None:
        """However much another one has waiting; and nobody saves up what was not used."""
        await self.queue.add([message(f"a{n}", share="ann") for n in range(50)])
        for n in range(10):
            self.assertEqual(await self.locals(messages=1), [[f"a{n}"]])
        await self.queue.add([message(f"b{n}", share="bob") for n in range(3)])
        self.assertEqual(await self.locals(messages=6), [["a10"], ["b0"], ["a11"], ["b1"], ["a12"], ["b2"]])

    async def test_recipients_count(self) -> None:
        """A message to ten is ten turns."""
        await self.queue.add(
            [message(*(f"a{m}{n}" for n in range(10)), share="ann") for m in range(2)]
            + [message(f"b{n}", share="bob") for n in range(12)]
        )
        got = await self.locals(messages=12)
        self.assertEqual([each[0] for each in got], ["a00", *(f"b{n}" for n in range(10)), "a10"])

    async def test_turns_are_each_destinations_own(self) -> None:
        await self.queue.add([message(f"a{n}@z.example", share="ann") for n in range(5)])
        await self.queue.add([message("a5", share="ann"), message("b", share="bob")])
        self.assertEqual(await self.locals(), [["a5"], ["b"]])

    async def test_what_was_deferred_takes_turns_again(self) -> None:
        await self.queue.add([message(f"a{n}", share="ann") for n in range(5)])
        for lease in await self.lease():
            await self.queue.settle(lease, waiting(lease, NOW + 100))
        await self.queue.add([message(f"b{n}", share="bob", arrived=NOW + 90) for n in range(2)])
        got = await self.locals(now=NOW + 100)
        self.assertEqual(got, [["a0"], ["b0"], ["a1"], ["b1"], ["a2"], ["a3"], ["a4"]])

    async def test_given_back_it_keeps_its_turn(self) -> None:
        await self.queue.add([message(f"a{n}", share="ann") for n in range(3)])
        leases = await self.lease(messages=2)
        await self.queue.add([message("b", share="bob")])
        await self.queue.release(leases)
        self.assertEqual(await self.locals(messages=2), [["a0"], ["a1"]])

    async def test_odd_names(self) -> None:
        """Destinations and shares are any text of one line."""
        odd = ["x", "X", "caf\u00e9", "a b", "'\"\\", "\U0001f600", "[192.0.2.1]:25"]
        for name in odd:
            await self.queue.add([message("a", destinations=[name], share=name)])
            await self.queue.add([message("b", destinations=[name], share=name + "2")])
        self.assertEqual([state.destination for state in await self.queue.destinations()], sorted(odd))
        for name in odd:
            self.assertEqual(await self.locals(name), [["a"], ["b"]])

    # -- when

    async def test_due(self) -> None:
        self.assertEqual(await self.due(), [])
        await self.queue.add(
            [
                message("a@later.example", due=NOW + 50),
                message("a@first.example", arrived=NOW - 10),
                message("b@later.example", due=NOW + 40),
                message("a@second.example"),
            ]
        )
        self.assertEqual(
            await self.due(),
            [("first.example", NOW - 10), ("second.example", NOW), ("later.example", NOW + 40)],
        )
        [state] = await self.queue.due(NOW, 1)
        self.assertEqual(state, DestinationState("first.example", NOW - 10, 1))

    async def test_leased_it_is_due_when_the_lease_runs_out(self) -> None:
        await self.queue.add([message("a"), message("b", due=NOW + 70)])
        lease = await self.lease_one(until=NOW + 60)
        self.assertEqual(await self.due(), [(DOMAIN, NOW + 60)])
        [state] = await self.queue.due(NOW, 1)
        self.assertEqual(state.waiting, 2)
        await self.queue.settle(lease, sent(lease))
        self.assertEqual(await self.due(), [(DOMAIN, NOW + 70)])

    async def test_destinations_take_turns(self) -> None:
        """One that has more is behind those that have not been asked for longer."""
        for domain in ("a.example", "b.example"):
            await self.queue.add([message(f"u{n}@{domain}") for n in range(3)])
        self.assertEqual([name for name, _ in await self.due()], ["a.example", "b.example"])
        await self.lease("a.example", now=NOW + 1, messages=1)
        self.assertEqual(await self.due(), [("b.example", NOW), ("a.example", NOW + 1)])
        await self.lease("b.example", now=NOW + 2, messages=1)
        self.assertEqual([name for name, _ in await self.due()], ["a.example", "b.example"])

    async def test_deferred_it_is_due_later(self) -> None:
        await self.queue.add([message("a"), message("b")])
        first, second = await self.lease()
        await self.queue.settle(first, waiting(first, NOW + 300))
        await self.queue.settle(second, waiting(second, NOW + 200))
        self.assertEqual(await self.due(), [(DOMAIN, NOW + 200)])
        self.assertEqual(await self.locals(now=NOW + 199), [])
        self.assertEqual(await self.locals(now=NOW + 250), [["b"]])

    async def test_given_back_it_is_due_at_once(self) -> None:
        await self.queue.add([message("a")])
        lease = await self.lease_one()
        await self.queue.release([lease])
        self.assertEqual(await self.due(), [(DOMAIN, NOW)])
        lease = await self.lease_one()
        await self.queue.settle(lease, [])
        self.assertEqual(await self.due(), [(DOMAIN, NOW)])

    # -- pauses

    async def test_paused(self) -> None:
        await self.queue.add([message("a")])
        await self.queue.pause(DOMAIN, NOW + 900, 3, "connection refused \udc80\n")
        [state] = await self.queue.due(NOW, 10)
        expected = DestinationState(DOMAIN, NOW + 900, 1, NOW + 900, 3, "connection refused \udc80\n")
        self.assertEqual(state, expected)
        self.assertEqual(list(await self.queue.destinations()), [expected])
        await self.assert_due(0)
        await self.queue.pause(DOMAIN, 0)
        self.assertEqual(list(await self.queue.due(NOW, 10)), [DestinationState(DOMAIN, NOW, 1)])
        await self.assert_due(1)

    async def assert_due(self, due: int, now: float = NOW) -> None:
        """Check how many recipients could be tried."""
        self.assertEqual((await self.queue.counts(now)).due, due)

    async def test_the_pause_decides_only_for_due(self) -> None:
        """Who leases knows what he does."""
        await self.queue.add([message("a", due=NOW + 2000)])
        await self.queue.pause(DOMAIN, NOW + 900)
        self.assertEqual(await self.due(), [(DOMAIN, NOW + 2000)])
        self.assertEqual(await self.locals(now=NOW + 2000), [["a"]])

    async def test_paused_without_anything_waiting(self) -> None:
        await self.queue.pause("dead.example", NOW + 900, 1, "timeout")
        self.assertEqual(list(await self.queue.due(NOW, 10)), [])
        self.assertEqual(
            list(await self.queue.destinations()),
            [DestinationState("dead.example", NOW + 900, 0, NOW + 900, 1, "timeout")],
        )
        await self.queue.add([message("a@dead.example")])
        self.assertEqual(await self.due(), [("dead.example", NOW + 900)])
        await self.queue.change(
            [each.id for each in await self.queue.find(QueueFilter())], QueueChange.DELETE
        )
        await self.queue.pause("dead.example", 0)
        self.assertEqual(list(await self.queue.destinations()), [])

    async def test_a_pause_is_remembered_while_it_lasts(self) -> None:
        await self.queue.pause("a.example", NOW + 900, 1)
        await self.queue.pause("b.example", NOW + 1e9)
        await self.lease(now=NOW + 800)
        states = await self.queue.destinations()
        self.assertEqual([state.destination for state in states], ["a.example", "b.example"])

    async def test_destinations_in_pages(self) -> None:
        await self.queue.add([message(f"a@d{n}.example", f"b@d{n}.example") for n in range(5)])
        first = await self.queue.destinations(limit=3)
        rest = await self.queue.destinations(after=first[-1].destination, limit=3)
        names = [state.destination for state in (*first, *rest)]
        self.assertEqual(names, [f"d{n}.example" for n in range(5)])
        self.assertEqual({state.waiting for state in (*first, *rest)}, {2})
        self.assertEqual(list(await self.queue.destinations(after=names[-1])), [])

    # -- hints

    async def test_hints(self) -> None:
        hints, end = await self.watched()

        async def hinted() -> None:
            await self.eventually(lambda: bool(hints))
            hints.clear()

        await self.queue.add([message("a"), message("b")])
        await hinted()
        first, second = await self.lease()
        await self.queue.release([first])
        await hinted()
        await self.queue.settle(second, waiting(second, NOW + 9))
        await hinted()
        await self.queue.pause(DOMAIN, NOW + 900)
        hints.clear()
        await self.queue.pause(DOMAIN, 0)
        await hinted()
        await self.queue.change([first.message.id], QueueChange.RETRY)
        await hinted()
        await self.queue.regroup(lambda domain: "elsewhere")
        await hinted()
        end()
        end()
        await self.queue.add([message("c")])
        await self.queue.counts(NOW)
        self.assertEqual(hints, [])

    async def test_hints_of_what_others_do(self) -> None:
        second = await self.second_queue()
        hints, _ = await self.watched()
        await second.add([message("a")])
        await self.eventually(lambda: bool(hints))
        self.assertEqual(await self.locals(), [["a"]])
