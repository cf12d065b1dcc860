"""A router gives each recipient to its delivery, and each delivery a transaction of its own."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.content import Content
from mailproto.delivery import Delivery, DeliverySession, FunctionDelivery, PerSession
from mailproto.delivery.routing import RouterDelivery
from mailproto.errors import Refused
from mailproto.model import Address, Envelope, ServiceExtensions, Session
from mailproto.smtp import SMTPServerFactory
from mailproto.smtp.lmtp import LMTPServerFactory
from mailproto.testing import Dialogue


class Noted(Delivery):
    """Notes what it is told; refuses what it has an error for."""

    def __init__(self, **errors: Exception) -> None:
        self.told: list[str] = []
        self.errors = errors

    def _step(self, name: str, said: str) -> None:
        self.told.append(f"{name} {said}")
        if name in self.errors:
            raise self.errors[name]

    async def sender(self, session: Session, path: Address, parameters: Any) -> None:
        self._step("sender", str(path))

    async def recipient(self, session: Session, path: Address, parameters: Any) -> None:
        self._step("recipient", str(path))

    async def deliver(self, envelope: Envelope, content: Content) -> None:
        self._step("deliver", " ".join(str(each.address) for each in envelope.recipients))


HELLO = "S: 220 ...\nC: EHLO a\nS*: 250-...\nS: 250 HELP\n"
LHLO = HELLO.replace("EHLO", "LHLO")
CONTENT = "C: DATA\nS: 354 ...\nC: Subject: x\nC:\nC: .\n"


def rcpt(*addresses: str, reply: str = "250 ...") -> str:
    return "".join(f"C: RCPT TO:<{address}>\nS: {reply}\n" for address in addresses)


class RouterTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()

    def dialogue(self, router: RouterDelivery, *, lmtp: bool = False) -> Dialogue:
        factory = LMTPServerFactory if lmtp else SMTPServerFactory
        return Dialogue(factory(router, clock=self.clock, hostname="mx.example"), clock=self.clock)

    def test_each_gets_its_own(self) -> None:
        one, other = Noted(), Noted()
        router = RouterDelivery({"Bücher.example": one, "*.net.example": other})
        self.dialogue(router).play(
            HELLO
            + "C: MAIL FROM:<a@b>\nS: 250 ...\n"
            + rcpt("x@xn--bcher-kva.example", "y@deep.net.example")
            + rcpt("y@net.example", "y@elsewhere.example", reply="550 5.7.1 ...")
            + CONTENT
            + "S: 250 ..."
        )
        self.assertEqual(
            one.told, ["sender a@b", *(f"{s} x@xn--bcher-kva.example" for s in ("recipient", "deliver"))]
        )
        self.assertEqual(
            other.told, ["sender a@b", "recipient y@deep.net.example", "deliver y@deep.net.example"]
        )

    def test_a_longer_name_goes_first(self) -> None:
        one, other, rest = Noted(), Noted(), Noted()
        router = RouterDelivery({"*.example": one, "*.b.example": other, "a.b.example": rest}, one)
        talk = self.dialogue(router)
        talk.play(HELLO + "C: MAIL FROM:<>\nS: 250 ...\n")
        talk.play(rcpt("1@x.example", "2@x.b.example", "3@a.b.example", "4@b.example", "5@x", "postmaster"))
        self.assertEqual(
            [line for line in one.told if "recipient" in line],
            [f"recipient {name}" for name in ("1@x.example", "4@b.example", "5@x", "postmaster")],
        )
        self.assertEqual(other.told[1:], ["recipient 2@x.b.example"])
        self.assertEqual(rest.told[1:], ["recipient 3@a.b.example"])

    def test_a_function_chooses_and_refuses(self) -> None:
        one, other = Noted(), Noted()

        def route(session: Session, path: Address) -> Delivery:
            if path.local == "nobody":
                raise Refused(550, "5.1.1", "Nobody")
            return one if path.local < "m" else other

        talk = self.dialogue(RouterDelivery(route))
        talk.play(HELLO + "C: MAIL FROM:<a@b>\nS: 250 ...\n" + rcpt("a@x", "z@x"))
        talk.play(rcpt("nobody@x", reply="550 5.1.1 Nobody") + CONTENT + "S: 250 ...")
        self.assertEqual([one.told[-1], other.told[-1]], ["deliver a@x", "deliver z@x"])

    def test_a_function_that_returns_no_delivery(self) -> None:
        talk = self.dialogue(RouterDelivery(lambda session, path: None))  # type: ignore[arg-type, return-value]
        talk.play(HELLO + "C: MAIL FROM:<a@b>\nS: 250 ...\n" + rcpt("a@x", reply="451 ..."))
        [failure] = self.flushLoggedErrors(TypeError)
        self.assertIn("each delivery of routes must be", failure.getErrorMessage())

    def test_a_refused_sender_is_a_refused_recipient(self) -> None:
        """The other deliveries' recipients are taken."""
        one, other = Noted(sender=Refused(550, "5.7.1", "Not from you")), Noted()
        talk = self.dialogue(RouterDelivery({"one": one, "other": other}))
        talk.play(HELLO + "C: MAIL FROM:<a@b>\nS: 250 ...\n" + rcpt("a@one", reply="550 5.7.1 Not from you"))
        talk.play(rcpt("b@other") + CONTENT + "S: 250 ...")
        self.assertEqual(one.told, ["sender a@b"])

    def test_outcomes_are_in_the_order_of_the_recipients(self) -> None:
        one, other = Noted(deliver=Refused(452, "4.2.2", "Full")), Noted()
        talk = self.dialogue(RouterDelivery({"one": one, "other": other}), lmtp=True)
        talk.play(LHLO + "C: MAIL FROM:<a@b>\nS: 250 ...\n" + rcpt("a@other", "b@one", "c@other"))
        talk.play(CONTENT + "S: 250 ...\nS: 452 4.2.2 Full\nS: 250 ...")

    def test_an_error_of_one_does_not_hide_that_the_other_has_the_message(self) -> None:
        one, other = Noted(deliver=ZeroDivisionError()), Noted()
        talk = self.dialogue(RouterDelivery({"one": one, "other": other}), lmtp=True)
        talk.play(LHLO + "C: MAIL FROM:<a@b>\nS: 250 ...\n" + rcpt("a@one", "b@other"))
        talk.play(CONTENT + "S: 451 ...\nS: 250 ...")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_single_delivery_gives_its_own_reply(self) -> None:
        talk = self.dialogue(RouterDelivery({"one": Noted(deliver=Refused(554, "5.6.0", "Ugly"))}))
        talk.play(HELLO + "C: MAIL FROM:<a@b>\nS: 250 ...\n" + rcpt("a@one") + CONTENT + "S: 554 5.6.0 Ugly")

    def test_sessions_are_begun_reset_and_ended(self) -> None:
        told: list[str] = []

        class Kept(DeliverySession):
            async def recipient(self, session: Session, path: Address, parameters: Any) -> None:
                told.append(f"recipient {path}")
                if path.local == "bad":
                    raise Refused(550, "5.1.1", "Bad")

            async def deliver(self, envelope: Envelope, content: Content) -> None:
                told.append("deliver")

            async def reset(self) -> None:
                told.append("reset")

            async def end(self) -> None:
                told.append("end")

        made: list[Session] = []

        def make(session: Session) -> Kept:
            made.append(session)
            return Kept(session)

        talk = self.dialogue(RouterDelivery({"one": PerSession(make), "other": Noted()}))
        talk.play(HELLO + ("C: MAIL FROM:<a@b>\nS: 250 ...\n" + rcpt("x@one") + "C: RSET\nS: 250 ...\n") * 2)
        self.assertEqual(told, ["recipient x@one", "reset"] * 2)
        told.clear()
        talk.play("C: MAIL FROM:<a@b>\nS: 250 ...\n" + rcpt("bad@one", reply="550 ...") + rcpt("y@other"))
        talk.play(CONTENT + "S: 250 ...\nC: QUIT\nS: 221 ...\nS closes")
        self.assertEqual(told, ["recipient bad@one", "reset", "end"])
        self.assertEqual(len(made), 1)

    def test_it_offers_what_all_honour(self) -> None:
        async def deliver(envelope: Envelope, content: Content) -> None: ...

        one = FunctionDelivery(deliver, ServiceExtensions(dsn=True, deliver_by=5, future_release=60))
        other = FunctionDelivery(deliver, ServiceExtensions(dsn=True, deliver_by=9, mt_priority="MIXER"))
        router = RouterDelivery({"one": one}, other)
        self.assertEqual(router.service_extensions, ServiceExtensions(dsn=True, deliver_by=9))

    def test_an_account_owns_what_the_routes_delivery_says(self) -> None:
        router = RouterDelivery({"one": Noted()})
        for account, path, owns in (
            ("a@one", "a@one", True),
            ("a@one", "b@one", False),
            ("a@x", "a@x", False),
        ):
            found = Deferred.fromCoroutine(router.owns(account, Address.parse(path)))
            self.assertIs(self.successResultOf(found), owns, path)

    def test_wrong_arguments(self) -> None:
        for routes, error, text in (
            ({}, ValueError, "at least one domain"),
            ({"one": Noted}, TypeError, r"write Noted\(\)"),
            ({"one": 5}, TypeError, "each delivery of routes must be"),
            ({5: Noted()}, TypeError, "each domain of routes must be a domain"),
            ([], TypeError, "routes must be a mapping"),
        ):
            with self.assertRaisesRegex(error, text):
                RouterDelivery(routes)  # type: ignore[arg-type]
