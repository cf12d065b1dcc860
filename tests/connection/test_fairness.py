"""No connection keeps the reactor from the others.  Work costs what a test says, on a clock of its own."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.connection import ConnectionOver, ServerConnection, ServerFactory, _line
from mailproto.connection._line import BRIEFLY, BUSY_TURN, TURN, line_of
from mailproto.connection.limits import Limits
from mailproto.observing import Observer, Stalled
from mailproto.testing import MemoryTransport
from tests.test_connection import LineWire

COST = BRIEFLY * 0.75
"""Of a command, in seconds."""


class SteppedClock(Clock):
    """A clock whose calls are made one turn at a time."""

    def turn(self) -> float:
        """Make the calls that are due, but none that they add; returns how long that took."""
        began = self.rightNow
        due = [call for call in self.calls if call.getTime() <= began]
        for call in due:
            self.calls.remove(call)
            call.called = 1
            call.func(*call.args, **call.kw)
        return self.rightNow - began


class Worker(ServerConnection[bytes]):
    """Each command costs time, and is answered by itself."""

    factory: Any

    def __init__(self, factory: ServerFactory) -> None:
        super().__init__(factory)
        self.wire = LineWire()
        self.name: str | None = None
        self.handled = 0
        self.failures: list[BaseException] = []

    @property
    def account_name(self) -> str | None:
        return self.name

    def handle(self, event: bytes) -> Awaitable[None] | None:
        clock = self.factory.clock
        self.handled += 1
        if event == b"long":
            return self.long()
        if event == b"stall":
            clock.rightNow += 0.06
        elif event == b"wait":
            return self.wait()
        else:
            clock.rightNow += COST
        self.write(event + b"\n")
        return None

    async def long(self) -> None:
        """A hundred commands' worth."""
        try:
            async for _ in self.in_batches(range(200), 2):
                self.factory.clock.rightNow += COST
        except BaseException as error:
            self.failures.append(error)
            raise
        self.write(b"done\n")

    async def wait(self) -> None:
        self.waiting: Deferred[None] = Deferred()
        await self.waiting
        self.factory.clock.rightNow += 0.07
        self.write(b"waited\n")

    def describe(self, event: bytes) -> str:
        return event.decode().upper()


class FairnessTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = SteppedClock()
        self.told: list[Stalled] = []
        told = self.told

        class Meter(Observer):
            def stalled(self, event: Stalled) -> None:
                told.append(event)

        self.factory = ServerFactory(
            self.clock, limits=Limits(pipelined=1000), observer=Meter(), mail_log=False
        )

    def connect(self, name: str | None = None) -> tuple[MemoryTransport, Worker]:
        server = Worker(self.factory)
        server.name = name
        return MemoryTransport(server), server

    def cost(self, transport: MemoryTransport, data: bytes) -> float:
        """For how long it holds the reactor to receive ``data``."""
        began = self.clock.rightNow
        transport.send(data)
        return self.clock.rightNow - began

    def finish(self, *transports: MemoryTransport) -> list[bytes]:
        """Everything that comes in the turns that are needed."""
        for _ in range(10_000):
            if not any(call.getTime() <= self.clock.rightNow for call in self.clock.calls):
                break
            self.assertLessEqual(self.clock.turn(), TURN + 2 * BRIEFLY)
        return [transport.read() for transport in transports]


class PipeliningTests(FairnessTestCase):
    def test_one_client_gets_a_turn_s_time_and_then_waits(self) -> None:
        transport, server = self.connect()
        self.assertLessEqual(self.cost(transport, b"x\n" * 400), TURN + BRIEFLY)
        self.assertLess(server.handled, 40)
        self.assertEqual(self.finish(transport), [b"x\n" * 400])

    def test_many_clients_share_it(self) -> None:
        clients = [self.connect() for _ in range(100)]
        cost = sum(self.cost(transport, b"x\n" * 100) for transport, _ in clients)
        self.assertLessEqual(cost, 2 * TURN + 100 * 2 * BRIEFLY)
        replies = self.finish(*[transport for transport, _ in clients])
        self.assertEqual(replies, [b"x\n" * 100] * 100)

    def test_in_the_line_each_one_gets_its_share(self) -> None:
        clients = [self.connect() for _ in range(10)]
        for transport, _ in clients:
            transport.send(b"x\n" * 400)
        before = [server.handled for _, server in clients]
        for _ in range(20):
            self.clock.turn()
        had = [server.handled - number for number, (_, server) in zip(before, clients, strict=True)]
        self.assertLessEqual(max(had) - min(had), 12)
        self.assertGreater(min(had), 30)

    def test_who_comes_with_one_command_does_not_wait(self) -> None:
        flood = [self.connect() for _ in range(100)]
        for transport, _ in flood:
            transport.send(b"x\n" * 400)
        for _ in range(5):
            self.clock.turn()
            transport, _ = self.connect()
            transport.send(b"hello\n")
            self.assertEqual(transport.read(), b"hello\n")

    def test_who_has_signed_in_does_not_wait_for_all_strangers(self) -> None:
        strangers = [self.connect() for _ in range(100)]
        for transport, _ in strangers:
            transport.send(b"x\n" * 400)
        ada, _ = self.connect("ada")
        ada.send(b"x\n" * 100)
        turns = 0
        while ada.read().count(b"x") or turns < 2:
            self.clock.turn()
            turns += 1
            self.assertLess(turns, 20)

    def test_what_comes_in_the_meantime_waits_its_turn_and_the_order_is_kept(self) -> None:
        transport, server = self.connect()
        sent = [b"%d\n" % number for number in range(120)]
        for start in range(0, 120, 40):
            transport.send(b"".join(sent[start : start + 40]))
        self.assertLess(server.handled, 60)
        self.assertEqual(self.finish(transport), [b"".join(sent)])

    def test_much_input_is_not_read_meanwhile(self) -> None:
        transport, _ = self.connect()
        transport.send(b"x\n" * 400)
        transport.send(b"x\n" * 400)
        self.assertFalse(transport.is_reading)
        self.assertEqual(self.finish(transport), [b"x\n" * 800])
        self.assertTrue(transport.is_reading)

    def test_a_client_that_hangs_up_has_its_queued_commands_dropped(self) -> None:
        transport, server = self.connect()
        transport.send(b"x\n" * 400)
        handled = server.handled
        transport.drop()
        self.finish()
        self.assertEqual(server.handled, handled)

    def test_one_that_does_not_read_loses_no_command(self) -> None:
        """Its turn may come while nothing can be written."""
        transport, server = self.connect()
        transport.capacity = 10
        transport.send(b"x\n" * 400)
        while transport.is_open and server.handled < 400:
            self.clock.turn()
            if server.congested:
                self.clock.turn()
                transport.read()
        self.assertEqual(server.handled, 400)

    def test_one_that_closes_its_side_gets_its_replies(self) -> None:
        """As after a pipelined QUIT (RFC 2920 3.1), and as ``nc -N`` does."""
        transport, server = self.connect()
        transport.send(b"x\n" * 400)
        server.readConnectionLost()
        self.assertTrue(transport.is_open)
        [replies] = self.finish(transport)
        self.assertEqual((replies, transport.is_open), (b"x\n" * 400, False))

    def test_a_server_that_stops_does_not_handle_what_waits(self) -> None:
        transport, server = self.connect()
        transport.send(b"x\n" * 400)
        handled = server.handled
        self.factory.shut_down()
        self.finish(transport)
        self.assertEqual((server.handled, transport.is_open), (handled, False))

    def test_a_clock_that_is_set_back_gives_nobody_more_time(self) -> None:
        transport, server = self.connect()
        handle = server.handle

        def set_back(event: bytes) -> Awaitable[None] | None:
            if server.handled == 3:
                self.clock.rightNow -= 3600
            return handle(event)

        self.patch(server, "handle", set_back)
        transport.send(b"x\n" * 400)
        self.assertLess(server.handled, 80)


class BreatheTests(FairnessTestCase):
    def test_a_long_handler_takes_turns(self) -> None:
        transport, _ = self.connect()
        self.assertLessEqual(self.cost(transport, b"long\nx\n"), TURN + BRIEFLY)
        self.assertEqual(transport.read(), b"")
        self.assertEqual(self.finish(transport), [b"done\nx\n"])
        self.assertEqual(self.told, [])

    def test_a_hundred_of_them(self) -> None:
        transport, _ = self.connect()
        self.assertLessEqual(self.cost(transport, b"long\n" * 100), TURN + BRIEFLY)
        self.assertEqual(self.finish(transport), [b"done\n" * 100])

    def test_it_ends_with_the_connection_and_nobody_is_told(self) -> None:
        transport, server = self.connect()
        refused: list[Any] = []
        self.patch(server, "refuse", lambda *arguments: refused.append(arguments))
        transport.send(b"long\n" * 100)
        transport.drop()
        self.finish()
        self.assertEqual(([type(error) for error in server.failures], refused), ([ConnectionOver], []))
        self.assertEqual(server.handled, 1)

    def test_a_short_one_does_not_wait(self) -> None:
        _, server = self.connect()
        breathing = server.breathe()
        with self.assertRaises(StopIteration):
            breathing.send(None)


class LineTests(SynchronousTestCase):
    def test_one_line_for_a_reactor(self) -> None:
        clock = Clock()
        line = line_of(clock)
        self.assertIs(line_of(clock), line)
        self.assertIsNot(line_of(Clock()), line)

    def test_an_error_stops_nobody(self) -> None:
        clock, called = Clock(), list[int]()
        line = line_of(clock)
        line.wait(lambda: 1 / 0, is_stranger=True)
        line.wait(lambda: called.append(1), is_stranger=True)
        clock.advance(0)
        self.assertEqual(called, [1])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_it_is_short_while_new_input_waits(self) -> None:
        """Otherwise a single command behind a hundred floods would wait for the line again and again."""
        clock = SteppedClock()
        line = line_of(clock)

        def work() -> None:
            clock.rightNow += BUSY_TURN / 10
            line.wait(work, is_stranger=True)

        for _ in range(100):
            line.wait(work, is_stranger=True)
        for line.input_waits, expected in ((True, BUSY_TURN), (False, TURN)):
            self.assertAlmostEqual(clock.turn(), expected, delta=BUSY_TURN / 5)

    def test_strangers_have_half_of_the_time(self) -> None:
        clock, order = SteppedClock(), list[str]()
        line = line_of(clock)
        for number in range(6):
            line.wait(lambda: order.append("stranger"), is_stranger=True)
            if number % 3 == 0:
                line.wait(lambda: order.append("ada"), is_stranger=False)
        clock.turn()
        self.assertEqual(order[:4].count("ada"), 2)
        self.assertEqual(len(order), 8)


class StallTests(FairnessTestCase):
    def test_a_command_that_stalls(self) -> None:
        transport, server = self.connect("ada")
        transport.send(b"x\nstall\nx\n")
        [event] = self.told
        self.assertEqual((event.command, event.client.account), ("STALL", "ada"))
        self.assertEqual(event.client.connection, server.number)
        self.assertAlmostEqual(event.seconds, 0.06 + COST)
        self.assertEqual(self.factory.stalls, 1)

    def test_one_that_had_to_wait_first(self) -> None:
        transport, server = self.connect()
        transport.send(b"wait\n")
        server.waiting.callback(None)
        self.assertEqual([event.command for event in self.told], ["WAIT"])
        self.assertAlmostEqual(self.told[0].seconds, 0.07)

    def test_something_else(self) -> None:
        """Such as a timer, or what a session does at its end."""

        def slow() -> None:
            self.clock.rightNow += 1

        transport, server = self.connect()
        self.patch(server, "closed", slow)
        transport.drop()
        self.assertEqual([(event.command, event.seconds) for event in self.told], [("", 1)])

    def test_it_tells_work_from_waiting(self) -> None:
        for share in (0.0, 0.25, 1.0):  # of the time in which the reactor's thread has a processor
            self.patch(_line, "thread_time", lambda share=share: self.clock.rightNow * share)
            transport, _ = self.connect()
            transport.send(b"x\nstall\n")
            event = self.told.pop()
            self.assertAlmostEqual(event.seconds, 0.06 + COST)
            self.assertAlmostEqual(event.cpu_seconds, (0.06 + COST) * share)

    def test_work_is_not_more_than_all(self) -> None:
        """A turn's other connections have worked before."""
        self.patch(_line, "thread_time", lambda: self.clock.rightNow * 2)
        transport, _ = self.connect()
        transport.send(b"stall\n")
        self.assertEqual(self.told[0].cpu_seconds, self.told[0].seconds)

    def test_many_quick_commands_do_not_stall(self) -> None:
        transport, _ = self.connect()
        transport.send(b"x\n" * 1000)
        self.finish(transport)
        self.assertEqual((self.told, self.factory.stalls), ([], 0))
