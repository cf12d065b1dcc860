"""The pool against servers that misbehave: every send ends, once, in bounded time, and nothing is left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailproto.auth import Password
from mailproto.client import ServerAddress, _growth, _job, _pool, _pooled
from mailproto.client.errors import (
    ClientError,
    ConnectFailed,
    ConnectionLost,
    QueueTimeout,
    ServerTimeout,
    ServiceClosing,
)
from mailproto.content import Content
from mailproto.model import Outcome
from mailproto.smtp import SMTPSender
from mailproto.smtp.client import _send_mail, _transaction
from mailproto.smtp.client._content import PIECE
from mailproto.smtp.client._outcomes import SESSION_FULL
from mailproto.smtp.errors import UNCERTAIN, outcome_of
from tests.smtp.client.dialogue import turn
from tests.smtp.client.network import CLOSE, GARBAGE, REFUSE, SILENT, Network, serving

Script = Callable[[str, int], Mapping[str, Any]]

ONE_THEN_CLOSED = serving(final="250 OK|close")
ONE_THEN_421 = serving(MAIL=["250 OK", "421 4.7.0 One message a connection|close"])


class PoolTestCase(SynchronousTestCase):
    """A pool, a network in memory, and what became of each message."""

    def pool(self, script: Script | Mapping[str, Any], **settings: Any) -> SMTPSender:
        self.network = Network(
            script if callable(script) else lambda host, number: script, {"mx.example": ["192.0.2.1"]}
        )
        self.results: list[Any] = []
        server = ServerAddress("mx.example", tls="none")
        self.sender = SMTPSender(self.network, server, hostname="client.example", **settings)
        return self.sender

    def send(self, number: int = 1, recipients: int = 1, **settings: Any) -> list[Deferred[Any]]:
        return [self._send(recipients, **settings) for _ in range(number)]

    def _send(self, recipients: int, **settings: Any) -> Deferred[Any]:
        place = len(self.results)
        self.results.append(None)
        to = [f"r{each}@mx.example" for each in range(recipients)]
        sent = self.sender.send("me@client.example", to, b"Subject: %d\r\n\r\nx\r\n" % place, **settings)

        def note(result: Any) -> None:
            self.assertIsNone(self.results[place], "fired twice")
            self.results[place] = result.value if isinstance(result, Failure) else result

        sent.addBoth(note)
        return sent

    def all_done(self) -> bool:
        return None not in self.results

    def finish(self, seconds: float = 4000) -> float:
        """Until all results are there."""
        return self.network.run(self.all_done, seconds)

    def assert_nothing_left(self) -> None:
        """After `close`, no timer and no connection."""
        closed = self.sender.close()
        self.network.run(lambda: bool(closed.called), 1000)
        self.successResultOf(closed)
        self.network.run(lambda: not self.network.open_connections, 1000)
        self.network.advance(1)  # what is underway in the network
        self.assertEqual(self.network.getDelayedCalls(), [])

    def assert_all_taken_once(self, number: int) -> None:
        codes = [
            [each.code for each in result] if isinstance(result, list) else result for result in self.results
        ]
        self.assertEqual(codes, [[250]] * number)
        self.assertEqual(len(self.network.taken), number)
        self.assertEqual(len(set(self.network.taken)), number)


class TakenTests(PoolTestCase):
    """Servers that are difficult, and take everything all the same."""

    def test_all_are_taken(self) -> None:
        plain = "250 mx.example"
        limited = "250-mx.example\r\n250-LIMITS MAILMAX=1\r\n250 PIPELINING"

        def but_every_fifth(first: Mapping[str, Any], second: Mapping[str, Any]) -> Script:
            return lambda host, number: first if number % 5 else second

        def only(most: int, refusal: Mapping[str, Any], good: Mapping[str, Any] = serving()) -> Script:
            return lambda host, number: good if len(self.network.open_connections) < most else refusal

        crowd = serving(greeting="421 4.7.0 Too many connections|close")
        scripts: dict[str, tuple[Script | Mapping[str, Any], float]] = {
            "takes all": (serving(), 10),
            "without PIPELINING": (serving(EHLO=plain), 30),
            "one a connection, then closed": (ONE_THEN_CLOSED, 60),
            "one a connection, then 421": (ONE_THEN_421, 60),
            "one a connection, no PIPELINING, then closed": (serving(EHLO=plain, final="250 OK|close"), 60),
            "one a connection, no PIPELINING, then 421": ({**ONE_THEN_421, "EHLO": plain}, 60),
            "421 to the second RCPT": (serving(RCPT=["250 OK", "421 4.7.0 Enough|close"]), 60),
            "421 to the second DATA": (serving(DATA=["354 Go", "421 4.7.0 Enough|close"]), 60),
            "closed at the second RCPT": (serving(RCPT=["250 OK", CLOSE]), 60),
            "MAILMAX=1": (serving(EHLO=limited), 60),
            "three connections, then 421": (only(3, crowd), 60),
            "three connections, then refused": (only(3, serving(connect=REFUSE)), 60),
            "three connections, then 421 to EHLO": (only(3, serving(EHLO="421 4.7.0 No|close")), 60),
            "three connections, then closed": (only(3, serving(greeting=CLOSE)), 60),
            "three connections, then 421 to MAIL": (only(3, serving(MAIL="421 4.7.0 No|close")), 60),
            "three slow ones, then 421 to MAIL": (
                only(3, serving(MAIL="421 4.7.0 No|close"), serving(final="3|250 OK")),
                300,
            ),
            "three slow ones, then closed at MAIL": (
                only(3, serving(MAIL=CLOSE), serving(final="3|250 OK")),
                300,
            ),
            "one connection, then silence": (only(1, serving(greeting=SILENT)), 400),
            "closed at every fifth greeting": (but_every_fifth(serving(), serving(greeting=CLOSE)), 60),
            "closed at every fifth first MAIL": (but_every_fifth(ONE_THEN_421, serving(MAIL=CLOSE)), 60),
            "slow": (serving(EHLO=plain, MAIL="20|250 OK", RCPT="20|250 OK"), 3000),
        }
        for name, (script, seconds) in scripts.items():
            self.pool(script)
            self.send(100)
            try:
                self.finish(seconds)
                self.assert_all_taken_once(100)
                self.assert_nothing_left()
            except Exception as error:
                raise AssertionError(f"{name}: {error!r}") from error

    def test_closed_while_idle(self) -> None:
        """Each message finds connections that the server has closed, or has forgotten without a word."""
        for forgets in (False, True):
            self.pool(serving() if forgets else serving(idle=10), idle=1000)
            for _ in range(3):
                self.send(8)
                self.finish(10 if not forgets else 700)
                self.network.advance(20)
                if forgets:
                    for each in self.network.open_connections:
                        each.script = serving(MAIL=SILENT)
            self.assert_all_taken_once(24)
            self.assert_nothing_left()

    def test_restarted(self) -> None:
        """The server is away for some seconds, and what was underway is closed."""
        self.pool(lambda host, number: serving(connect=REFUSE) if away else serving())
        away = False
        self.send(1)
        self.finish()
        self.send(500)
        self.network.advance(0.05)
        away = True
        for each in self.network.open_connections:
            each.drop()
        self.network.run(lambda: self.network.seconds() > 5)
        away = False
        self.finish(30)
        uncertain = self.results.count([UNCERTAIN])
        self.assertLessEqual(uncertain, 5)
        self.assertEqual(self.results.count([Outcome(250, "2.0.0", "Queued")]), 501 - uncertain)
        self.assertEqual(len(set(self.network.taken)), len(self.network.taken))
        self.assert_nothing_left()

    def test_a_thousand_and_a_crowded_server(self) -> None:
        """Which takes two connections, and one message over each."""
        self.pool(
            lambda host, number: (
                ONE_THEN_421
                if len(self.network.open_connections) < 2
                else serving(greeting="421 4.7.0 Too many|close")
            )
        )
        self.send(1000)
        self.finish(300)
        self.assert_all_taken_once(1000)
        self.assertLess(len(self.network.asked), 1200)
        self.assert_nothing_left()


class SilenceTests(PoolTestCase):
    """What is silent holds up nothing else for longer than it must."""

    def test_one_silent_and_one_refused(self) -> None:
        """The server takes a message and says nothing; then it is away for a while."""
        for ehlo in ("250-mx\r\n250 PIPELINING", "250 mx"):
            good, silent, away = serving(EHLO=ehlo), serving(EHLO=ehlo, final=SILENT), serving(connect=REFUSE)

            def script(
                host: str, number: int, good: Any = good, silent: Any = silent, away: Any = away
            ) -> Any:
                return (away if self.network.seconds() < 20 else good) if number else silent

            self.pool(script, connections=2)
            self.send(20)
            self.network.run(lambda: self.results.count(None) == 1, 60)
            self.assertEqual(self.results[1:], [[Outcome(250, "2.0.0", "Queued")]] * 19)
            self.finish(700)
            self.assertEqual(self.results[0], [UNCERTAIN])
            self.assertEqual(len(set(self.network.taken)), len(self.network.taken))
            self.assert_nothing_left()

    def test_behind_a_silent_one(self) -> None:
        """What waits for a message that has no answer goes over another connection, once there is one."""
        for number in (2, 3, 30):
            self.pool(lambda host, number: serving(final=SILENT) if number == 0 else serving(), connections=2)
            self.send(number)
            self.network.run(lambda: self.results.count(None) == 1, 20)
            self.finish(700)
            self.assertEqual(self.results[0], [UNCERTAIN])
            self.assertEqual(len(set(self.network.taken)), number)
            self.assertEqual(len(self.network.taken), number)
            self.assert_nothing_left()

    def test_its_answer_comes_after_all(self) -> None:
        """The message that went elsewhere is not sent here, too."""
        self.pool(
            lambda host, number: serving(final=["60|250 OK"]) if number == 0 else serving(), connections=2
        )
        self.send(3)
        self.finish(100)
        self.assert_all_taken_once(3)
        slow = self.network.connections[0]
        self.assertFalse(slow.is_open)
        self.assertNotIn("QUIT", slow.heard)  # it ended as soon as it owed no answer
        self.assert_nothing_left()

    def test_it_grows_again(self) -> None:
        """A server that was crowded gets as many connections as are wanted, some time later."""
        self.pool(
            lambda host, number: (
                serving(final="2|250 OK")
                if len(self.network.open_connections) < (1 if self.network.seconds() < 60 else 5)
                else serving(greeting="421 4.7.0 Too many|close")
            )
        )
        self.send(400)
        self.network.run(lambda: self.network.seconds() > 58)
        self.assertEqual(len(self.network.open_connections), 1)
        self.network.run(lambda: len(self.network.open_connections) == 2, 31)
        self.network.run(lambda: len(self.network.open_connections) == 5, 7)  # each when the last one served
        self.assertLess(len(self.network.asked), 30)
        self.finish(2000)
        self.assert_all_taken_once(400)
        self.assert_nothing_left()

    def test_crowded_from_the_start(self) -> None:
        """With others' connections: it is asked again, but not for ever."""
        for until, kind in ((5, list), (50, ServiceClosing)):
            self.pool(
                lambda host, number, until=until: (
                    serving()
                    if self.network.seconds() > until
                    else serving(greeting="421 4.7.0 Too many|close")
                )
            )
            self.send(50)
            self.finish(10)
            self.assertEqual({type(each) for each in self.results}, {kind})
            self.assertLess(len(self.network.asked), 15)
            self.assert_nothing_left()

    def test_nobody_there(self) -> None:
        """All are told at once, in order, a bounded number in a turn; who comes then may try at once."""
        self.pool(serving(connect=REFUSE))
        for _ in range(2):
            self.send(1000)
            self.finish(0.2)
            self.assertEqual({type(each) for each in self.results}, {ConnectFailed})
        self.assert_nothing_left()

    def test_a_wrong_password_is_not_shown_over_and_over(self) -> None:
        """Another connection is refused while one works: it is tried again seldom."""
        network: Network = self.pool(serving())._reactor
        hello = "250-mx\r\n250-AUTH PLAIN\r\n250 PIPELINING"
        network.script = lambda host, number: serving(
            EHLO=hello, AUTH="235 OK" if number == 0 else "535 5.7.8 No", final="10|250 OK"
        )
        server = ServerAddress("localhost", tls="none", credentials=Password("a", "b"))
        network.names, network.peer = {"localhost": ["127.0.0.1"]}, "127.0.0.1"
        self.sender = SMTPSender(network, server, connections=3, hostname="a.example")
        self.send(20)
        self.finish(400)
        self.assert_all_taken_once(20)
        self.assertLess(len(network.asked), 10)
        self.assert_nothing_left()


class WaitTests(PoolTestCase):
    """A send that waits has a limit of its own."""

    def test_in_the_queue(self) -> None:
        for name, script in (
            ("silent", serving(connect=SILENT)),
            ("silent greeting", serving(greeting=SILENT)),
            ("slow", serving(MAIL="1000|250 OK")),
        ):
            self.pool(script, connections=1)
            self.send(wait=5)
            self.send(wait=7)
            self.send(wait=6)
            self.network.run(lambda: self.results.count(None) <= (name == "slow"), 7.5)  # noqa: B023
            for result in self.results[name == "slow" :]:
                self.assertIsInstance(result, QueueTimeout)
                self.assertRegex(str(result), r"Waited [567] s for a connection to mx\.example:25$")
                self.assertEqual((outcome_of(result).code, outcome_of(result).enhanced), (451, "4.4.7"))
            self.finish(2000)
            self.assertEqual(self.network.taken, [])
            self.assert_nothing_left()

    def test_of_the_pool(self) -> None:
        self.pool(serving(connect=SILENT), wait=3)
        self.send(2)
        self.send(wait=4)
        self.assertGreater(self.finish(5), 3.9)
        for result in self.results:
            self.assertIsInstance(result, QueueTimeout)

    def test_why(self) -> None:
        """The last connection that could not be had says it."""
        self.pool(lambda host, number: serving(final=SILENT) if not number else serving(connect=REFUSE))
        self.send(4, wait=50)
        self.network.run(lambda: self.results.count(None) == 1, 60)
        for result in self.results[1:]:
            self.assertRegex(
                str(result), "mx.example:25; the last one could not be had: .*: Connection was refused"
            )
        self.finish()

    def test_underway(self) -> None:
        """Its turn has come: then the server's time counts; but it is not tried again."""
        self.pool(serving(MAIL=["99|250 OK"]))
        self.send(wait=5)
        self.finish(300)
        self.assertEqual(self.results, [[Outcome(250, "2.0.0", "Queued")]])
        self.pool(serving(MAIL=SILENT))
        self.send(wait=5)
        self.finish(301)
        self.assertIsInstance(self.results[0], ServerTimeout)
        self.assertEqual(len(self.network.connections), 1)
        self.assert_nothing_left()

    def test_many_that_end_together(self) -> None:
        """Some are told in each turn of the reactor, the others in the next ones."""
        self.pool(serving(connect=SILENT), wait=5)
        self.send(1000)
        self.network.advance(1)
        self.network.rightNow += 10
        updates = [0]
        while not self.all_done():
            turn(self.network)
            updates.append(sum(result is not None for result in self.results))
        self.assertLessEqual(max(after - before for before, after in pairwise(updates)), _job.MOST_AT_ONCE)
        self.assertEqual({type(result) for result in self.results}, {QueueTimeout})
        self.assert_nothing_left()

    def test_no_trace_of_those_that_were_sent(self) -> None:
        """However long they might have waited."""
        self.pool(serving())
        for _ in range(30):
            self.send(20, wait=900)
            self.finish(10)
        self.assertLess(len(self.sender._pool._deadlines._heap), 2 * _job.MOST_AT_ONCE)
        self.assert_nothing_left()

    def test_what_makes_no_sense(self) -> None:
        for bad in ({"connections": 0}, {"messages": 0}, {"wait": -1}, {"idle": -1}):
            self.assertRaises(ValueError, SMTPSender, Clock(), "mx.example", **bad)


class CancelTests(PoolTestCase):
    """Who is cancelled leaves at once."""

    def test_from_the_queue(self) -> None:
        for silent in ({"connect": SILENT}, {"greeting": SILENT}, {"EHLO": SILENT}):
            self.pool(serving(**silent))
            sent = self.send(1000)
            self.network.advance(0.1)
            for each in sent:
                each.cancel()
            self.assertEqual({type(each) for each in self.results}, {CancelledError})
            self.network.advance(0.1)
            self.assertEqual(self.network.open_connections, [])
            self.assertEqual(self.network.getDelayedCalls(), [])
            self.assert_nothing_left()

    def test_underway(self) -> None:
        """The connection ends at once."""
        for silent in ("MAIL", "RCPT", "DATA", "final"):
            self.pool(serving(**{silent: SILENT}))
            [sent] = self.send()
            self.network.advance(0)
            self.network.run(lambda: self.network.seconds() > 1)
            sent.cancel()
            self.assertIsInstance(self.results[0], CancelledError)
            self.assertEqual(self.network.open_connections, [])
            self.assert_nothing_left()

    def test_behind_another(self) -> None:
        """That one is not disturbed.  What comes after one that is cancelled has another connection."""
        for first in (True, False):
            self.pool(serving(final="30|250 OK"), connections=1)
            sent = self.send(3)
            self.network.run(lambda: self.network.seconds() > 1)
            sent[0 if first else 1].cancel()
            self.finish(100)
            self.assertIsInstance(self.results.pop(0 if first else 1), CancelledError)
            self.assertEqual(self.results, [[Outcome(250, "2.0.0", "OK")]] * 2)
            self.assertEqual(len(set(self.network.taken)), len(self.network.taken))
            self.assertEqual(len(self.network.taken), 3 if first else 2)
            self.assert_nothing_left()

    def test_within_a_result(self) -> None:
        """It may cancel all others, send more, and close."""
        self.pool(ONE_THEN_421, connections=2)
        sent = self.send(10)

        def updates(_: Any) -> None:
            for each in sent:
                each.cancel()
            self.send(2)
            self.sender.close()

        sent[0].addCallback(updates)
        self.finish(30)
        self.assertEqual([type(each) for each in self.results], [list] + [CancelledError] * 9 + [list] * 2)
        self.assert_nothing_left()


class SentinelTests(PoolTestCase):
    """What is our own is not told by its text, which any server may say."""

    def test_a_server_that_says_what_we_say(self) -> None:
        for outcome in (SESSION_FULL, UNCERTAIN):
            for stage in ("MAIL", "RCPT", "DATA", "final"):
                with self.subTest(text=outcome.text, stage=stage):
                    said = f"{outcome.code} {outcome.enhanced} {outcome.text}"
                    self.pool(serving(**{stage: said}))
                    self.send(recipients=2)
                    self.finish(10)
                    [result] = self.results
                    expected = Outcome(outcome.code, outcome.enhanced, outcome.text)
                    self.assertEqual(result, [expected, expected])
                    self.assertNotIn(UNCERTAIN, result)
                    self.assertEqual(len(self.network.connections), 1)
                    self.assert_nothing_left()

    def test_uncertain(self) -> None:
        """It is equal to itself, and never sent again."""
        self.pool(serving(final=CLOSE))
        self.send(3)
        self.finish(10)
        self.assertEqual(self.results, [[UNCERTAIN]] * 3)
        self.assertEqual(len(set(self.network.taken)), len(self.network.taken))
        self.assert_nothing_left()


class GrowthTests(SynchronousTestCase):
    """When another connection may be opened."""

    def test_pauses(self) -> None:
        """They get longer, up to a limit, until there is room again."""
        clock = Clock()
        growth = _growth.Growth(clock, 5)
        self.assertTrue(growth.may_open(4))
        self.assertFalse(growth.may_open(5))
        self.assertIsNone(growth.due(5))
        for _ in range(3):  # that were begun together
            growth.failed(2)
        pauses = []
        while len(pauses) < 7:
            due = growth.due(2)
            assert due is not None
            pauses.append(due - clock.seconds())
            self.assertFalse(growth.may_open(2))
            self.assertTrue(growth.may_open(1))
            clock.advance(pauses[-1])
            self.assertTrue(growth.may_open(2))
            growth.begun(3)
            self.assertFalse(growth.may_open(3))
            growth.failed(2)
        self.assertEqual(pauses, [1, 2, 4, 8, 16, 30, 30])
        growth.begun(2)
        growth.succeeded()  # instead of one that has ended
        self.assertFalse(growth.may_open(2))
        clock.advance(30)
        growth.begun(3)
        growth.succeeded()
        self.assertFalse(growth.may_open(3))  # some servers welcome more than they serve
        growth.served()
        self.assertTrue(growth.may_open(3))
        growth.failed(3)
        self.assertEqual(growth.due(3), clock.seconds() + 1)

    def test_chances(self) -> None:
        """Of a server that has worked or is crowded.  Who comes when they are used up is not held back."""
        growth = _growth.Growth(Clock(), 5)
        self.assertFalse(growth.has_chance(is_crowded=False))
        for is_crowded in (True, False):
            self.assertEqual(
                [growth.has_chance(is_crowded=is_crowded) for _ in range(4)], [True] * 3 + [False]
            )
            growth.succeeded()
        growth.failed(0)
        self.assertFalse(growth.may_open(0))
        growth.gave_up()
        self.assertTrue(growth.may_open(0))


class OwnFaultTests(PoolTestCase):
    """An exception in our own code reaches the results, and frees connections."""

    def test_anywhere(self) -> None:
        """Once, at whatever the pool calls; every other message is sent."""
        places = [
            (_send_mail.SendJob, "take"),
            (_send_mail.SendJob, "renew"),
            (_job.Job, "fail"),
            (_job.Job, "finish"),
            (_send_mail.SendJob, "settle"),
            (_job.Job, "may_try_again"),
            (_growth.Growth, "may_open"),
            (_growth.Growth, "begun"),
            (_growth.Growth, "succeeded"),
            (_growth.Growth, "failed"),
            (_growth.Growth, "due"),
            (_pooled.PooledConnection, "__init__"),
            (_pooled.PooledConnection, "give"),
            (_pooled.PooledConnection, "leave"),
            (_pooled.PooledConnection, "gone"),
            (_pooled.PooledConnection, "_settle"),
            (_pooled.PooledConnection, "rest"),
            (_pooled.PooledConnection, "_wake"),
            (_pooled.PooledConnection, "_may_go_on"),
            (_pool.ClientPool, "_take_steps"),
            (_pool.ClientPool, "_give"),
            (_pool.ClientPool, "_make_room"),
            (_pool.ClientPool, "_open"),
            (_pool.ClientPool, "_use"),
            (_pool.ClientPool, "_failed"),
            (_pool.ClientPool, "_set_alarm"),
            (_pool.ClientPool, "_less_waits"),
            (_pool.ClientPool, "_again"),
            (_pool.ClientPool, "_others_serve"),
            (_pool.ClientPool, "_is_crowded"),
        ]
        limited = serving(
            EHLO="250-mx\r\n250-LIMITS RCPTMAX=1\r\n250 PIPELINING", MAIL=["250 OK", "421 No|close"]
        )
        for owner, name in places:
            for nth in (1, 2, 5):
                try:
                    self._fail_at(owner, name, nth, limited)
                except Exception as error:
                    raise AssertionError(f"{owner.__name__}.{name}, call {nth}: {error!r}") from error

    def test_a_message_that_cannot_be_read(self) -> None:
        """From the start, or in the middle: it is its own fault, and others are sent."""
        read: list[int] = []

        def failing(content: Content, where: slice) -> bytes:
            read.append(where.start)
            if len(read) > reads:
                raise error
            return b"x" * (where.stop - where.start)

        self.patch(Content, "__getitem__", failing)
        once = -(-4_000_000 // PIECE)  # pieces, of which each is looked at before any is sent
        for reads in (0, 1, once + 3):
            for error in (OSError(5, "Input/output error"), RuntimeError("no such luck")):
                read.clear()
                self.pool(serving(), connections=1)
                self.send()
                bad = self.sender.send(
                    "me@client.example", ["r0@mx.example"], Content.of_file("none", 4_000_000)
                )
                self.send(2)
                self.finish(30)
                self.assert_all_taken_once(3)
                if reads < once and isinstance(error, RuntimeError):  # while it was looked at
                    self.failureResultOf(bad, RuntimeError)
                else:
                    [outcome] = self.successResultOf(bad)
                    self.assertEqual((outcome.code, outcome.accepted), (451, False))
                    self.assertNotEqual(outcome, UNCERTAIN)
                self.assert_nothing_left()

    def test_in_the_client(self) -> None:
        """What it has not told when the connection ends, the pool tells."""
        self.pool(serving(MAIL=SILENT), connections=1)
        self.send(2)
        self.network.run(lambda: self.network.seconds() > 1)
        patch = self.patch(_transaction.Transaction, "fail", lambda *_, **__: 1 / 0)
        self.assertRaises(ZeroDivisionError, self.network.connections[0].drop)
        patch.restore()
        self.assertEqual([type(each) for each in self.results], [ConnectionLost] * 2)
        self.assert_nothing_left()

    def _fail_at(self, owner: type, name: str, nth: int, limited: Mapping[str, Any]) -> None:
        self.pool(
            lambda host, number: serving(connect=REFUSE) if number in (2, 9) else limited, connections=3
        )
        original, calls = getattr(owner, name), []

        def failing(*args: Any, **kwargs: Any) -> Any:
            calls.append(1)
            if len(calls) == nth:
                raise ZeroDivisionError
            return original(*args, **kwargs)

        patch = self.patch(owner, name, failing)
        sent = self.send(10, recipients=2)
        self.network.advance(0.001)
        sent[8].cancel()
        self.finish(2000)
        patch.restore()
        self.assertEqual(len(set(self.network.taken)), len(self.network.taken))
        self.send()
        self.finish(100)
        self.assertIsInstance(self.results[-1], list)
        self.assert_nothing_left()
        self.flushLoggedErrors(ZeroDivisionError)


REPLIES = {
    "connect": ["", "", "", REFUSE, SILENT],
    "greeting": [
        "220 mx",
        "220 mx",
        "220-mx\r\n220 x",
        "421 4.7.0 Full|close",
        "554 No",
        "354 What",
        CLOSE,
        SILENT,
    ],
    "EHLO": [
        "250-mx\r\n250 PIPELINING",
        "250-mx\r\n250 PIPELINING",
        "250 mx",
        "250-mx\r\n250-LIMITS RCPTMAX=1 MAILMAX=2\r\n250 PIPELINING",
        "250-mx\r\n250-LIMITS MAILMAX=1\r\n250 mx",
        "250 mx|close",
        "421 4.7.0 Go|close",
        "502 What?",
        CLOSE,
        SILENT,
    ],
    "MAIL": ["250 OK", "250 OK", "421 4.7.0 Go|close", "450 4.7.1 Later", "550 5.7.1 No", "250 OK|close"],
    "RCPT": [
        "250 OK",
        "250 OK",
        "451 4.5.0 " + SESSION_FULL.text,
        "452 4.5.3 Too many",
        "550 5.1.1 No",
        "421 Go",
    ],
    "DATA": ["354 Go", "354 Go", "421 Go|close", "451 4.3.0 Later", "250 What?", "20|354 Go"],
    "content": ["", "", "", CLOSE],
    ".": [
        "250 OK",
        "250 OK",
        "250 OK|close",
        "451 4.4.2 " + UNCERTAIN.text,
        "421 Go|close",
        "550 No",
        "90|250 OK",
    ],
    "RSET": ["250 OK", "500 What?"],
    "QUIT": ["221 Bye", SILENT],
}
ANYWHERE = [CLOSE, SILENT, GARBAGE]


def stage(name: str) -> st.SearchStrategy[Any]:
    """Mostly good answers, the first two times and later."""
    one = st.sampled_from(REPLIES[name] + ([] if name in ("connect", "content") else ANYWHERE))
    good = st.just(REPLIES[name][0])
    return one | good if name in ("connect", "content") else st.lists(one | good, min_size=1, max_size=3)


SCRIPTS = st.fixed_dictionaries(
    {name: stage(name) for name in REPLIES}, optional={"idle": st.sampled_from([0.05, 3, 20])}
)
SENDS = st.tuples(
    st.sampled_from([0, 0, 0, 0.03, 8, 40]),  # seconds after the one before
    st.integers(1, 3),  # recipients
    st.sampled_from([None, None, None, 0, 0.05, 0.1, 10]),  # seconds until it is cancelled
    st.sampled_from([900, 900, 0, 3, 60]),  # that it may wait
)


class AnyServerTests(PoolTestCase):
    """Whatever servers do and whenever senders change their minds."""

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        scripts=st.lists(SCRIPTS, min_size=1, max_size=4),
        sends=st.lists(SENDS, min_size=1, max_size=12),
        connections=st.integers(1, 3),
        messages=st.sampled_from([1, 2, 1000]),
        closes=st.booleans(),
    )
    def test_every_send_ends_once(
        self, scripts: list[Any], sends: list[Any], connections: int, messages: int, closes: bool
    ) -> None:
        self.pool(
            lambda host, number: scripts[number % len(scripts)],
            connections=connections,
            messages=messages,
            idle=10,
        )
        network, timers = self.network, []
        for gap, recipients, patience, wait in sends:
            if gap:
                network.callLater(gap, lambda: None)
                until = network.seconds() + gap
                network.run(lambda until=until: network.seconds() >= until)
            [sent] = self.send(recipients=recipients, wait=wait)
            if patience is not None:
                timers.append(network.callLater(patience, sent.cancel))
        if closes:
            self.sender.close()
        self.finish(6000)
        for timer in timers:
            if timer.active():
                timer.cancel()
        self.assert_nothing_left()
        for place, result in enumerate(self.results):
            self._check(result, [to for to, content in network.taken if b": %d\r" % place in content])

    def _check(self, result: Any, taken: list[str]) -> None:
        """``taken`` is what servers may have delivered of it, for all that the client knows."""
        self.assertEqual(len(set(taken)), len(taken), "delivered twice")
        if isinstance(result, list):
            for number, outcome in enumerate(result):
                was_taken = any(f"<r{number}@" in to for to in taken)
                if outcome.accepted:
                    self.assertTrue(was_taken)
                elif outcome != UNCERTAIN and was_taken:
                    self.fail(f"{outcome}, though it may be delivered")
        elif isinstance(result, ClientError):
            self.assertEqual(taken, [], result)
        else:
            self.assertIsInstance(result, CancelledError)
