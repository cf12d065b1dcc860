"""The conformance suite finds what is wrong with a queue."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase

from mailproto.backends import MemoryStore
from mailproto.backends import _memory as memory
from mailproto.backends._memory_queue import MemoryQueue
from mailproto.backends._memory_turns import Destination
from mailproto.errors import LeaseLost
from mailproto.model import QueueState
from mailproto.testing import QueueConformance, _fixture
from tests.testing.test_conformance import failures_of


class QueueConformanceTests(TestCase):
    """`QueueConformance` against queues that lie."""

    def failures_with(self, queue: type[MemoryQueue]) -> Any:
        self.patch(memory, "MemoryQueue", queue)
        return failures_of(QueueConformance, MemoryStore)

    def test_a_good_queue_passes(self) -> None:
        self.assertEqual(self.failures_with(MemoryQueue), set())

    def test_a_lease_that_is_lost_and_settled_is_found(self) -> None:
        class Lenient(MemoryQueue):
            async def settle(self, lease: Any, results: Any, reports: Any = ()) -> None:
                try:
                    await super().settle(lease, results, reports)
                except LeaseLost:
                    await super().add(reports)

        found = self.failures_with(Lenient)
        self.assertLessEqual(
            {
                "test_one_that_ran_out_is_taken_over",
                "test_one_that_is_taken_over_in_part_is_lost",
                "test_reports_of_a_lost_lease_are_not_sent",
                "test_deleted",
            },
            found,
        )

    def test_leases_that_never_run_out_are_found(self) -> None:
        class Strict(MemoryQueue):
            async def lease(self, destination: str, *, now: float, until: float, **most: int) -> Any:
                return await super().lease(destination, now=now, until=until + 1e9, **most)

        self.assertIn("test_one_that_ran_out_is_taken_over", self.failures_with(Strict))

    def test_a_message_of_which_a_part_was_accepted_is_found(self) -> None:
        class Partial(MemoryQueue):
            async def add(self, messages: Any) -> Any:
                return [(await super(Partial, self).add([message]))[0] for message in messages]

        self.assertIn("test_all_or_nothing", self.failures_with(Partial))

    def test_shares_that_do_not_take_turns_are_found(self) -> None:
        def give_turn(destination: Destination, each: Any) -> None:
            each.turn = 0

        self.patch(Destination, "_give_turn", give_turn)
        found = self.failures_with(MemoryQueue)
        self.assertLessEqual({"test_shares_take_turns", "test_one_who_comes_late_is_next"}, found)

    def test_attempts_that_are_forgotten_are_found(self) -> None:
        class Forgetful(MemoryQueue):
            def _note(self, each: Any, result: Any, leased: float) -> None:
                super()._note(each, result, leased)
                each.attempts = 0

        found = self.failures_with(Forgetful)
        self.assertIn("test_each_recipient_has_its_own_result", found)

    def test_what_is_held_and_sent_nevertheless_is_found(self) -> None:
        class Hasty(MemoryQueue):
            def _change(self, message: Any, change: Any) -> bool:
                changed = super()._change(message, change)
                for each in message.recipients:
                    if each.state is QueueState.HELD:
                        self._destinations[each.destination].wait(each, 0.0)
                return changed

        self.assertIn("test_held", self.failures_with(Hasty))

    def test_hints_that_never_come_are_found(self) -> None:
        class Silent(MemoryQueue):
            def watch(self, listener: Any) -> Any:
                return lambda: None

        self.patch(_fixture, "HINT_TIMEOUT", 0.01)
        self.assertIn("test_hints", self.failures_with(Silent))
