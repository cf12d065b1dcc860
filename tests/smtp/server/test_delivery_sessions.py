"""A delivery's session: each call has its time, none overlaps another, and the end always comes."""

from __future__ import annotations

import asyncio
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from mailproto.connection.proxy import Networks
from mailproto.content import Content
from mailproto.delivery import DeliverySession, PerSession
from mailproto.errors import Refused
from mailproto.model import Address, Envelope, Session
from mailproto.smtp import SMTPServerFactory
from mailproto.smtp.limits import SMTPLimits
from mailproto.testing import ELSEWHERE, Dialogue

HELLO = "S: 220 ...\nC: HELO a\nS: 250 ...\n"
MAIL = "C: MAIL FROM:<a@b>\n"
RCPT = "C: RCPT TO:<c@d>\n"


class Noted(DeliverySession):
    """Notes what it is told, and waits where a test says so.

    :cvar waiting: what a step waits for.
    """

    def __init__(self, case: SessionCase, session: Session) -> None:
        super().__init__(session)
        self._case = case
        self.told: list[str] = ["begin"]
        self.running = 0

    async def _step(self, name: str) -> None:
        self._case.assertEqual(self.running, 0, f"{name} overlaps another call")
        self.told.append(name)
        self.running += 1
        try:
            await self._case.wait(name)
        finally:
            self.running -= 1

    async def sender(self, session: Session, path: Address, parameters: Any) -> None:
        await self._step("sender")

    async def recipient(self, session: Session, path: Address, parameters: Any) -> None:
        await self._step("recipient")

    async def deliver(self, envelope: Envelope, content: Content) -> None:
        await self._step("deliver")

    async def reset(self) -> None:
        await self._step("reset")

    async def end(self) -> None:
        await self._step("end")


class SessionCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.waiting: dict[str, Deferred[None]] = {}
        self.errors: dict[str, BaseException] = {}
        self.sessions: list[Noted] = []

    async def wait(self, name: str) -> None:
        if name in self.errors:
            raise self.errors[name]
        if name in self.waiting:
            await self.waiting[name]

    def make(self, session: Session) -> Noted:
        self.sessions.append(made := Noted(self, session))
        return made

    def dialogue(self, peer: str = "127.0.0.1", **settings: Any) -> Dialogue:
        settings.setdefault("limits", SMTPLimits(delivery=10))
        self.factory = SMTPServerFactory(
            PerSession(self.make), clock=self.clock, hostname="mx.example", **settings
        )
        return Dialogue(self.factory, clock=self.clock, peer=peer)

    def assert_told(self, *told: str, number: int = 0) -> None:
        self.assertEqual(self.sessions[number].told, ["begin", *told])


class LostConnectionTests(SessionCase):
    def test_while_the_greeting_waits(self) -> None:
        """As many clients do that send to whole networks: each would leave a session behind."""
        dialogue = self.dialogue(ELSEWHERE)
        dialogue.play("C closes")
        self.assert_told("end")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_while_the_greeting_waits_and_after_talking_too_early(self) -> None:
        dialogue = self.dialogue(ELSEWHERE)
        dialogue.play("C: EHLO a\nC closes")
        self.assert_told("end")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_while_a_recipient_is_decided_about(self) -> None:
        self.waiting["recipient"] = Deferred()
        self.dialogue().play(f"{HELLO}{MAIL}S: 250 ...\n{RCPT}C closes")
        self.assert_told("sender", "recipient")
        self.waiting["recipient"].callback(None)
        self.assert_told("sender", "recipient", "reset", "end")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_while_a_sender_is_decided_about(self) -> None:
        self.waiting["sender"] = Deferred()
        self.dialogue().play(f"{HELLO}{MAIL}C closes")
        self.waiting["sender"].callback(None)
        self.assert_told("sender", "reset", "end")

    def test_while_a_sender_is_refused(self) -> None:
        self.waiting["sender"] = Deferred()
        self.dialogue().play(f"{HELLO}{MAIL}C closes")
        self.waiting["sender"].errback(Refused(550, "5.7.1", "No"))
        self.assert_told("sender", "end")

    def test_while_a_message_is_delivered(self) -> None:
        self.waiting["deliver"] = Deferred()
        self.dialogue().play(
            f"{HELLO}{MAIL}S: 250 ...\n{RCPT}S: 250 ...\nC: DATA\nS: 354 ...\nC: .\nC closes"
        )
        self.assert_told("sender", "recipient", "deliver")
        self.waiting["deliver"].callback(None)
        self.assert_told("sender", "recipient", "deliver", "end")

    def test_in_the_middle_of_content(self) -> None:
        self.dialogue().play(
            f"{HELLO}{MAIL}S: 250 ...\n{RCPT}S: 250 ...\nC: DATA\nS: 354 ...\nC: x\nC closes"
        )
        self.assert_told("sender", "recipient", "reset", "end")

    def test_an_end_that_takes_too_long(self) -> None:
        self.waiting["end"] = Deferred()
        self.dialogue().play(f"{HELLO}C closes")
        self.clock.advance(10)
        self.assertEqual(self.sessions[0].running, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(len(self.flushLoggedErrors()), 1)


class ResetTests(SessionCase):
    UNTIL_RSET = f"{HELLO}{MAIL}S: 250 ...\nC: RSET\nS: 250 ...\n"

    def test_one_that_takes_too_long(self) -> None:
        self.waiting["reset"] = Deferred()
        self.dialogue().play(
            f"{self.UNTIL_RSET}{MAIL}wait 9 s\nwait 1 s\nS: 250 ...\nC: QUIT\nS: 221 ...\nS closes"
        )
        self.assert_told("sender", "reset", "sender", "reset", "end")
        self.assertEqual(len(self.flushLoggedErrors()), 1)

    def test_one_that_takes_too_long_while_a_command_of_ones_own_runs(self) -> None:
        """Each call has its own time."""
        self.waiting["reset"] = Deferred()
        slow: Deferred[None] = Deferred()
        dialogue = self.dialogue(commands={"XSLOW": lambda session, argument: slow})
        dialogue.play(f"{self.UNTIL_RSET}C: XSLOW")
        self.clock.advance(5)
        slow.callback(None)
        dialogue.play(f"S: 250 ...\n{MAIL}wait 4 s\nwait 1 s\nS: 250 ...")
        self.assertEqual(len(self.flushLoggedErrors()), 1)

    def test_a_command_of_ones_own_has_its_own_time(self) -> None:
        self.waiting["reset"] = Deferred()
        dialogue = self.dialogue(commands={"XSLOW": lambda session, argument: Deferred()})
        dialogue.play(f"{self.UNTIL_RSET}wait 5 s\nC: XSLOW\nwait 1 s")
        self.waiting["reset"].callback(None)
        dialogue.play("wait 8 s\nwait 1 s\nS: 451 ...")

    def test_both_in_the_same_instant(self) -> None:
        self.waiting["reset"] = Deferred()
        dialogue = self.dialogue(commands={"XSLOW": lambda session, argument: Deferred()})
        dialogue.play(f"{self.UNTIL_RSET}C: XSLOW\nwait 10 s\nS: 451 ...\n{MAIL}S: 250 ...")
        self.assertEqual(len(self.flushLoggedErrors()), 1)

    def test_both_of_a_client_that_is_gone(self) -> None:
        self.waiting["reset"] = Deferred()
        dialogue = self.dialogue(commands={"XSLOW": lambda session, argument: Deferred()})
        dialogue.play(f"{self.UNTIL_RSET}C: XSLOW\nC closes")
        self.clock.advance(10)
        self.assert_told("sender", "reset", "end")
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(len(self.flushLoggedErrors()), 1)

    def test_errors_of_asyncio(self) -> None:
        """A cancelled task's error is no Exception."""
        self.errors["reset"] = asyncio.CancelledError()
        self.dialogue().play(f"{self.UNTIL_RSET}{MAIL}S: 250 ...\nC: QUIT\nS: 221 ...\nS closes")
        self.assert_told("sender", "reset", "sender", "reset", "end")
        self.assertEqual(len(self.flushLoggedErrors(asyncio.CancelledError)), 2)


class ProxyTests(SessionCase):
    def dialogue(self, peer: str = "127.0.0.1", **settings: Any) -> Dialogue:
        return super().dialogue(
            peer,
            xclient=Networks(["127.0.0.1"]),
            limits=SMTPLimits(greeting_wait=0, failure_delay=0),
            **settings,
        )

    def test_each_client_has_its_own(self) -> None:
        self.dialogue().play(f"S: 220 ...\nC: XCLIENT ADDR=192.0.2.9\n{HELLO}{MAIL}S: 250 ...")
        self.assert_told("end")
        self.assert_told("sender", number=1)
        self.assertEqual(self.sessions[1].session.peer, "192.0.2.9")

    def test_a_client_whose_login_fails(self) -> None:
        """It goes on without an account, and with a session of its own."""
        self.dialogue().play(
            "S: 220 ...\nC: XCLIENT ADDR=192.0.2.9 LOGIN=x\nS: 535 ...\n"
            f"C: HELO a\nS: 250 ...\n{MAIL}S: 250 ..."
        )
        self.assert_told("end")
        self.assert_told("sender", number=1)
        self.assertEqual(self.sessions[1].session.peer, "192.0.2.9")

    def test_a_client_whose_login_fails_and_who_is_turned_away(self) -> None:
        def make(session: Session) -> Noted:
            if session.peer == "192.0.2.9":
                raise Refused(550, "5.7.1", "Not you")
            return made(session)

        made, self.make = self.make, make  # type: ignore[method-assign]
        self.dialogue().play("S: 220 ...\nC: XCLIENT ADDR=192.0.2.9 LOGIN=x\nS: 554 5.7.1 Not you\nS closes")
        self.assert_told("end")


class StoppingTests(SessionCase):
    DELIVERS = f"{HELLO}{MAIL}S: 250 ...\n{RCPT}S: 250 ...\nC: DATA\nS: 354 ...\nC: .\n"
    WAITING = (("deliver", f"{DELIVERS}C closes"), ("end", f"{DELIVERS}S: 250 ...\nC closes"))

    def test_stopping_waits_for_what_clients_that_are_gone_have_begun(self) -> None:
        """So that a program can close what its deliveries need."""
        for waiting, transcript in self.WAITING:
            self.waiting = {waiting: Deferred()}
            self.sessions.clear()
            self.dialogue().play(transcript)
            stopped = self.factory.shut_down()
            self.clock.advance(1)
            self.assertNoResult(stopped)
            self.waiting[waiting].callback(None)
            self.successResultOf(stopped)
            self.assert_told("sender", "recipient", "deliver", "end")
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_but_not_for_ever(self) -> None:
        for waiting, transcript in self.WAITING:
            self.waiting = {waiting: Deferred()}
            self.sessions.clear()
            self.dialogue(limits=SMTPLimits(close_timeout=5)).play(transcript)
            stopped = self.factory.shut_down()
            self.clock.advance(5)
            self.successResultOf(stopped)
            self.assert_told("sender", "recipient", "deliver", "end")
            self.assertEqual(self.sessions[0].running, 0)
            self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(len(self.flushLoggedErrors()), 1)

    def test_nor_for_what_follows_what_was_cancelled(self) -> None:
        self.waiting = {"deliver": Deferred(), "end": Deferred()}
        self.dialogue(limits=SMTPLimits(close_timeout=5, delivery=10)).play(f"{self.DELIVERS}C closes")
        stopped = self.factory.shut_down()
        self.clock.advance(5)
        self.successResultOf(stopped)
        self.clock.advance(10)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(len(self.flushLoggedErrors()), 1)

    def test_calls_are_cancelled_when_the_server_has_stopped(self) -> None:
        """Nothing of them runs on in a program that has closed what they need."""
        self.waiting["deliver"] = Deferred()
        dialogue = self.dialogue(limits=SMTPLimits(close_timeout=5))
        dialogue.play(f"{HELLO}{MAIL}S: 250 ...\n{RCPT}S: 250 ...\nC: DATA\nS: 354 ...\nC: .")
        stopped = self.factory.shut_down()
        with capturedLogs() as events:
            dialogue.play("wait 5 s\nS closes")
        self.successResultOf(stopped)
        self.assertIn(
            "Noted.deliver was cancelled, because the server stops", str([*map(formatEvent, events)])
        )
        self.assert_told("sender", "recipient", "deliver", "end")
        self.assertEqual(self.sessions[0].running, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
