"""The queue is grouped anew only if the routes have changed."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailproto.backends import MemoryStore
from mailproto.relay import Routes
from mailproto.service import RelaySettings, Settings
from mailproto.service._grouping import Grouping


class GroupingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.queue = MemoryStore().queue
        self.number = 0

        def regroup(destination_of: object) -> None:
            self.number += 1

        self.patch(self.queue, "regroup", regroup)

    def grouping(self, way: str = "mx", store: str = "sqlite:", **routes: str) -> Deferred[None]:
        settings = Settings(relay=RelaySettings(way=way, routes=routes), store=store)
        return Deferred.fromCoroutine(Grouping(self.folder, settings, Routes(way, routes)).group(self.queue))

    def start(self, way: str = "mx", store: str = "sqlite:", **routes: str) -> int:
        """How often the queue was grouped until now."""
        self.successResultOf(self.grouping(way, store, **routes))
        return self.number

    def test_the_same_routes(self) -> None:
        self.assertEqual([self.start(), self.start(), self.start()], [1, 1, 1])

    def test_other_routes(self) -> None:
        self.assertEqual(self.start(), 1)
        self.assertEqual(self.start(example="smtp://a.example"), 2)
        self.assertEqual(self.start(example="smtp://b.example"), 3)
        self.assertEqual(self.start("smtp://a.example", example="smtp://b.example"), 4)
        self.assertEqual(self.start("smtp://a.example", example="smtp://b.example"), 4)
        self.assertEqual(self.start("smtp://a.example", "sqlite:/x", example="smtp://b.example"), 5)

    def test_a_fault_is_tried_again(self) -> None:
        def fail(destination_of: object) -> None:
            raise RuntimeError

        self.patch(self.queue, "regroup", fail)
        self.failureResultOf(self.grouping(), RuntimeError)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_what_cannot_be_remembered_does_not_keep_it_from_starting(self) -> None:
        (self.folder / "queue-routes").mkdir()
        self.assertEqual([self.start(), self.start()], [1, 2])
