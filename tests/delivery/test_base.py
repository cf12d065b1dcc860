from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailproto.content import Content
from mailproto.delivery import Delivery, FunctionDelivery, accepted
from mailproto.errors import Refused
from mailproto.interfaces import IDelivery, IServiceExtensions
from mailproto.model import (
    NO_SERVICE_EXTENSIONS,
    NULL_PATH,
    Address,
    Envelope,
    Outcome,
    ServiceExtensions,
    Session,
)
from mailproto.testing import make_envelope

SESSION = Session("ESMTP", "mx.example.org")
ENVELOPE = make_envelope("", ["a@one.example", "b@two.example"], session=SESSION)


class Sink(Delivery):
    async def deliver(self, envelope: Envelope, content: Content) -> Sequence[Outcome]:
        return accepted(envelope)


class BaseTests(SynchronousTestCase):
    def test_overriding_deliver_is_enough(self) -> None:
        sink = Sink()
        verifyObject(IDelivery, sink)
        self.successResultOf(Deferred.fromCoroutine(sink.sender(SESSION, NULL_PATH, {})))
        self.successResultOf(Deferred.fromCoroutine(sink.recipient(SESSION, Address("Postmaster", ""), {})))

    def test_not_overriding_it_is_an_error_at_once(self) -> None:
        self.assertRaises(TypeError, Delivery)

    def test_accepted_answers_for_each(self) -> None:
        outcomes = accepted(ENVELOPE)
        self.assertEqual([outcome.code for outcome in outcomes], [250, 250])


class FunctionTests(SynchronousTestCase):
    def test_promises(self) -> None:
        silent = FunctionDelivery(lambda envelope, content: None)
        self.assertTrue(IServiceExtensions.providedBy(silent))
        self.assertEqual(silent.service_extensions, NO_SERVICE_EXTENSIONS)
        able = ServiceExtensions(binary_mime=True)
        self.assertEqual(FunctionDelivery(lambda envelope, content: None, able).service_extensions, able)

    def deliver(self, function: object) -> Deferred[None]:
        delivery = FunctionDelivery(function)  # type: ignore[arg-type]
        return Deferred.fromCoroutine(delivery.deliver(ENVELOPE, b"Subject: x\r\n\r\n"))

    def test_plain_function(self) -> None:
        taken: list[object] = []
        self.assertIsNone(self.successResultOf(self.deliver(lambda *arguments: taken.append(arguments))))
        self.assertEqual(taken, [(ENVELOPE, b"Subject: x\r\n\r\n")])

    def test_only_none_accepts(self) -> None:
        async def refuse(envelope: Envelope, content: Content) -> str:
            return "550 no"

        for function in (refuse, lambda envelope, content: False, lambda envelope, content: []):
            error = self.failureResultOf(self.deliver(function), TypeError).value
            self.assertRegex(str(error), r"returned .*: return None to accept, raise .*Refused")

    def test_awaited(self) -> None:
        done: Deferred[None] = Deferred()

        async def slowly(envelope: Envelope, content: Content) -> None:
            await done

        for function in (slowly, lambda envelope, content: done):
            asked = self.deliver(function)
            if not done.called:
                self.assertNoResult(asked)
                done.callback(None)
            self.successResultOf(asked)

    def test_errors_come_out(self) -> None:
        def refuse(envelope: Envelope, content: Content) -> None:
            raise Refused(554, "5.7.1", "No")

        self.failureResultOf(self.deliver(refuse), Refused)
