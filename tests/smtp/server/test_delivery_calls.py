"""What a delivery returns, how long it may take, and the object that each connection has."""

from __future__ import annotations

import asyncio
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailproto.content import Content
from mailproto.delivery import Delivery, DeliverySession, PerSession
from mailproto.errors import Refused, Unavailable
from mailproto.interfaces import IDelivery
from mailproto.model import Address, Envelope, Outcome, ServiceExtensions, Session
from mailproto.smtp import SMTPServerFactory
from mailproto.smtp.limits import SMTPLimits
from mailproto.testing import Dialogue, MemoryTransport, play_each_way

UNTIL_MAIL = """
    S: 220 mx.example ...
    C: HELO a
    S: 250 mx.example
    C: MAIL FROM:<a@b>
    """

UNTIL_RCPT = f"""{UNTIL_MAIL}
    S: 250 ...
    C: RCPT TO:<b@c>
    """

UNTIL_CONTENT = f"""{UNTIL_RCPT}
    S: 250 ...
    C: RCPT TO:<c@d>
    S: 250 ...
    C: DATA
    S: 354 ...
    C: Subject: x
    C: .
    """

QUIT = "C: QUIT\nS: 221 ...\nS closes"

TOLD = "451 4.3.0 Temporary failure, try again later"


@implementer(IDelivery)
class Answers:
    """Answers each step with what a test says."""

    def __init__(self, sender: Any = None, recipient: Any = None, deliver: Any = None) -> None:
        self.answers = {"sender": sender, "recipient": recipient, "deliver": deliver}

    def answer(self, step: str) -> Any:
        answer = self.answers[step]
        return answer() if callable(answer) else answer

    def sender(self, session: Session, path: Address, parameters: Any) -> Any:
        return self.answer("sender")

    def recipient(self, session: Session, path: Address, parameters: Any) -> Any:
        return self.answer("recipient")

    def deliver(self, envelope: Envelope, content: Content) -> Any:
        return self.answer("deliver")


class CallCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()

    def play(self, delivery: Any, transcript: str, /, **limits: Any) -> None:
        def dialogue() -> Dialogue:
            factory = SMTPServerFactory(
                delivery,
                clock=self.clock,
                hostname="mx.example",
                limits=SMTPLimits(greeting_wait=0, **limits),
            )
            return Dialogue(factory, clock=self.clock)

        play_each_way(dialogue, transcript)

    def assert_wrong(self, delivery: Any, transcript: str, text: str) -> None:
        self.play(delivery, transcript)
        errors = [failure.getErrorMessage() for failure in self.flushLoggedErrors(TypeError)]
        self.assertTrue(errors)
        for error in errors:
            self.assertIn(text, error)


class ResultTests(CallCase):
    """Only None accepts an address; anything else is an error that says what to do."""

    def test_addresses(self) -> None:
        async def later(value: object) -> object:
            return value

        for value in (False, True, "550 no", "250 OK", 550, [], Outcome(250, "2.0.0", "Yes"), Refused):
            for answer in (
                lambda value=value: value,
                lambda value=value: later(value),
                lambda value=value: succeed(value),
            ):
                self.assert_wrong(
                    Answers(sender=answer),
                    f"{UNTIL_MAIL}S: {TOLD}\nC: RCPT TO:<b@c>\nS: 503 ...",
                    "Answers.sender returned ",
                )
                self.assert_wrong(
                    Answers(recipient=answer),
                    f"{UNTIL_RCPT}S: {TOLD}\nC: RSET\nS: 250 ...",
                    "return None to accept, raise mailproto.errors.Refused(550, '5.7.1', 'text') to refuse",
                )

    def test_none_accepts_a_message_for_all(self) -> None:
        async def later() -> None:
            return None

        for answer in (None, later, lambda: succeed(None)):
            self.play(Answers(deliver=answer), f"{UNTIL_CONTENT}S: 250 2.0.0 Taken as ...\n{QUIT}")

    def test_outcomes_at_once_or_later(self) -> None:
        outcomes = [Outcome(550, "5.1.1", "Gone"), Outcome(450, "4.2.0", "Later")]
        for answer in (outcomes, tuple(outcomes), lambda: succeed(outcomes)):
            self.play(Answers(deliver=answer), f"{UNTIL_CONTENT}S: 450 4.2.0 Later")

    def test_wrong_outcomes(self) -> None:
        good = Outcome(250, "2.0.0", "Yes")
        for wrong in (
            True,
            "250 OK",
            good,
            [good],
            [good] * 3,
            [good, None],
            ["250", "250"],
            {good},
            b"\0\0",
        ):
            self.assert_wrong(
                Answers(deliver=lambda wrong=wrong: wrong),
                f"{UNTIL_CONTENT}S: {TOLD}\n{QUIT}",
                "return None to accept for all, or a list of 2 Outcome, one for each recipient",
            )

    def test_what_was_not_awaited(self) -> None:
        async def saving() -> None:
            """Is called without await."""

        async def deliver() -> object:
            self.addCleanup((forgotten := saving()).close)
            return forgotten

        self.assert_wrong(Answers(deliver=deliver), f"{UNTIL_CONTENT}S: {TOLD}\n{QUIT}", ": await it")

    def test_errors_of_each_kind(self) -> None:
        def raises() -> None:
            raise Refused(554, "5.7.1", "No")

        async def raises_later() -> None:
            raise Refused(554, "5.7.1", "No")

        for answer in (raises, raises_later, lambda: fail(Refused(554, "5.7.1", "No"))):
            self.play(Answers(deliver=answer), f"{UNTIL_CONTENT}S: 554 5.7.1 No")
            self.play(Answers(recipient=answer), f"{UNTIL_RCPT}S: 554 5.7.1 No")

    def test_octets_where_content_comes(self) -> None:
        """The log says what to write, because Python's error does not."""

        class Wrong(Delivery):
            async def deliver(self, envelope: Envelope, content: Content) -> None:
                raise TypeError("object supporting the buffer API required")

        self.assert_wrong(Wrong(), f"{UNTIL_CONTENT}S: {TOLD}", "buffer")

    def test_asyncio_s_futures_where_they_cannot_be_done(self) -> None:
        loop = asyncio.new_event_loop()
        self.addCleanup(loop.close)

        async def waits() -> None:
            await loop.create_future()

        for answer in (waits, loop.create_future):
            self.play(Answers(recipient=answer), f"{UNTIL_RCPT}S: {TOLD}")
            for failure in self.flushLoggedErrors(RuntimeError):
                self.assertIn("install twisted.internet.asyncioreactor", failure.getErrorMessage())

    def test_what_needs_asyncio_s_loop(self) -> None:
        """The log says which reactor it needs, because asyncio's own error does not."""
        for step, transcript in (("recipient", UNTIL_RCPT), ("deliver", UNTIL_CONTENT)):
            with capturedLogs() as logged:
                self.play(Answers(**{step: lambda: asyncio.sleep(0.1)}), f"{transcript}S: {TOLD}")
            self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 4)
            lines = [formatEvent(event) for event in logged]
            self.assertEqual(sum("twistd --reactor=asyncio" in line for line in lines), 4)


class TimeTests(CallCase):
    """Each call has its time; then it is cancelled, and the client may try again."""

    def test_each_step(self) -> None:
        cancelled: list[str] = []

        def never(step: str) -> Deferred[None]:
            return Deferred(lambda _: cancelled.append(step))

        async def awaits(step: str) -> None:
            await never(step)

        for waits in (never, awaits):
            self.play(
                Answers(sender=lambda waits=waits: waits("sender")),
                f"{UNTIL_MAIL}wait 9 s\nwait 1 s\nS: {TOLD}\nC: NOOP\nS: 250 ...",
                delivery=10,
            )
            self.play(
                Answers(recipient=lambda waits=waits: waits("recipient")),
                f"{UNTIL_RCPT}wait 10 s\nS: {TOLD}\nC: DATA\nS: 503 ...",
                delivery=10,
            )
            self.play(
                Answers(deliver=lambda waits=waits: waits("deliver")),
                f"{UNTIL_CONTENT}wait 10 s\nS: {TOLD}\nC: MAIL FROM:<a@b>\nS: 250 ...",
                delivery=10,
            )
        self.assertEqual(set(cancelled), {"sender", "recipient", "deliver"})

    def test_what_does_not_let_itself_be_cancelled(self) -> None:
        """The client gets its answer, and the work goes on without it."""
        done: list[str] = []
        stubborn: Deferred[None] = Deferred()

        async def deliver() -> None:
            try:
                await Deferred()
            except Exception:
                await stubborn
            done.append("all the same")

        self.play(
            Answers(deliver=deliver), f"{UNTIL_CONTENT}wait 10 s\nS: {TOLD}\nC: NOOP\nS: 250 ...", delivery=10
        )
        stubborn.callback(None)
        self.assertEqual(len(done), 4)

    def test_what_ends_by_being_cancelled_a_little_later(self) -> None:
        """A task of asyncio's does so: that is no error.  Any other error is in the log."""
        for error, logged in ((asyncio.CancelledError(), 0), (CancelledError(), 0), (OSError("no"), 1)):
            later: list[Deferred[None]] = []

            async def deliver(later: list[Deferred[None]] = later) -> None:
                try:
                    await Deferred()
                except CancelledError:
                    later.append(Deferred())
                    await later[-1]

            self.play(Answers(deliver=deliver), f"{UNTIL_CONTENT}wait 10 s\nS: {TOLD}", delivery=10)
            for each in later:
                each.errback(error)
            self.assertEqual(len(self.flushLoggedErrors()), logged * 4)

    def test_what_is_done_in_time_after_it_was_cancelled(self) -> None:
        async def deliver() -> None:
            try:
                await Deferred()
            except Exception:
                return

        self.play(Answers(deliver=deliver), f"{UNTIL_CONTENT}wait 10 s\nS: 250 2.0.0 Taken ...", delivery=10)

    def test_longer_than_clients_may_be_silent(self) -> None:
        waiting: list[Deferred[None]] = []

        def deliver() -> Deferred[None]:
            waiting.append(Deferred())
            return waiting[-1]

        self.play(Answers(deliver=deliver), f"{UNTIL_CONTENT}wait 599 s\nwait 1 s\nS: {TOLD}", delivery=600)

    def test_a_client_that_is_gone_does_not_matter(self) -> None:
        cancelled: list[Deferred[Any]] = []
        dialogue = Dialogue(
            SMTPServerFactory(
                Answers(deliver=lambda: Deferred(cancelled.append)),
                clock=self.clock,
                hostname="mx.example",
                limits=SMTPLimits(greeting_wait=0, delivery=10),
            ),
            clock=self.clock,
        )
        dialogue.play(f"{UNTIL_CONTENT}C closes")
        self.clock.advance(9)
        self.assertEqual(cancelled, [])
        self.clock.advance(1)
        self.assertEqual(len(cancelled), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_call_that_is_done_leaves_no_timer(self) -> None:
        waiting: Deferred[None] = Deferred()
        dialogue = Dialogue(
            SMTPServerFactory(Answers(deliver=waiting), clock=self.clock, hostname="mx.example"),
            clock=self.clock,
        )
        dialogue.play(f"{UNTIL_CONTENT}C closes")
        waiting.callback(None)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Told(DeliverySession):
    """Notes what it is told."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.told: list[str] = [f"begin {session.peer or '-'}"]

    async def sender(self, session: Session, path: Address, parameters: Any) -> None:
        self.told.append(f"sender {path}")

    async def recipient(self, session: Session, path: Address, parameters: Any) -> None:
        self.told.append(f"recipient {path}")

    async def deliver(self, envelope: Envelope, content: Content) -> None:
        self.told.append(f"deliver {len(envelope.recipients)}")

    async def reset(self) -> None:
        self.told.append("reset")

    async def end(self) -> None:
        self.told.append("end")


class SessionTests(CallCase):
    """A delivery with an object for each connection."""

    def setUp(self) -> None:
        super().setUp()
        self.sessions: list[Told] = []

    def make(self, session: Session) -> Told:
        self.sessions.append(Told(session))
        return self.sessions[-1]

    def assert_told(self, transcript: str, *told: str, **settings: Any) -> None:
        self.play(PerSession(self.make), transcript, **settings)
        self.assertEqual(len(self.sessions), 4)
        for session in self.sessions:
            self.assertEqual(session.told, ["begin 127.0.0.1", *told, "end"])

    def test_each_step_reset_and_end(self) -> None:
        self.assert_told(
            f"{UNTIL_CONTENT}S: 250 ...\nC: MAIL FROM:<>\nS: 250 ...\nC: RSET\nS: 250 ...\n{QUIT}",
            "sender a@b",
            "recipient b@c",
            "recipient c@d",
            "deliver 2",
            "sender ",
            "reset",
        )

    def test_nothing_to_reset(self) -> None:
        self.assert_told(
            f"S: 220 ...\nC: RSET\nS: 250 ...\nC: HELO a\nS: 250 ...\nC: RSET\nS: 250 ...\n{QUIT}"
        )

    def test_a_new_greeting_resets(self) -> None:
        self.assert_told(
            f"{UNTIL_RCPT}S: 250 ...\nC: HELO b\nS: 250 ...\n{QUIT}",
            "sender a@b",
            "recipient b@c",
            "reset",
        )

    def test_a_connection_that_is_lost_resets_and_ends(self) -> None:
        self.assert_told(f"{UNTIL_RCPT}S: 250 ...\nC closes", "sender a@b", "recipient b@c", "reset")

    def test_content_that_the_server_refuses_resets(self) -> None:
        received = "C: Received: x\n" * 101
        self.assert_told(
            f"{UNTIL_RCPT}S: 250 ...\nC: DATA\nS: 354 ...\n{received}C:\nC: .\nS: 554 5.4.6 ...\n{QUIT}",
            "sender a@b",
            "recipient b@c",
            "reset",
        )

    def test_each_connection_has_its_own(self) -> None:
        self.assert_told(f"S: 220 ...\n{QUIT}")
        self.assertEqual(len(set(map(id, self.sessions))), 4)

    def test_clients_are_turned_away(self) -> None:
        async def refuse(session: Session) -> Told:
            raise Refused(550, "5.7.1", "Not you")

        async def busy(session: Session) -> Told:
            raise Unavailable("Not now")

        self.play(PerSession(refuse), "S: 554 5.7.1 Not you\nS closes")
        self.play(PerSession(busy), "S: 421 4.3.0 Not now\nS closes")

    def test_a_beginning_that_fails(self) -> None:
        self.play(PerSession(lambda session: 1 / 0), "S: 421 4.3.0 ...\nS closes")  # type: ignore[arg-type,return-value]
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 4)
        self.play(PerSession(lambda session: None), "S: 421 4.3.0 ...\nS closes")  # type: ignore[arg-type,return-value]
        for failure in self.flushLoggedErrors(TypeError):
            self.assertIn("return an object that provides IDeliverySession", failure.getErrorMessage())

    def test_a_beginning_that_takes_time(self) -> None:
        waiting: list[Deferred[None]] = []

        async def slow(session: Session) -> Told:
            waiting.append(Deferred())
            await waiting[-1]
            return self.make(session)

        dialogue = Dialogue(
            SMTPServerFactory(PerSession(slow), clock=self.clock, hostname="mx.example"), clock=self.clock
        )
        dialogue.play("C: HELO a\nC closes")
        waiting[0].callback(None)
        self.assertEqual(self.sessions[0].told, ["begin 127.0.0.1", "end"])

    def test_calls_do_not_overlap(self) -> None:
        """A reset that takes time delays the next call, and not the reply to RSET; the end comes last."""
        resetting, delivering = Deferred[None](), Deferred[None]()

        class Slow(Told):
            async def reset(self) -> None:
                await resetting
                await super().reset()

            async def deliver(self, envelope: Envelope, content: Content) -> None:
                await delivering
                await super().deliver(envelope, content)

        def make(session: Session) -> Slow:
            self.sessions.append(slow := Slow(session))
            return slow

        dialogue = Dialogue(
            SMTPServerFactory(PerSession(make), clock=self.clock, hostname="mx.example"), clock=self.clock
        )
        dialogue.play(f"{UNTIL_RCPT}S: 250 ...\nC: RSET\nS: 250 ...\nC: MAIL FROM:<x@y>")
        [session] = self.sessions
        self.assertEqual(session.told[-1], "recipient b@c")
        resetting.callback(None)
        self.assertEqual(session.told[-2:], ["reset", "sender x@y"])
        dialogue.play("S: 250 ...\nC: RCPT TO:<z@z>\nS: 250 ...\nC: DATA\nS: 354 ...\nC: .\nC closes")
        self.assertEqual(session.told[-1], "recipient z@z")
        delivering.callback(None)
        self.assertEqual(session.told[-2:], ["deliver 1", "end"])

    def test_errors_of_reset_and_end_are_logged(self) -> None:
        class Bad(Told):
            def reset(self) -> Any:
                raise ZeroDivisionError

            async def end(self) -> None:
                raise ZeroDivisionError

        self.play(
            PerSession(Bad),
            f"{UNTIL_RCPT}S: 250 ...\nC: RSET\nS: 250 ...\nC: MAIL FROM:<>\nS: 250 ...\nC closes",
        )
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 12)

    def test_what_the_sessions_honour_is_offered(self) -> None:
        able = PerSession(Told, ServiceExtensions(dsn=True, require_tls=True))
        for delivery, offers in ((PerSession(Told), False), (able, True)):
            server = SMTPServerFactory(delivery, clock=self.clock, hostname="mx.example")
            transport = MemoryTransport(server.buildProtocol(None))
            transport.read()
            transport.send(b"EHLO a\r\n")
            self.assertEqual(b"250-DSN\r\n" in transport.read(), offers)
