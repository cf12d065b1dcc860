"""The queue is grouped anew only if the routes have changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase

from mailproto.backends import MemoryStore
from mailproto.service import MailService, RelaySettings, _relay
from mailproto.service._grouping import group
from tests.service.test_mail_service import ANY, MailServiceCase


class GroupingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.queue = MemoryStore().queue
        self.number = 0

        def regroup(destination_of: object) -> None:
            self.number += 1

        self.patch(self.queue, "regroup", regroup)

    def grouping(self, way: str = "mx", **hops: str) -> Deferred[None]:
        return Deferred.fromCoroutine(group(self.queue, self.folder, way, hops))

    def start(self, way: str = "mx", **hops: str) -> int:
        """How often the queue was grouped until now."""
        self.successResultOf(self.grouping(way, **hops))
        return self.number

    def test_the_same_routes(self) -> None:
        self.assertEqual([self.start(), self.start(), self.start()], [1, 1, 1])

    def test_other_routes(self) -> None:
        self.assertEqual(self.start(), 1)
        self.assertEqual(self.start(example="smtp://a.example"), 2)
        self.assertEqual(self.start(example="smtp://b.example"), 3)
        self.assertEqual(self.start("smtp://a.example", example="smtp://b.example"), 4)
        self.assertEqual(self.start("smtp://a.example", example="smtp://b.example"), 4)

    def test_a_fault_is_tried_again(self) -> None:
        def fail(destination_of: object) -> None:
            raise RuntimeError

        self.patch(self.queue, "regroup", fail)
        self.failureResultOf(self.grouping(), RuntimeError)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_what_cannot_be_remembered_is_done_again(self) -> None:
        (self.folder / "routes").mkdir()
        for number in (1, 2):
            self.failureResultOf(self.grouping(), OSError)
            self.assertEqual(self.number, number)


class StartTests(MailServiceCase):
    """A long queue that is grouped keeps nobody waiting."""

    def grouping(self, *results: Deferred[None]) -> MailService:
        left = list(results)
        self.patch(_relay, "group", lambda *_: left.pop(0))
        self.more = {"relay": RelaySettings(way="mx")}
        return self.service(smtp=[ANY])

    def sends(self, service: MailService) -> bool:
        relay: Any = service.getServiceNamed("relay")
        return relay._agent is not None

    async def test_the_server_is_ready_before(self) -> None:
        grouped: Deferred[None] = Deferred()
        service = self.grouping(grouped)
        self.assertTrue(await self.start(service))
        self.assertFalse(self.sends(service))
        grouped.callback(None)
        self.assertTrue(self.sends(service))
        await service.stopService()

    async def test_it_may_stop_before(self) -> None:
        service = self.grouping(Deferred())
        await self.start(service)
        await service.stopService()
        self.assertFalse(self.sends(service))

    async def test_after_a_fault_it_is_done_again(self) -> None:
        self.patch(_relay, "GROUP_AGAIN", 0.01)
        service = self.grouping(fail(RuntimeError()), succeed(None))
        await self.start(service)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertFalse(self.sends(service))
        while not self.sends(service):
            await deferLater(reactor, 0.005)
        await service.stopService()
