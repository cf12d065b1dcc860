"""The conformance suite finds what is wrong with a store."""

import unittest

from twisted.trial.unittest import TestCase

from mailproto.backends import MemoryStore
from mailproto.backends import _memory_account as memory
from mailproto.backends._memory_mailbox import MemoryMailbox
from mailproto.errors import NoSuchMailbox
from mailproto.model import AppendedMessage
from mailproto.testing import (
    AccountConformance,
    ChangesConformance,
    DirectoryConformance,
    MailboxConformance,
    ObjectIdConformance,
    ReadingConformance,
    StoreConformance,
    StoreDeliveryConformance,
    _fixture,
)


def failures_of(part, make_store):
    """The names of the tests that a store does not pass."""
    case = type("Broken", (part, TestCase), {"make_store": lambda self: make_store()})
    result = unittest.TestResult()
    for name in unittest.defaultTestLoader.getTestCaseNames(case):
        case(name).run(result)
    return {test._testMethodName for test, _ in result.failures + result.errors}


class ConformanceTests(TestCase):
    """`StoreConformance` against stores that lie."""

    def test_the_whole_is_its_parts(self):
        parts = {
            DirectoryConformance,
            ReadingConformance,
            AccountConformance,
            MailboxConformance,
            ChangesConformance,
            StoreDeliveryConformance,
            ObjectIdConformance,
        }
        self.assertLessEqual(parts, set(StoreConformance.__mro__))

    def test_no_part_hides_another(self):
        names = [
            name
            for part in StoreConformance.__mro__
            for name in vars(part)
            if not name.startswith("_") and part not in (StoreConformance, object)
        ]
        twice = {name for name in names if names.count(name) > 1}
        self.assertEqual(twice, set())

    def test_a_good_store_passes(self):
        self.assertEqual(failures_of(DirectoryConformance, MemoryStore), set())

    def test_uids_that_return_are_found(self):
        class Reusing(MemoryMailbox):
            async def expunge(self, uids=None):
                gone = await super().expunge(uids)
                self._state.uid_next = max(self._state.messages, default=0) + 1
                return gone

        self.patch(memory, "MemoryMailbox", Reusing)
        self.assertIn("test_uids_ascend_and_never_return", failures_of(MailboxConformance, MemoryStore))

    def test_hints_that_never_come_are_found(self):
        class Silent(MemoryMailbox):
            def watch(self, listener):
                return lambda: None

        self.patch(memory, "MemoryMailbox", Silent)
        self.patch(_fixture, "HINT_TIMEOUT", 0.01)
        self.assertIn("test_watchers_hear_of_every_change", failures_of(ChangesConformance, MemoryStore))

    def test_deliveries_that_vanish_are_found(self):
        class Forgetful(MemoryStore):
            async def deliver(self, content, placements, internal_date=None):
                return [AppendedMessage(1, 1) for _ in placements]

        self.assertEqual(
            failures_of(StoreDeliveryConformance, Forgetful),
            set(unittest.defaultTestLoader.getTestCaseNames(StoreDeliveryConformance)),
        )

    def test_the_wrong_error_is_found(self):
        class Wrong(MemoryStore):
            async def account(self, name):
                try:
                    return await super().account(name)
                except Exception:
                    raise NoSuchMailbox from None

        self.assertIn("test_who_is_not_there", failures_of(DirectoryConformance, Wrong))
