"""``store check`` finds what is wrong with the queue, and mends what can be mended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from mailproto.model import Placement, QueueChange, QueueFilter
from mailproto.testing._queue_fixture import NOW, message, sent, waiting
from tests.backends.sqlite.checked_store import ALICE, CheckCase

SMALL, LARGE = b"Subject: small\r\n\r\n", b"Subject: large\r\n\r\n" + b"x" * 70_000

MENDED = (
    # what goes wrong, and what is said of it
    ("UPDATE queued SET unfinished = 5 WHERE id = (SELECT min(id) FROM queued)", "counts 5 recipients"),
    (
        "UPDATE queued_recipients SET state = 2, phase = 0 WHERE message = (SELECT max(message)"
        " FROM queued_recipients)",
        "in the queue is done, but still there",
    ),
    ("DELETE FROM queued WHERE id = (SELECT max(id) FROM queued)", "which is not there"),
    ("UPDATE queued_recipients SET phase = 1 WHERE state = 1", "waits for nothing, or should not"),
    ("UPDATE queued_recipients SET phase = 0 WHERE phase = 2", "waits for nothing, or should not"),
    ("UPDATE queued_recipients SET phase = 2 WHERE phase = 1 AND token IS NULL", "of them ready"),
    ("UPDATE queue_leases SET recipients = 7", "counts 7 recipients, and has 1"),
    ("UPDATE queued_recipients SET token = NULL", "counts 1 recipients, and has 0"),
    ("DELETE FROM queue_leases", "has lease 3, which is not there"),
    ("DELETE FROM queue_destinations", "is not there, but recipients wait for it"),
    ("UPDATE queue_destinations SET waiting = 0, wake = NULL", "counts 0 recipients, "),
    ("UPDATE queue_destinations SET ready = 9", "9 of them ready"),
    ("UPDATE queue_destinations SET wake = 5.5", "is tried at 5.5, and should be at "),
    ("UPDATE queue_destinations SET wake = NULL", "is tried at None, and should be at "),
    ("INSERT INTO queue_shares VALUES ('nowhere', 'ann', 5)", "1 shares take turns at nowhere, where"),
    ("UPDATE queue_counts SET messages = 9", "the queue counts 9 messages, and has 5"),
    ("UPDATE queue_counts SET octets = 0", "the queue counts 0 octets"),
    ("UPDATE queue_counts SET waiting = -1", "the queue counts -1 waiting"),
    ("UPDATE queue_counts SET held = 4", "the queue counts 4 held, and has 1"),
    ("UPDATE queue_counts SET deferred = 4", "the queue counts 4 deferred, and has 1"),
    ("UPDATE queue_counts SET token = 0", "queue_counts.token is 0, and must be 3 at least"),
    ("DELETE FROM queue_counts", "queue_counts has no row"),
    ("UPDATE bodies SET refs = 0", "is counted 0 times, but 1 messages have it"),
    ("UPDATE bodies SET refs = 3 WHERE refs = 2", "is counted 3 times, but 2 messages have it"),
)

LEFT = (
    (
        "DELETE FROM contents WHERE body = (SELECT min(id) FROM queued)",
        "message 1 in the queue has lost its content: body 1 is empty",
    ),
    (
        "DELETE FROM bodies WHERE id = (SELECT min(id) FROM queued)",
        "message 1 in the queue has lost its content: no body 1",
    ),
    ("UPDATE queued SET size = 3 WHERE id = 1", "message 1 in the queue has 18 octets, and not 3"),
    ("UPDATE queued SET envelope = '[' WHERE id = 1", "message 1 in the queue has lost its envelope"),
)


class QueueCheckTests(CheckCase):
    """A queue with messages that are ready, due later, deferred, leased and held; one is in a mailbox."""

    async def begin(self) -> None:
        await super().begin()
        queue = self.queue = self.store.queue
        await queue.add([message("ready", content=SMALL), message("b@deferred.example")])
        await queue.add([message("c@leased.example", "c@later.example", content=LARGE, due=NOW + 9)])
        await queue.add([message("d@held.example")])
        await queue.add([message("e@shared.example", placements=[Placement(ALICE)])])
        await queue.add([message("f@sent.example")])
        [deferred] = await self.lease("deferred.example")
        await queue.settle(deferred, waiting(deferred, NOW + 500))
        [done] = await self.lease("sent.example")
        await queue.settle(done, sent(done))
        await self.lease("leased.example")
        [held] = await queue.find(QueueFilter(destination="held.example"))
        await queue.change([held.id], QueueChange.HOLD)
        await queue.pause("later.example", NOW + 50, 2, "no route")
        await self.check()
        self.assertEqual(self.lines, [])

    async def lease(self, destination: str) -> Any:
        return await self.queue.lease(destination, now=NOW + 10, until=NOW + 100, messages=10, recipients=10)

    async def test_what_can_be_mended(self) -> None:
        for statement, expected in MENDED:
            await self.begin()
            self.execute(statement)
            result = await self.check()
            self.assertTrue(result.faults, statement)
            self.assertIn(expected, "\n".join(self.lines), statement)
            for _ in range(3):  # one fault may hide another
                await self.check(repair=True)
            self.lines.clear()
            await self.check()
            self.assertEqual(self.lines, [], statement)
            for name in ("y.example", "leased.example", "later.example", "shared.example"):
                for lease in await self.queue.lease(
                    name, now=NOW + 1000, until=NOW + 2000, messages=10, recipients=10
                ):
                    await self.queue.settle(lease, waiting(lease, NOW + 3000))
            await self.check()
            self.assertEqual(self.lines, [], statement)
            await self.store.stop()

    async def test_times_that_are_no_whole_numbers(self) -> None:
        now = NOW + 1 / 3
        await self.queue.add([message("a@x1.example", arrived=now), message("b@x2.example", due=now + 1 / 7)])
        for name in ("x1.example", "x2.example"):
            await self.queue.pause(name, now + 2 / 3)
            for lease in await self.queue.lease(
                name, now=now + 1, until=now + 9 / 7, messages=1, recipients=1
            ):
                await self.queue.settle(lease, waiting(lease, now + 11 / 7))
        await self.check()
        self.assertEqual(self.lines, [])

    async def test_what_is_lost_stays_lost_and_is_told(self) -> None:
        for statement, expected in LEFT:
            await self.begin()
            self.execute(statement)
            for repair in (False, True):
                self.lines.clear()
                result = await self.check(repair=repair)
                self.assertIn(expected, "\n".join(self.lines), statement)
                self.assertGreater(result.faults, result.repaired)

    async def test_files(self) -> None:
        folder = Path(self.store.path + "-bodies")
        [name] = [path.name for path in folder.iterdir()]
        with (folder / name).open("ab") as file:
            file.write(b"more")
        await self.check()
        [line] = self.lines
        self.assertIn(f"in the queue has {len(LARGE) + 4} octets in {name}, and not {len(LARGE)}", line)
        self.lines.clear()
        (folder / name).unlink()
        await self.check()
        [line] = self.lines
        self.assertIn("in the queue has lost its content", line)

    async def test_while_the_queue_is_in_use(self) -> None:
        """Nothing that changes meanwhile is called a fault."""
        stop = False

        async def use() -> None:
            number = 0
            while not stop:
                number += 1
                content = LARGE if number % 9 == 0 else SMALL
                here = [Placement(ALICE)] * (number % 2)
                await self.queue.add([message("x", "y@z.example", content=content, placements=here)])
                for name in ("y.example", "z.example"):
                    for lease in await self.queue.lease(
                        name, now=NOW + number, until=NOW + number + 2, messages=2, recipients=1
                    ):
                        if number % 3:
                            await self.queue.settle(lease, sent(lease))
                        elif number % 2:
                            await self.queue.settle(lease, waiting(lease, NOW + number + 3))
                queued = await self.queue.find(QueueFilter(), limit=3)
                await self.queue.change([each.id for each in queued], list(QueueChange)[number % 4])

        using = Deferred.fromCoroutine(use())
        for _ in range(10):
            result = await self.check(repair=True)
            self.assertEqual((result.faults, self.lines), (0, []))
        self.execute("UPDATE queue_counts SET waiting = waiting + 100")
        await self.check(repair=True)
        self.lines.clear()
        await self.check()
        self.assertEqual(self.lines, [])
        stop = True
        await using
