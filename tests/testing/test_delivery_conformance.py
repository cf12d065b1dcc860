"""`DeliveryConformance`: our own deliveries pass, and what is wrong with others is found."""

from __future__ import annotations

import time
import unittest
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from mailproto.backends import MemoryStore
from mailproto.delivery import (
    Delivery,
    DeliverySession,
    FunctionDelivery,
    MailboxDelivery,
    PerSession,
    accepted,
)
from mailproto.errors import RecipientUnknown
from mailproto.model import Outcome
from mailproto.testing import DeliveryConformance, RecordingDelivery


class RecordingDeliveryTests(DeliveryConformance, TestCase):
    bad_recipient = "nobody@y.example"

    def make_delivery(self) -> RecordingDelivery:
        return RecordingDelivery({"nobody@y.example": RecipientUnknown()})


class FunctionDeliveryTests(DeliveryConformance, TestCase):
    def make_delivery(self) -> FunctionDelivery:
        return FunctionDelivery(lambda envelope, content: None)


class SlowDeliveryTests(DeliveryConformance, TestCase):
    def make_delivery(self) -> FunctionDelivery:
        async def deliver(envelope: Any, content: Any) -> None:
            await deferLater(reactor, 0.001)
            assert b"Received" in content

        return FunctionDelivery(deliver)


class MailboxDeliveryTests(DeliveryConformance, TestCase):
    good_recipient = "alice@y.example"
    bad_recipient = "nobody@y.example"

    async def make_delivery(self) -> MailboxDelivery:
        store = MemoryStore()
        await store.directory.add("alice@y.example", "")
        return MailboxDelivery(store, ["y.example"])


class SessionTests(DeliveryConformance, TestCase):
    def make_delivery(self) -> PerSession:
        class Kept(DeliverySession):
            ended = False

            async def deliver(self, envelope: Any, content: Any) -> None:
                assert not self.ended

            async def end(self) -> None:
                assert not self.ended
                self.ended = True

        return PerSession(Kept)


def failures_of(make: Any, only: str = "", **attributes: Any) -> dict[str, str]:
    """The tests that a delivery does not pass, each with its message."""
    case = type(
        "Broken", (DeliveryConformance, TestCase), {"make_delivery": lambda self: make(), **attributes}
    )
    result = unittest.TestResult()
    names = [name for name in unittest.defaultTestLoader.getTestCaseNames(case) if only in name]
    for name in names:
        if name not in ("test_by_smtp", "test_by_lmtp"):
            case(name).run(result)
    return {test._testMethodName: str(text) for test, text in result.failures + result.errors}  # type: ignore[attr-defined]


class FoundTests(unittest.TestCase):
    """What a stranger does wrong.  The reactor is not needed: all of these fail before it is."""

    def found(self, test: str, delivery: type, words: str = "", **attributes: Any) -> None:
        failures = failures_of(delivery, **attributes)
        self.assertIn(test, failures)
        self.assertIn(words, failures[test])

    def test_a_recipient_that_returns_something(self) -> None:
        class Wrong(RecordingDelivery):
            async def recipient(self, session: Any, path: Any, parameters: Any) -> Any:
                return "250 OK"

        self.found("test_good_addresses_are_accepted", Wrong, "must return None")

    def test_another_exception(self) -> None:
        class Wrong(RecordingDelivery):
            async def recipient(self, session: Any, path: Any, parameters: Any) -> None:
                path.local.encode("ascii")

        self.found("test_any_address_has_an_answer", Wrong, "UnicodeEncodeError")

    def test_outcomes_that_are_too_few(self) -> None:
        class Wrong(RecordingDelivery):
            async def deliver(self, envelope: Any, content: Any) -> Any:
                return accepted(envelope)[:1]

        self.found("test_each_recipient_has_an_outcome", Wrong, "one Outcome for each recipient")

    def test_outcomes_of_another_type_or_class(self) -> None:
        """Codes of two classes are refused when the outcome is made, but 3yz are codes of replies."""
        for wrong in ("250 OK", True, ["250"], [Outcome(354, "3.0.0", "x")]):

            class Wrong(RecordingDelivery):
                answer = wrong

                async def deliver(self, envelope: Any, content: Any) -> Any:
                    return self.answer

            self.found("test_a_notification", Wrong)

    def test_large_messages_that_are_refused(self) -> None:
        class Wrong(Delivery):
            async def deliver(self, envelope: Any, content: Any) -> None:
                if content.path:
                    raise ValueError("only bytes")

        self.found("test_messages_of_every_size", Wrong, "only bytes")

    def test_a_bad_recipient_that_is_accepted(self) -> None:
        self.found(
            "test_a_bad_recipient_is_refused_and_the_transaction_goes_on",
            RecordingDelivery,
            "was accepted",
            bad_recipient="nobody@y.example",
        )

    def test_content_that_must_be_well_formed(self) -> None:
        class Wrong(Delivery):
            async def deliver(self, envelope: Any, content: Any) -> None:
                bytes(content).decode()

        self.found("test_messages_of_every_kind", Wrong, "UnicodeDecodeError")

    def test_a_session_that_cannot_be_ended_in_the_middle(self) -> None:
        class Wrong(DeliverySession):
            async def sender(self, session: Any, path: Any, parameters: Any) -> None:
                self.path = path

            async def deliver(self, envelope: Any, content: Any) -> None:
                del self.path

            async def reset(self) -> None:
                del self.path

        self.found("test_a_session_is_reset_and_ended_at_any_time", lambda: PerSession(Wrong))  # type: ignore[arg-type]

    def test_one_that_blocks(self) -> None:
        class Wrong(Delivery):
            async def deliver(self, envelope: Any, content: Any) -> None:
                time.sleep(0.25)

        self.found("test_it_does_not_hold_the_reactor", Wrong, "it blocks", only="does_not_hold")

    def test_a_class_and_nothing(self) -> None:
        self.found("test_it_has_what_its_interfaces_say", lambda: RecordingDelivery, "not a class")  # type: ignore[arg-type]
        self.found("test_it_has_what_its_interfaces_say", lambda: None)  # type: ignore[arg-type]

    def test_one_that_was_taken_for_the_suite_of_a_store(self) -> None:
        case = type("Old", (DeliveryConformance, TestCase), {"make_store": MemoryStore})
        result = unittest.TestResult()
        case("test_many_at_a_time").run(result)
        self.assertIn("StoreDeliveryConformance", str(result.errors[0][1]))
