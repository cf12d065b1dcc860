"""Many connections in one turn, over pairs of real sockets and a reactor that does what the test says."""

from __future__ import annotations

import gc
import os
import socket
import struct
import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any
from weakref import ref

from twisted.internet import tcp
from twisted.internet.defer import Deferred
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.pollreactor import PollReactor
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.selectreactor import SelectReactor
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailproto import _twisted_internals
from mailproto.connection import ServerConnection, ServerFactory, _line
from mailproto.connection._line import TURN, line_of
from mailproto.connection._turn import Turn, turn_of
from mailproto.connection.limits import Limits
from mailproto.errors import Unavailable
from tests.stepped_reactor import SteppedReactor, tcp_pair
from tests.test_connection import LineWire


class Echo(ServerConnection[bytes]):
    """Answers each line; of ``large`` with much, of ``bye`` with its end."""

    def __init__(self, factory: ServerFactory) -> None:
        super().__init__(factory)
        self.wire = LineWire()
        self.was_closed = False
        self.account: str | None = None

    @property
    def account_name(self) -> str | None:
        return self.account

    def handle(self, event: bytes) -> None:
        self.factory.heard.append(event)  # type: ignore[attr-defined]
        if event == b"bye":
            self.end(b"bye\n")
        else:
            self.write(b"x" * 4_000_000 if event == b"large" else event + b"\n")

    def answer(self, _: None, event: bytes) -> None:
        self.write(event + b"\n")

    def closed(self) -> None:
        self.was_closed = True


class TurnTestCase(SynchronousTestCase):
    """Connections over pairs of sockets."""

    def setUp(self) -> None:
        self.addCleanup(_twisted_internals.take_shortcuts, _twisted_internals.take_shortcuts(True))
        self.reactor = SteppedReactor()
        self.factory: Any = ServerFactory(self.reactor, limits=Limits())
        self.factory.heard = []  # type: ignore[attr-defined]
        self.pairs: list[tuple[socket.socket, Echo]] = []

    def tearDown(self) -> None:
        for client, protocol in self.pairs:
            client.close()
            protocol.abort()
        self.reactor.advance(100)
        self.assertEqual(self.reactor.readers, [], "nothing is watched that is gone")
        self.assertEqual([call for call in self.reactor.getDelayedCalls() if call.active()], [])

    def connect(self) -> tuple[socket.socket, Echo]:
        """A client's socket, and what serves it."""
        client, server = socket.socketpair()
        client.setblocking(False)
        protocol = Echo(self.factory)
        transport = tcp.Server(server, protocol, ("127.0.0.1", 1), None, 0, self.reactor)  # type: ignore[arg-type]
        transport.setTcpNoDelay = lambda enabled: None  # which such sockets do not know
        protocol.makeConnection(transport)
        self.pairs.append((client, protocol))
        return client, protocol

    def read(self, client: socket.socket) -> bytes:
        """What has come, without waiting."""
        try:
            return client.recv(1 << 22)
        except BlockingIOError:
            return b"(nothing)"


class TurnTests(TurnTestCase):
    def test_the_reactor_watches_one_descriptor_for_all(self) -> None:
        for _ in range(3):
            self.connect()
        [turn] = self.reactor.readers
        self.assertIsInstance(turn, Turn)
        self.assertEqual(len(turn.getReaders()), 3)

    def test_everything_is_read_before_anything_is_sent(self) -> None:
        (first, _), (second, _) = self.connect(), self.connect()
        first.send(b"1\n")
        second.send(b"2\n")
        seen: list[bytes] = []
        handle = Echo.handle

        def look(connection: Echo, event: bytes) -> None:
            seen.append(self.read(first) + self.read(second))
            handle(connection, event)

        self.patch(Echo, "handle", look)
        self.reactor.turn()
        self.assertEqual(seen, [b"(nothing)(nothing)"] * 2)
        self.assertEqual([self.read(first), self.read(second)], [b"1\n", b"2\n"])

    def test_what_is_written_between_turns_is_sent_at_once(self) -> None:
        client, protocol = self.connect()
        protocol.write(b"news\n")
        self.assertEqual(self.read(client), b"news\n")

    def test_what_does_not_fit_follows_when_there_is_room(self) -> None:
        client, protocol = self.connect()
        client.send(b"large\nsmall\n")
        self.reactor.turn()
        self.assertTrue(protocol.congested)
        received = b""
        while len(received) < 4_000_006:
            received += self.read(client)
            self.reactor.turn()
        self.assertEqual(received, b"x" * 4_000_000 + b"small\n")
        self.assertFalse(protocol.congested)

    def test_the_last_words_are_sent_before_the_end(self) -> None:
        client, protocol = self.connect()
        client.send(b"one\nbye\nnever heard\n")
        self.reactor.turn()
        self.assertEqual([self.read(client), self.read(client)], [b"one\nbye\n", b""])
        self.assertTrue(protocol.was_closed)
        self.assertEqual(self.factory.heard, [b"one", b"bye"])

    def test_a_client_that_hangs_up(self) -> None:
        client, protocol = self.connect()
        client.send(b"last\n")
        client.close()
        for _ in range(3):
            self.reactor.turn()
        self.assertEqual((self.factory.heard, protocol.was_closed), ([b"last"], True))

    def test_a_client_that_closes_its_side_gets_its_answers(self) -> None:
        """As ``nc -N`` does."""
        client, protocol = self.connect()
        working: Deferred[None] = Deferred()
        self.patch(Echo, "handle", lambda connection, event: working.addCallback(connection.answer, event))
        client.send(b"slow\nhalf a li")
        client.shutdown(socket.SHUT_WR)
        self.reactor.turn()
        self.reactor.turn()
        self.assertEqual((self.read(client), protocol.was_closed), (b"(nothing)", False))
        working.callback(None)
        self.reactor.turn()
        self.assertEqual((self.read(client), protocol.was_closed), (b"slow\n", True))

    def test_one_that_has_closed_its_side_and_resets_the_connection(self) -> None:
        """Nothing need be sent before that is noticed: a long command can end at once."""
        client, server = tcp_pair()
        protocol = Echo(self.factory)
        transport = tcp.Server(server, protocol, ("127.0.0.1", 1), None, 0, self.reactor)  # type: ignore[arg-type]
        protocol.makeConnection(transport)
        self.pairs.append((client, protocol))
        self.patch(Echo, "handle", lambda connection, event: Deferred())
        client.send(b"slow\n")
        client.shutdown(socket.SHUT_WR)
        for _ in range(5):
            self.reactor.turn()
        self.assertFalse(protocol.was_closed)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        for _ in range(5):
            self.reactor.turn()
        self.assertTrue(protocol.was_closed)
        turn: Any = transport.reactor
        self.assertEqual((turn._half_closed, turn._masks), (set(), {}))

    def test_as_long_as_it_reads_them(self) -> None:
        client, protocol = self.connect()
        client.send(b"large\n")
        client.shutdown(socket.SHUT_WR)
        received = b""
        while not protocol.was_closed:
            self.reactor.turn()
            self.reactor.advance(self.factory.limits.close_timeout / 2)
            received += self.read(client)
        client.setblocking(True)
        received += b"".join(iter(lambda: self.read(client), b""))
        self.assertEqual(received.replace(b"(nothing)", b""), b"x" * 4_000_000)

    def test_and_no_longer(self) -> None:
        client, protocol = self.connect()
        client.send(b"large\n")
        client.shutdown(socket.SHUT_WR)
        self.reactor.turn()
        self.reactor.turn()
        self.reactor.pump([self.factory.limits.idle, 0])
        self.assertTrue(protocol.was_closed)

    def test_one_that_another_one_ends_in_the_same_turn(self) -> None:
        (first, one), (second, two) = self.connect(), self.connect()
        both = {one: two, two: one}
        self.patch(Echo, "handle", lambda connection, event: both[connection].abort())
        first.send(b"end the other\n")
        second.send(b"end the other\n")
        self.reactor.turn()
        self.reactor.advance(0)
        self.assertEqual(sorted([one.was_closed, two.was_closed]), [False, True])

    def test_an_error_in_one_does_not_touch_the_others(self) -> None:
        (first, one), (second, two) = self.connect(), self.connect()
        self.patch(one, "dataReceived", lambda data: 1 / 0)
        first.send(b"1\n")
        second.send(b"2\n")
        self.reactor.turn()
        self.assertEqual(self.read(second), b"2\n")
        self.assertEqual((one.was_closed, two.was_closed), (True, False))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_what_is_no_exception_is_a_failure_too(self) -> None:
        """Such as asyncio's CancelledError."""
        (first, _), (second, two) = self.connect(), self.connect()
        refused: list[bool] = []
        self.patch(
            Echo, "refuse", lambda connection, event, error: refused.append(isinstance(error, Unavailable))
        )
        self.patch(two, "handle", lambda event: sys.exit())
        second.send(b"2\n")
        first.send(b"1\n")
        self.reactor.turn()
        self.assertEqual((self.read(first), refused), (b"1\n", [True]))
        self.assertEqual(len(self.flushLoggedErrors(SystemExit)), 1)

    def test_an_error_at_the_end_of_one_does_not_touch_the_others(self) -> None:
        (first, one), (second, _) = self.connect(), self.connect()
        self.patch(one, "connectionLost", lambda reason: sys.exit())
        first.close()
        second.send(b"2\n")
        for _ in range(3):
            self.reactor.turn()
        self.assertEqual(self.read(second), b"2\n")
        self.assertEqual(len(self.flushLoggedErrors(SystemExit)), 1)
        self.factory.forget(one)
        self.pairs = self.pairs[1:]
        one._timer.cancel()

    def test_who_cannot_be_let_go_of_is_forgotten_all_the_same(self) -> None:
        client, protocol = self.connect()
        self.patch(protocol, "closed", lambda: 1 / 0)
        client.close()
        self.reactor.turn()
        self.reactor.turn()
        self.assertEqual(self.factory.connections, set())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_the_reactor_ends(self) -> None:
        protocols = [self.connect()[1] for _ in range(3)]
        [turn] = self.reactor.readers
        turn.connectionLost(Failure(ConnectionLost()))
        self.assertEqual([protocol.was_closed for protocol in protocols], [True] * 3)
        self.assertEqual(self.reactor.readers, [])

    def test_the_reactor_is_asked_in_no_connection_s_context(self) -> None:
        """Some serve a descriptor in the context where it was added."""
        who: ContextVar[str] = ContextVar("who", default="nobody")
        _, protocol = self.connect()
        self.reactor.readers.clear()
        added_by: list[str] = []
        self.reactor.addReader = lambda reader: added_by.append(who.get())
        protocol.in_context(who.set, "ada")
        protocol.in_context(protocol.transport.pauseProducing)
        protocol.in_context(protocol.transport.resumeProducing)
        self.assertEqual(added_by, ["nobody"])

    def test_no_more_than_some_at_once(self) -> None:
        """The reactor has other duties too."""
        clients = [self.connect()[0] for _ in range(100)]
        for client in clients:
            client.send(b"hello\n")
        self.reactor.turn()
        self.assertEqual(len(self.factory.heard), 64)
        self.reactor.turn()
        self.assertEqual(len(self.factory.heard), 100)

    def costly(self, seconds: float) -> list[socket.socket]:
        """Ten clients that have sent a command, and each command costs so many seconds."""

        def handle(connection: Echo, event: bytes) -> None:
            self.reactor.rightNow += seconds
            self.factory.heard.append(event)

        self.patch(Echo, "handle", handle)
        clients = [self.connect()[0] for _ in range(10)]
        for number, client in enumerate(clients):
            client.send(b"%d\n" % number)
        return clients

    def test_no_longer_than_a_turn(self) -> None:
        """And those for which there was no time come before others."""
        clients = self.costly(TURN / 2.5)
        for count in (3, 6, 9):
            self.reactor.turn()
            self.assertEqual(len(self.factory.heard), count)
            clients[int(self.factory.heard[0])].send(b"again\n")
        self.reactor.turn()
        self.assertEqual(sorted(self.factory.heard[:10]), [b"%d" % number for number in range(10)])

    def test_a_single_command_does_not_wait_for_all_of_these(self) -> None:
        costly = self.costly(TURN / 2.5)
        self.reactor.turn()
        self.patch(Echo, "handle", lambda connection, event: self.factory.heard.append(event))
        client, _ = self.connect()
        client.send(b"NOOP\n")
        self.reactor.turn()
        self.assertIn(b"NOOP", self.factory.heard[: 3 + 2])
        self.assertEqual(len({*self.factory.heard}), 1 + len(costly))

    def long_and_short(self, *short: int) -> list[socket.socket]:
        """Twenty clients: these have sent a NOOP, and the others long commands, each of which takes a turn.

        Of the long ones, their numbers are heard.
        """

        def handle(connection: Echo, event: bytes) -> None:
            self.reactor.rightNow += TURN * 1.1 if len(event) > 100 else 0
            self.factory.heard.append(event.split()[0])

        self.patch(Echo, "handle", handle)
        clients = [self.connect()[0] for _ in range(20)]
        for number, client in enumerate(clients):
            client.send(b"NOOP\n" if number in short else b"%d %b\n" % (number, b"x" * 2000))
        return clients

    def test_nor_for_long_ones_of_the_same_moment(self) -> None:
        self.long_and_short(15, 19)
        for _ in range(3):
            self.reactor.turn()
        self.assertEqual(self.factory.heard.count(b"NOOP"), 2)
        self.assertLessEqual(len(self.factory.heard), 3 + 2)
        for _ in range(16):
            self.reactor.turn()
        self.assertEqual(len({*self.factory.heard}), 18 + 1)

    def test_nor_for_many_that_hang_up_at_the_same_moment(self) -> None:
        gone = [self.connect()[0] for _ in range(300)]
        client, _ = self.connect()
        for each in gone:
            each.close()
        client.send(b"NOOP\n")
        self.reactor.turn()
        self.reactor.turn()
        self.assertEqual(self.factory.heard, [b"NOOP"])
        closed = sum(protocol.was_closed for _, protocol in self.pairs)
        self.assertLess(closed, 129)
        for _ in range(4):
            self.reactor.turn()
        self.assertEqual(sum(protocol.was_closed for _, protocol in self.pairs), 300)

    def test_nor_do_long_ones_wait_for_all_short_ones(self) -> None:
        clients = self.long_and_short()
        self.reactor.turn()
        handle = Echo.handle
        seconds = TURN * 1.1

        def slowly(connection: Echo, event: bytes) -> None:
            self.reactor.rightNow += seconds if event == b"NOOP" else 0
            handle(connection, event)

        self.patch(Echo, "handle", slowly)
        long = len(clients) - 1
        for _ in range(4 * long):
            clients[int(self.factory.heard[0])].send(b"NOOP\n")
            self.reactor.turn()
        self.assertEqual(len({*self.factory.heard} - {b"NOOP"}), 1 + long)

    def strangers_and_others(self, strangers: int, others: int, seconds: float) -> list[socket.socket]:
        """Clients whose commands, all of the same length and of the same moment, take so many seconds.

        The others, which come last, have signed in.  Their numbers are heard.
        """

        def handle(connection: Echo, event: bytes) -> None:
            self.reactor.rightNow += seconds
            self.factory.heard.append(int(event))

        self.patch(Echo, "handle", handle)
        clients = [self.connect()[0] for _ in range(strangers + others)]
        for number, client in enumerate(clients):
            if number >= strangers:
                self.pairs[number][1].account = "ada"
            client.send(b"%d\n" % number)
        return clients

    def test_who_has_signed_in_does_not_wait_for_all_strangers(self) -> None:
        self.strangers_and_others(40, 1, TURN / 4)
        self.reactor.turn()
        self.assertNotIn(40, self.factory.heard)
        before = len(self.factory.heard)
        self.reactor.turn()
        self.assertEqual(self.factory.heard[before], 40)
        self.assertGreater(len(self.factory.heard), before + 3, "strangers have the time that is left")

    def test_nor_inside_tls(self) -> None:
        self.strangers_and_others(40, 1, TURN / 4)
        for _, protocol in self.pairs:
            protocol.transport.protocol = layer = Protocol()
            layer.wrappedProtocol = protocol  # type: ignore[attr-defined]
            layer.dataReceived = protocol.dataReceived  # type: ignore[method-assign]
            layer.connectionLost = protocol.connectionLost  # type: ignore[method-assign, assignment]
        self.reactor.turn()
        before = len(self.factory.heard)
        self.reactor.turn()
        self.assertEqual(self.factory.heard[before], 40)

    def test_strangers_have_half_of_a_turn(self) -> None:
        """However many others wait, and the others likewise."""
        clients = self.strangers_and_others(20, 20, TURN / 8)
        self.reactor.turn()
        for _ in range(5):
            again, self.factory.heard = self.factory.heard, []
            for number in again:
                clients[number].send(b"%d\n" % number)
            self.reactor.turn()
            strangers = sum(number < 20 for number in self.factory.heard)
            self.assertEqual((strangers, len(self.factory.heard)), (4, 8))

    def test_and_none_waits_for_ever(self) -> None:
        clients = self.strangers_and_others(20, 20, TURN / 8)
        heard = set()
        for _ in range(40):
            self.reactor.turn()
            again, self.factory.heard = self.factory.heard, []
            heard |= {*again}
            for number in again:
                clients[number].send(b"%d\n" % number)
        self.assertEqual(len(heard), 40)

    def test_no_more_of_both_than_of_all(self) -> None:
        self.strangers_and_others(100, 100, 0)
        for count in (64, 128, 192, 200):
            self.reactor.turn()
            self.assertEqual(len(self.factory.heard), count)

    def test_a_newcomer_comes_before_those_whose_every_other_command_is_slow(self) -> None:
        """As the first step of SCRAM is not."""
        clients = self.strangers_and_others(40, 0, 0.0009)
        rounds: list[int] = []

        def handle(connection: Echo, event: bytes) -> None:
            rounds.append(int(event))
            self.reactor.rightNow += 0.0009 if rounds.count(int(event)) % 2 else 0.0004

        self.patch(Echo, "handle", handle)
        newcomer, _ = self.connect()
        sent = 0
        for _ in range(30):
            self.reactor.turn()
            for number in rounds[sent:]:
                clients[number].send(b"%d\n" % number)
            sent = len(rounds)
        newcomer.send(b"99\n")
        self.reactor.turn()
        self.assertIn(99, rounds[sent : sent + 2])

    def test_one_that_was_slow_once_is_not_so_for_ever(self) -> None:
        clients = self.long_and_short()
        self.reactor.turn()
        once = clients[int(self.factory.heard[0])]
        for _ in range(2):
            once.send(b"NOOP\n")
            for _ in range(3):
                self.reactor.turn()
        self.assertEqual(self.factory.heard.count(b"NOOP"), 2)
        self.assertLessEqual(len(self.factory.heard), 1 + 2 * 3 + 2)

    def test_the_line_knows_whether_some_had_no_time(self) -> None:
        clients = self.costly(TURN / 2.5)
        for is_left in (True, True, True, False):
            self.reactor.turn()
            self.assertEqual(line_of(self.reactor).input_waits, is_left)
        self.assertEqual(len(self.factory.heard), len(clients))

    def test_the_work_of_turns_before_is_none_of_this_one(self) -> None:
        self.patch(_line, "thread_time", lambda: self.reactor.rightNow)
        for _ in range(2):
            self.costly(TURN * 2)
            self.reactor.turn()
            self.assertAlmostEqual(line_of(self.reactor).cpu_used(), TURN * 2)
            self.reactor.rightNow += 1  # for others

    def test_who_pipelines_has_only_a_share_of_it(self) -> None:
        """Of ten, and the rest waits in the line."""
        for client in self.costly(TURN / 40):
            client.send(b"more\n" * 100)
        began = self.reactor.rightNow
        self.reactor.turn()
        self.assertLessEqual(self.reactor.rightNow - began, TURN * 1.1)
        self.assertGreaterEqual(len({*self.factory.heard} - {b"more"}), 7)
        for _ in range(100):
            self.reactor.advance(0)
            self.reactor.turn()
        self.assertEqual(len(self.factory.heard), 10 + 10 * 100)

    def test_one_for_which_there_was_no_time_and_that_is_gone(self) -> None:
        clients = self.costly(TURN)
        self.reactor.turn()
        for client in clients:
            client.close()
        for _, protocol in self.pairs:
            protocol.abort()
        self.reactor.advance(0)
        self.reactor.turn()
        self.assertEqual(len(self.factory.heard), 1)

    def test_one_for_which_there_was_no_time_and_that_pauses(self) -> None:
        self.costly(TURN)
        self.reactor.turn()
        for _, protocol in self.pairs:
            protocol.transport.pauseProducing()
        self.reactor.turn()
        self.assertEqual(len(self.factory.heard), 1)

    def test_one_that_pauses_is_not_read(self) -> None:
        client, protocol = self.connect()
        protocol.transport.pauseProducing()
        client.send(b"wait\n")
        self.reactor.turn()
        self.assertEqual(self.factory.heard, [])
        protocol.transport.resumeProducing()
        self.reactor.turn()
        self.assertEqual(self.factory.heard, [b"wait"])


class OtherTransportTests(SynchronousTestCase):
    def test_what_has_no_descriptor_is_left_alone(self) -> None:
        self.assertIsNone(turn_of(object()))

    def test_a_clean_end_is_told_as_one(self) -> None:
        reactor, lost = SteppedReactor(), []

        class Client(Protocol):
            def connectionLost(self, reason: Failure = connectionDone) -> None:
                lost.append(reason.type)

        client, server = socket.socketpair()
        self.addCleanup(client.close)
        transport = tcp.Server(server, Client(), ("127.0.0.1", 1), None, 0, reactor)  # type: ignore[arg-type]
        turn_of(transport)
        client.shutdown(socket.SHUT_WR)
        reactor.turn()
        self.assertEqual(lost, [ConnectionDone])
        self.assertEqual(reactor.readers, [])


class LeakTests(SynchronousTestCase):
    """Reactors come and go, in tests most of all: nothing here keeps one."""

    def setUp(self) -> None:
        self.addCleanup(_twisted_internals.take_shortcuts, _twisted_internals.take_shortcuts(True))

    def serve(self, reactor: Any, *, end: bool = True) -> Any:
        """Have it serve a client of ours; a weak reference to what all its connections share."""
        client, server = tcp_pair()
        protocol = Echo(self.factory(reactor))
        transport = tcp.Server(server, protocol, ("127.0.0.1", 1), None, 0, reactor)
        protocol.makeConnection(transport)
        client.sendall(b"one\n")
        turn = protocol._turn
        self.assertIsInstance(turn, Turn)
        turn.doRead()
        client.setblocking(True)
        self.assertEqual(client.recv(10), b"one\n")
        client.close()
        if end:
            transport.connectionLost(Failure(ConnectionDone()))
        else:
            server.close()
        return ref(turn)

    def factory(self, reactor: Any) -> Any:
        factory: Any = ServerFactory(reactor, limits=Limits())
        factory.heard = []
        return factory

    def test_reactors_and_what_they_watch_are_freed(self) -> None:
        makers: dict[str, Callable[[], Any]] = {
            "stepped": SteppedReactor,
            "select": SelectReactor,
            "poll": PollReactor,
            "epoll": EPollReactor,
        }
        for name, make in makers.items():
            for end in (True, False):
                with self.subTest(name, end=end):
                    self.one(make, end=end)
                    before = descriptors()
                    gone = [each for _ in range(20) for each in self.one(make, end=end)]
                    gc.collect()
                    self.assertEqual([each() for each in gone], [None] * 40)
                    self.assertLessEqual(descriptors(), before)

    def one(self, make: Callable[[], Any], *, end: bool) -> tuple[Any, Any]:
        reactor = make()
        turn = self.serve(reactor, end=end)
        for each in getattr(reactor, "removeAll", list)():  # Twisted's own pipe, by which threads wake it
            each.connectionLost(Failure(ConnectionDone()))
        if waker := getattr(reactor, "waker", None):
            waker.connectionLost(Failure(ConnectionDone()))
        poll = getattr(reactor, "_poller", None)
        if hasattr(poll, "close"):
            poll.close()
        return ref(reactor), turn

    def test_one_turn_for_all_connections_of_a_reactor(self) -> None:
        """And an epoll that is kept while there are any."""
        reactor = SteppedReactor()
        before = descriptors()
        held = []
        for _ in range(5):
            client, server = tcp_pair()
            protocol = Echo(self.factory(reactor))
            transport = tcp.Server(server, protocol, ("127.0.0.1", 1), None, 0, reactor)  # type: ignore[arg-type]
            protocol.makeConnection(transport)
            held.append((client, transport, protocol))
        self.assertEqual(len({id(protocol._turn) for _, _, protocol in held}), 1)
        self.assertEqual(descriptors() - before, 11)
        while held:
            client, transport, protocol = held.pop()
            client.close()
            transport.connectionLost(Failure(ConnectionDone()))
        del client, server, protocol, transport
        gc.collect()
        self.assertEqual((descriptors(), reactor.readers), (before, []))


def descriptors() -> int:
    """How many files this process has open."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))
