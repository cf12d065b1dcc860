"""Tests of what operators do with a queue."""

from __future__ import annotations

from typing import Any

from mailproto.errors import LeaseLost
from mailproto.model import QueueChange, QueueFilter, QueueState
from mailproto.testing._fixture import TEXT
from mailproto.testing._queue_fixture import DOMAIN, NOW, SENT, QueueFixture, message, sent, waiting

__all__ = ["QueueOperatingConformance"]

HOLD, RELEASE, RETRY, DELETE = (
    QueueChange.HOLD,
    QueueChange.RELEASE,
    QueueChange.RETRY,
    QueueChange.DELETE,
)


class QueueOperatingConformance(QueueFixture):
    """Finding, counting, and changing."""

    async def found(self, **filter: Any) -> list[str]:
        """The local parts of the first recipients of the messages that fit."""
        messages = await self.pages(QueueFilter(**filter))
        return [each.recipients[0].recipient.address.local for each in messages]

    async def ids(self, **filter: Any) -> list[int]:
        """The ids of the messages that fit."""
        return [each.id for each in await self.pages(QueueFilter(**filter))]

    async def test_find(self) -> None:
        await self.queue.add(
            [
                message("a", "x@Other.Example", sender="Ann@x.example", arrived=NOW - 10),
                message("b@b\u00fccher.example", sender=""),
                message("c", destinations=["smarthost"], sender="carl@c.example"),
                message("d@[192.0.2.1]"),
            ]
        )
        for filter, expected in (
            ({}, "abcd"),
            ({"sender": "aNN@X"}, "ad"),
            ({"sender": "<>"}, "b"),
            ({"sender": "nobody"}, ""),
            ({"recipient": "OTHER"}, "a"),
            ({"recipient": "y.example"}, "ac"),
            ({"domain": "other.example."}, "a"),
            ({"domain": "xn--bcher-kva.example"}, "b"),
            ({"domain": "B\u00dcCHER.example"}, "b"),
            ({"domain": "[192.0.2.1]"}, "d"),
            ({"domain": "ther.example"}, ""),
            ({"destination": "smarthost"}, "c"),
            ({"destination": "y.example"}, "a"),
            ({"arrived_before": NOW}, "a"),
            ({"arrived_before": NOW + 1, "domain": "y.example"}, "ac"),
            ({"state": QueueState.WAITING}, "abcd"),
            ({"state": QueueState.HELD}, ""),
            ({"is_deferred": True}, ""),
            ({"is_deferred": False}, "abcd"),
            ({"ids": []}, ""),
        ):
            self.assertEqual("".join(await self.found(**filter)), expected, filter)
        first, *_, last = await self.ids()
        self.assertEqual(await self.found(ids=[last, first, last, 10**15]), ["a", "d"])

    async def test_find_by_what_one_recipient_is(self) -> None:
        """All that is said must be true of the same recipient."""
        await self.queue.add([message("a", "b@z.example"), message("c")])
        lease = await self.lease_one("z.example")
        await self.queue.settle(lease, waiting(lease, NOW + 9))
        self.assertEqual(await self.found(is_deferred=True), ["a"])
        self.assertEqual(await self.found(is_deferred=True, destination="z.example"), ["a"])
        self.assertEqual(await self.found(is_deferred=True, destination=DOMAIN), [])
        self.assertEqual(await self.found(is_deferred=True, recipient="a@"), [])
        self.assertEqual(await self.found(is_deferred=False), ["a", "c"])

    async def test_pages(self) -> None:
        for start in range(0, 30, 10):
            await self.queue.add(
                [message(f"u{n}", sender="x@x" if n % 7 else "special@x") for n in range(start, start + 10)]
            )
        for filter, expected in (
            (QueueFilter(), [f"u{n}" for n in range(30)]),
            (QueueFilter(sender="special"), [f"u{n}" for n in range(0, 30, 7)]),
        ):
            found = await self.pages(filter, limit=4)
            self.assertEqual([each.envelope.recipients[0].address.local for each in found], expected)

    async def test_counts(self) -> None:
        await self.assert_counts()
        await self.queue.add([message("a", "b"), message("c@z.example", arrived=NOW + 5, due=NOW + 50)])
        octets = 2 * len(TEXT)
        await self.assert_counts(messages=2, waiting=3, due=2, octets=octets, oldest=NOW)
        await self.assert_counts(NOW + 50, messages=2, waiting=3, due=3, octets=octets, oldest=NOW)
        lease = await self.lease_one(recipients=1)
        await self.assert_counts(messages=2, waiting=3, due=1, leased=1, octets=octets, oldest=NOW)
        await self.assert_counts(NOW + 60, messages=2, waiting=3, due=3, octets=octets, oldest=NOW)
        await self.queue.settle(lease, waiting(lease, NOW + 30))
        await self.assert_counts(messages=2, waiting=3, due=1, deferred=1, octets=octets, oldest=NOW)
        await self.queue.pause(DOMAIN, NOW + 100)
        await self.assert_counts(NOW + 30, messages=2, waiting=3, deferred=1, octets=octets, oldest=NOW)
        await self.queue.change(await self.ids(recipient="a@"), HOLD)
        await self.assert_counts(NOW + 50, messages=2, waiting=1, due=1, held=2, octets=octets, oldest=NOW)
        await self.queue.change(await self.ids(recipient="a@"), RELEASE)
        await self.assert_counts(messages=2, waiting=3, deferred=1, octets=octets, oldest=NOW)
        await self.queue.change(await self.ids(recipient="a@"), DELETE)
        await self.assert_counts(messages=1, waiting=1, octets=len(TEXT), oldest=NOW + 5)

    async def test_held(self) -> None:
        await self.queue.add([message("a"), message("b")])
        [held, _] = await self.ids()
        self.assertEqual(list(await self.queue.change([held], HOLD)), [held])
        self.assertEqual(await self.found(state=QueueState.HELD), ["a"])
        self.assertEqual(list(await self.queue.change([held], HOLD)), [])
        self.assertEqual(list(await self.queue.change([held], RETRY)), [])
        self.assertEqual(await self.locals(now=NOW + 1000, until=NOW + 9000), [["b"]])
        self.assertEqual(list(await self.queue.change([held, held], RELEASE)), [held])
        self.assertEqual(list(await self.queue.change([held], RELEASE)), [])
        self.assertEqual(await self.locals(), [["a"]])

    async def test_held_while_it_is_sent(self) -> None:
        """The attempt is settled; what would have been tried again is held."""
        await self.queue.add([message("a", "b", "c")])
        lease = await self.lease_one()
        self.assertEqual(list(await self.queue.change([lease.message.id], HOLD)), [lease.message.id])
        [longer] = await self.queue.renew([lease], NOW + 100)
        await self.queue.settle(longer, [sent(lease)[0], waiting(lease, NOW + 9)[1]])
        states = [each.state.value for each in (await self.queue.get(lease.message.id)).recipients]
        self.assertEqual(states, ["sent", "held", "held"])
        self.assertEqual(await self.locals(now=NOW + 1000), [])
        await self.assert_counts(messages=1, held=2, octets=len(TEXT), oldest=NOW)
        await self.queue.change([lease.message.id], RELEASE)
        self.assertEqual(await self.locals(now=NOW + 1000), [["b", "c"]])

    async def test_held_and_released_while_it_is_sent(self) -> None:
        await self.queue.add([message("a")])
        lease = await self.lease_one()
        await self.queue.change([lease.message.id], HOLD)
        await self.queue.change([lease.message.id], RELEASE)
        self.assertEqual(await self.locals(), [])
        await self.queue.settle(lease, sent(lease))
        await self.assert_counts()

    async def test_held_while_it_is_sent_and_given_back(self) -> None:
        await self.queue.add([message("a")])
        lease = await self.lease_one()
        await self.queue.change([lease.message.id], HOLD)
        await self.queue.release([lease])
        self.assertEqual(await self.locals(now=NOW + 1000), [])
        self.assertEqual(await self.found(state=QueueState.HELD), ["a"])

    async def test_retried(self) -> None:
        await self.queue.add([message("a"), message("b@z.example", due=NOW + 500)])
        lease = await self.lease_one()
        await self.queue.settle(lease, waiting(lease, NOW + 500))
        for domain in (DOMAIN, "z.example"):
            await self.queue.pause(domain, NOW + 900, 2)
        first, second = await self.ids()
        self.assertEqual(list(await self.queue.change([first], RETRY)), [first])
        self.assertEqual(await self.due(), [(DOMAIN, NOW), ("z.example", NOW + 900)])
        self.assertEqual(await self.locals(), [["a"]])
        self.assertEqual(list(await self.queue.change([first, second], RETRY)), [second])
        self.assertEqual(await self.locals("z.example"), [["b"]])

    async def test_deleted(self) -> None:
        await self.queue.add([message("a", "b@z.example"), message("c")])
        first, second = await self.ids()
        lease = await self.lease_one(messages=1)
        self.assertEqual(list(await self.queue.change([first, first, 10**15], DELETE)), [first])
        with self.assertRaises(LeaseLost):
            await self.queue.settle(lease, sent(lease))
        self.assertEqual(list(await self.queue.renew([lease], NOW + 100)), [])
        self.assertEqual(await self.ids(), [second])
        self.assertEqual(await self.due(), [(DOMAIN, NOW)])

    async def test_many_are_changed(self) -> None:
        await self.queue.add([message("a", "b") for _ in range(30)])
        ids = await self.ids()
        for change, state in ((HOLD, "held"), (RELEASE, "waiting"), (RETRY, "waiting")):
            self.assertEqual(list(await self.queue.change(ids[:25], change)), ids[:25])
            self.assertEqual(await self.ids(state=QueueState(state)), ids[:25] if change is HOLD else ids)
        self.assertEqual(list(await self.queue.change(ids[::-1], DELETE)), ids)
        await self.assert_counts()

    async def test_regrouped(self) -> None:
        asked = []

        def destination_of(domain: str) -> str:
            asked.append(domain)
            return "smarthost" if domain != "z.example" else domain

        await self.queue.add(
            [
                message("a", "b@Z.Example", destinations=[DOMAIN, "z.example"], share="ann"),
                message("c@b\u00fccher.example", destinations=["xn--bcher-kva.example"]),
                message("d", due=NOW + 50),
                message("e", "f", destinations=[DOMAIN, None]),
            ]
        )
        held = await self.ids(recipient="d@")
        leased = await self.lease_one("xn--bcher-kva.example")
        await self.queue.change(held, HOLD)
        await self.queue.regroup(destination_of)
        self.assertEqual(sorted(asked), ["xn--bcher-kva.example", DOMAIN, "z.example"])
        names = {state.destination: state.waiting for state in await self.queue.destinations()}
        self.assertEqual(names, {"smarthost": 3, "z.example": 1})
        self.assertEqual(await self.locals("smarthost"), [["a"], ["e"]])
        await self.queue.settle(leased, waiting(leased, NOW + 10))
        self.assertEqual(await self.locals("smarthost", now=NOW + 10), [["c"]])
        await self.queue.change(held, RELEASE)
        self.assertEqual(await self.locals("smarthost", now=NOW + 10), [["d"]])

    async def test_wrong_calls(self) -> None:
        """Arguments that cannot be are refused, and change nothing."""
        queue = self.queue
        await queue.add([message("a")])
        lease = await self.lease_one()
        for wrong in (
            lambda: queue.add(message("a")),
            lambda: queue.add([b"text"]),
            lambda: self.lease(""),
            lambda: self.lease(messages=0),
            lambda: self.lease(recipients=0),
            lambda: self.lease(until=float("nan")),
            lambda: queue.settle(lease.token, []),
            lambda: queue.settle(lease, [SENT]),
            lambda: queue.settle(lease, sent(lease), ["report"]),
            lambda: queue.renew(lease, NOW),
            lambda: queue.renew([lease], None),
            lambda: queue.due(NOW, 0),
            lambda: queue.destinations(limit=-1),
            lambda: queue.counts("now"),
            lambda: queue.release([lease.token]),
            lambda: queue.pause("", NOW),
            lambda: queue.pause(DOMAIN, -1),
            lambda: queue.regroup("smarthost"),
            lambda: queue.regroup(lambda domain: None),
            lambda: queue.find("bob"),
            lambda: queue.find(QueueFilter(), limit=0),
            lambda: queue.change(lease.message.id, HOLD),
            lambda: queue.change([lease.message.id], "hold"),
        ):
            with self.assertRaises((TypeError, ValueError)):
                await wrong()
        await queue.settle(lease, sent(lease))
        await self.assert_counts()
