"""What a process had leased that was killed need not wait until its leases have run out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from mailproto.backends import SQLiteStore
from mailproto.backends.sqlite import _queue_leasing
from mailproto.errors import LeaseLost
from mailproto.model import Lease
from mailproto.testing._queue_fixture import DOMAIN, NOW, message, sent

reactor: Any = installed


class LesseeTests(TestCase):
    """Processes with one store; each `SQLiteStore` stands for one."""

    async def setUp(self) -> None:
        self.folder = self.mktemp()
        self.first = await self.started()
        await self.first.queue.add([message(f"u{number}") for number in range(5)])

    async def started(self) -> SQLiteStore:
        store = SQLiteStore(self.folder, reactor=reactor)
        await store.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(store.stop()))
        return store

    async def lease(self, store: SQLiteStore, messages: int = 100) -> Sequence[Lease]:
        return await store.queue.lease(DOMAIN, now=NOW, until=NOW + 120, messages=messages, recipients=10)

    def kill(self, store: SQLiteStore) -> None:
        socket = store._database._peers._socket
        assert socket is not None
        socket.close()

    async def test_the_next_start_has_them_at_once(self) -> None:
        self.patch(_queue_leasing, "RELEASED", 2)
        leases = await self.lease(self.first)
        self.kill(self.first)
        second = await self.started()
        again = await self.lease(second)
        self.assertEqual([each.message.id for each in again], [each.message.id for each in leases])
        with self.assertRaises(LeaseLost):
            await self.first.queue.settle(leases[0], sent(leases[0]))
        await second.queue.settle(again[0], sent(again[0]))

    async def test_those_of_a_living_process_stay(self) -> None:
        leases = await self.lease(self.first, 3)
        second = await self.started()
        self.assertEqual(len(await self.lease(second)), 2)
        for lease in leases:
            await self.first.queue.settle(lease, sent(lease))

    async def test_of_several_processes_only_those_of_the_killed_one_are_given_back(self) -> None:
        leases = await self.lease(self.first, 2)
        second = await self.started()
        await self.lease(second, 2)
        self.kill(second)
        third = await self.started()
        self.assertEqual(len(await self.lease(third)), 3)
        for lease in leases:
            await self.first.queue.settle(lease, sent(lease))

    async def test_a_process_that_runs_sees_that_another_one_was_killed(self) -> None:
        second = await self.started()
        await self.lease(self.first)
        called: list[None] = []
        second.queue.watch(lambda: called.append(None))
        self.kill(self.first)
        await second.queue.add([message("later")])
        leased = 0
        for _ in range(200):
            for lease in await self.lease(second):
                await second.queue.settle(lease, sent(lease))
                leased += 1
            if leased == 6:
                break
            await deferLater(reactor, 0.02)
        self.assertEqual(leased, 6)
        self.assertTrue(called)

    async def test_where_processes_do_not_see_each_other_leases_run_out(self) -> None:
        connection = self.first._database
        await self.lease(self.first)
        await connection.writer.run(lambda it: it.execute("UPDATE queue_leases SET lessee = ''"))
        self.kill(self.first)
        second = await self.started()
        self.assertEqual(await self.lease(second), [])
