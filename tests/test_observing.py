"""Observers of servers: what they are told, and that they do no harm."""

from __future__ import annotations

import asyncio
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailproto.delivery import FunctionDelivery
from mailproto.errors import RecipientUnknown
from mailproto.model import Outcome
from mailproto.observing import Client, Connected, IObserver, Observer, Observers
from mailproto.smtp import SMTPServerFactory
from mailproto.testing import Dialogue
from tests import own_commands
from tests.mail_log import captured, kinds

METHODS = sorted(IObserver.names())


class Recording(Observer):
    """Keeps every event."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []

    def only(self, name: str) -> Any:
        found = [event for told, event in self.events if told == name]
        if len(found) != 1:
            raise AssertionError(f"{len(found)} of {name}: {self.events}")
        return found[0]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.events]


def _keep(name: str) -> Any:
    def method(self: Recording, event: Any) -> None:
        self.events.append((name, event))

    return method


for _name in METHODS:
    setattr(Recording, _name, _keep(_name))


class Failing(Observer):
    """Raises in each method, or in some."""


def _fail(error: BaseException) -> Any:
    def method(self: Failing, event: Any) -> None:
        raise error

    return method


for _name in METHODS:
    setattr(Failing, _name, _fail(ZeroDivisionError("observer")))
Failing.connected = _fail(asyncio.CancelledError())


class Delivery(FunctionDelivery):
    """Does not know eve."""

    async def recipient(self, session: Any, path: Any, parameters: Any) -> None:
        if path.local == "eve":
            raise RecipientUnknown


async def _take(envelope: Any, content: Any) -> None:
    """Take a message."""


MESSAGE = """
    S: 220 ...
    C: EHLO client.example
    S*: 250-...
    S: 250 HELP
    C: MAIL FROM:<bob@example.com>
    S: 250 ...
    C: RCPT TO:<eve@example.org>
    S: 550 5.1.1 ...
    C: RCPT TO:<alice@example.org>
    S: 250 ...
    C: DATA
    S: 354 ...
    C: Message-ID: <1@x>
    C:
    C: hello
    C: .
    S: 250 2.0.0 ...
    C: QUIT
    S: 221 ...
    S closes
"""


def serve(observer: Any, **options: Any) -> Dialogue:
    clock = Clock()
    delivery = options.pop("delivery", None) or Delivery(_take)
    factory = SMTPServerFactory(delivery, clock=clock, hostname="mx.example", observer=observer, **options)
    return Dialogue(factory, clock=clock)


class EventTests(SynchronousTestCase):
    def test_a_message(self) -> None:
        told = Recording()
        serve(told).play(MESSAGE)
        self.assertEqual(told.names, ["connected", "refused", "accepted", "delivered", "disconnected"])
        client = told.only("connected").client
        self.assertEqual((client.address, client.protocol, client.helo), ("127.0.0.1", "smtp", ""))
        refused = told.only("refused")
        self.assertEqual((refused.code, refused.enhanced, refused.command), (550, "5.1.1", "RCPT"))
        self.assertEqual(refused.reply, "550 5.1.1 No such mailbox here")
        self.assertEqual(
            (str(refused.sender), str(refused.recipient)), ("bob@example.com", "eve@example.org")
        )
        self.assertFalse(refused.is_fault)
        accepted = told.only("accepted")
        self.assertEqual(accepted.client.helo, "client.example")
        self.assertEqual((accepted.size, accepted.message_id), (28, "<1@x>"))
        self.assertEqual([each.accepted for each in accepted.outcomes], [True])
        self.assertEqual(str(told.only("delivered").recipient.address), "alice@example.org")
        ended = told.only("disconnected")
        self.assertEqual((ended.reason, ended.counts["taken"], ended.counts["errors"]), ("quit", 1, 0))
        self.assertEqual(ended.client.connection, client.connection)
        self.assertNotEqual(client.connection, 0)

    def test_numbers_of_octets_and_seconds(self) -> None:
        told = Recording()
        dialogue = serve(told)
        dialogue.play("S: 220 ...\nC: NOOP\nS: 250 2.0.0 OK\nwait 7 s\nC: QUIT\nS: 221 ...\nS closes")
        ended = told.only("disconnected")
        self.assertEqual((ended.seconds, ended.octets_in), (7, len("NOOP\r\nQUIT\r\n")))
        said = ("220 mx.example ESMTP mailproto", "250 2.0.0 OK", "221 2.0.0 mx.example closing connection")
        self.assertEqual(ended.octets_out, sum(len(line) + 2 for line in said))

    def test_how_long_a_delivery_takes(self) -> None:
        told, waits = Recording(), Deferred()

        class Slow(Delivery):
            def deliver(self, envelope: Any, content: Any) -> Any:  # type: ignore[override]
                return waits

        dialogue = serve(told, delivery=Slow(_take))
        dialogue.actions["deliver"] = lambda: waits.callback([Outcome(250, "2.0.0", "kept")])
        dialogue.play(MESSAGE.replace("C: .\n", "C: .\nwait 3 s\ndo deliver\n"))
        self.assertEqual(told.only("accepted").seconds, 3)

    def test_of_whom_the_sender_learns(self) -> None:
        """SMTP has one reply for all recipients: of a refusal beside an acceptance, it says nothing."""
        yes, no = Outcome(250, "2.0.0", "Kept"), Outcome(550, "5.1.1", "Nobody")
        script = MESSAGE.replace(
            "<eve@example.org>\n    S: 550 5.1.1 ...", "<dora@example.org>\n    S: 250 ..."
        )
        for outcomes, is_told, reply in (
            ([yes, yes], [True, True], "250"),
            ([yes, no], [True, False], "250"),
            ([no, no], [True, True], "550"),
        ):

            class Some(Delivery):
                def deliver(self, envelope: Any, content: Any, outcomes: Any = outcomes) -> Any:
                    return outcomes

            told = Recording()
            serve(told, delivery=Some(_take)).play(script.replace("S: 250 2.0.0 ...", f"S: {reply} ..."))
            delivered = [event for name, event in told.events if name == "delivered"]
            self.assertEqual([event.outcome for event in delivered], outcomes)
            self.assertEqual([event.is_told for event in delivered], is_told)

    def test_a_refused_message(self) -> None:
        class Full(Delivery):
            def deliver(self, envelope: Any, content: Any) -> Any:  # type: ignore[override]
                return succeed([Outcome(452, "4.3.1", "Full", "disk")])

        told = Recording()
        script = MESSAGE.replace("C: RCPT TO:<eve@example.org>\n    S: 550 5.1.1 ...\n", "")
        serve(told, delivery=Full(_take)).play(script.replace("S: 250 2.0.0 ...", "S: 452 4.3.1 Full"))
        self.assertEqual(told.names, ["connected", "refused", "delivered", "disconnected"])
        refused = told.only("refused")
        self.assertEqual((refused.code, refused.is_fault, refused.command), (452, True, ""))
        self.assertEqual((refused.size, refused.envelope.sender.local), (28, "bob"))
        self.assertEqual(told.only("delivered").outcome.detail, "disk")

    def test_one_who_is_turned_away(self) -> None:
        told = Recording()
        dialogue = serve(told)
        dialogue._factory.stopping = True
        dialogue.play("S: 421 4.3.2 ...\nS closes")
        self.assertEqual(told.names, ["turned_away", "disconnected"])

    def test_notes_belong_to_a_connection(self) -> None:
        class Noting(Recording):
            def connected(self, event: Connected) -> None:
                event.client.notes[self] = "mine"

        told = Noting()
        serve(told).play(MESSAGE)
        self.assertEqual(told.only("disconnected").client.notes[told], "mine")

    def test_tls_of_one_who_says_nothing(self) -> None:
        """It is not complete when the connection is made."""
        told = Recording()
        dialogue = serve(told)
        dialogue.connect(tls=True)
        dialogue.play("S: 220 ...\nC: NOOP\nS: 250 ...\nC: QUIT\nS: 221 ...\nS closes")
        self.assertEqual(told.only("disconnected").client.tls, "TLSv1.2")

    def test_events_are_frozen(self) -> None:
        told = Recording()
        serve(told).play(MESSAGE)
        for name, event in told.events:
            with self.subTest(name), self.assertRaises(AttributeError):
                event.client = None


class ReadersTests(SynchronousTestCase):
    """POP3 and IMAP."""

    def test_imap(self) -> None:
        told = Recording()
        own_commands.dialogue("imap", observer=told).play(
            """
            S: * OK ...
            C: a LOGIN alice wrong-secret
            wait 9 s
            S: a NO [AUTHENTICATIONFAILED] ...
            C: b LOGIN alice secret
            S: b OK ...
            C: c SELECT Nothing
            S: c NO ...
            C: d APPEND INBOX {16+}
            C: Subject: hello
            C:
            C:
            S: d OK [APPENDUID ...
            C: e LOGOUT
            S: * BYE ...
            S: e OK ...
            S closes
            """.replace("{16+}", "{18+}")
        )
        self.assertEqual(
            told.names, ["connected", "sign_in_refused", "signed_in", "refused", "appended", "disconnected"]
        )
        refused = told.only("refused")
        self.assertEqual((refused.command, refused.code, refused.is_fault), ("SELECT", 550, False))
        self.assertEqual(refused.client.account, "alice")
        appended = told.only("appended")
        self.assertEqual((appended.mailbox, appended.uid, appended.size), ("INBOX", 1, 18))
        self.assertEqual(
            (told.only("signed_in").account, told.only("signed_in").mechanism), ("alice", "LOGIN")
        )
        self.assertEqual(told.only("sign_in_refused").name, "alice")
        self.assertNotIn("secret", repr(told.events))
        self.assertEqual(told.only("disconnected").counts["commands"], 2)

    def test_pop3(self) -> None:
        told = Recording()
        own_commands.dialogue("pop3", observer=told).play(
            """
            S: +OK ...
            C: USER alice
            S: +OK ...
            C: PASS wrong-secret
            wait 9 s
            S: -ERR [AUTH] ...
            C: USER alice
            S: +OK ...
            C: PASS secret
            S: +OK ...
            C: RETR 1
            S: -ERR No such message
            C: QUIT
            S: +OK ...
            S closes
            """
        )
        self.assertEqual(told.names, ["connected", "sign_in_refused", "signed_in", "refused", "disconnected"])
        self.assertEqual((told.only("refused").command, told.only("refused").code), ("RETR", 451))
        self.assertNotIn("secret", repr(told.events))


class HarmTests(SynchronousTestCase):
    def test_an_observer_that_fails_changes_nothing(self) -> None:
        """Neither for the client, nor for the observer after it; the log has each failure once."""
        told = Recording()
        dialogue = serve([Failing(), told])
        dialogue.play(MESSAGE)
        self.assertEqual(told.names, ["connected", "refused", "accepted", "delivered", "disconnected"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 4)
        self.assertEqual(len(self.flushLoggedErrors(asyncio.CancelledError)), 1)
        for _ in range(20):
            dialogue.connect()
            dialogue.play("S: 220 ...\nC: QUIT\nS: 221 ...\nS closes")
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual(sum(dialogue._factory.observer.errors.values()), 5 + 40)

    def test_what_is_no_observer(self) -> None:
        @implementer(IObserver)
        class Half:
            def connected(self, event: Any) -> None:
                """Has only this method."""

        class Awaiting(Observer):
            async def accepted(self, event: Any) -> None:  # type: ignore[override]
                """Would never be awaited."""

        for wrong, told in (
            (object(), "must be an object that provides IObserver, not "),
            (print, "must be an object that provides IObserver, not "),
            (
                Recording,
                "must be an object that provides IObserver, not the class Recording: write Recording()",
            ),
            (Half(), "must be an object that provides IObserver, not "),
            ([Recording(), None], "must be an object that provides IObserver, not "),
            ("observer", "must be an object that provides IObserver, not "),
            (Awaiting(), "is a coroutine function"),
        ):
            with self.subTest(repr(wrong)):
                error = self.assertRaises(TypeError, serve, wrong)
                self.assertTrue(str(error).startswith("observer"))
                self.assertNotIn("\n", str(error))
                self.assertIn(told, str(error))


class CompositionTests(SynchronousTestCase):
    def test_the_mail_log_goes_on(self) -> None:
        with captured() as events:
            serve(Recording()).play(MESSAGE)
        self.assertEqual(kinds(events), ["refused", "taken"])

    def test_unless_it_is_turned_off(self) -> None:
        told = Recording()
        with captured() as events:
            serve(told, mail_log=False).play(MESSAGE)
        self.assertEqual((len(told.events), len(events)), (5, 0))

    def test_methods_of_any_kind(self) -> None:
        """Functions that belong to one object only, and objects that can be called."""

        class Unhashable(list[Any]):
            def __call__(self, event: Any) -> None:
                self.append(event)

        observer, ends = Observer(), Unhashable()
        delivered: list[Any] = []
        observer.disconnected = ends  # type: ignore[method-assign]
        observer.delivered = lambda event: delivered.append(event)  # type: ignore[method-assign]
        dialogue = serve(observer)
        dialogue.play(MESSAGE)
        self.assertEqual((len(ends), len(delivered)), (1, 1))
        self.assertGreater(ends[0].octets_in, 0)

    def test_any_iterable(self) -> None:
        first, second = Recording(), Recording()
        serve(iter([first, second])).play(MESSAGE)
        self.assertEqual(first.events, second.events)

    def test_what_nobody_hears_is_not_made(self) -> None:
        class Counting(Observer):
            def accepted(self, event: Any) -> None:
                """It is enough."""

        observers = Observers([Counting()])
        self.assertEqual((observers.needs_several, observers.needs_single), (False, False))
        self.assertEqual(serve(Counting())._factory.observer.needs_single, False)
        self.assertEqual(serve(Recording())._factory.observer.needs_single, True)

    def test_observers_of_observers(self) -> None:
        told = Recording()
        event = Connected(Client("x", "smtp"))
        Observers([Observers([told])]).connected(event)
        self.assertEqual(told.events, [("connected", event)])


class CountingTests(SynchronousTestCase):
    def test_octets_are_counted_for_those_who_want_them(self) -> None:
        """The mail log does not."""

        class Deaf(Observer):
            def accepted(self, event: Any) -> None:
                """The end of a connection is nothing to it."""

        for observer, counts in ((None, False), (Deaf(), False), (Recording(), True)):
            self.assertEqual(serve(observer)._factory.observer.needs_octets, counts)
