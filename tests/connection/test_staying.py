"""The turn stays for a moment if a command is expected: over pairs of real sockets, when the test says so."""

from __future__ import annotations

from itertools import pairwise

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.connection._line import line_of
from mailproto.connection._staying import LOOKS, MOMENT, MOST_RESTS, STAY, Stay
from mailproto.connection._turn import MOST
from mailproto.testing import MemoryTransport
from tests.connection.test_turn import Echo, TurnTestCase

READY = [(7, 1)]


class Epoll:
    """Has nothing, but what comes at the look that a test names."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.looks = 0
        self.comes_at = 0  # that look
        self.takes = 0.0

    def poll(self, timeout: float, most: int) -> list[tuple[int, int]]:
        assert timeout == 0, "it would hold the reactor"
        self.looks += 1
        self.clock.advance(self.takes)
        return READY if self.looks == self.comes_at else []


class StayTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.epoll = Epoll(self.clock)
        self.stay = Stay(self.clock, self.epoll)

    def look(self, *, comes_at: int = 0) -> int:
        """How often it looked."""
        self.epoll.looks, self.epoll.comes_at = 0, comes_at
        found = self.stay.look(self.clock.seconds() + STAY, MOST)
        self.assertEqual(found, READY if comes_at else [])
        return self.epoll.looks

    def test_what_comes_soon_is_found(self) -> None:
        self.assertEqual([self.look(comes_at=look) for look in (1, 20, LOOKS)], [1, 20, LOOKS])

    def test_it_looks_no_longer_than_a_moment(self) -> None:
        self.epoll.takes = MOMENT / 4
        self.assertEqual(self.look(), 4)

    def test_it_looks_only_so_often(self) -> None:
        """If the clock stands still."""
        self.assertEqual(self.look(), LOOKS)

    def test_not_if_the_time_is_up(self) -> None:
        self.assertEqual((self.stay.look(self.clock.seconds(), MOST), self.epoll.looks), ([], 0))

    def test_after_moments_in_vain_it_rests_longer_and_longer(self) -> None:
        looks = [bool(self.look()) for _ in range(400)]
        tries = [at for at, looked in enumerate(looks) if looked]
        rests = [after - before - 1 for before, after in pairwise(tries)]
        self.assertEqual(rests, [1, 3, 7, 15, 31, *[MOST_RESTS] * 5])

    def test_success_ends_the_rests(self) -> None:
        looks = [self.look() for _ in range(4)]  # one rest, then the next would be three
        self.assertEqual([bool(each) for each in looks], [True, False, True, False])
        self.assertEqual([self.look(), self.look()], [0, 0])
        self.assertEqual([self.look(comes_at=2) for _ in range(5)], [2] * 5)
        self.assertEqual([bool(self.look()) for _ in range(3)], [True, False, True])


class StayingTurnTests(TurnTestCase):
    """Of a connection that expects another line after each."""

    def setUp(self) -> None:
        super().setUp()
        self.seen: list[bytes] = []  # by the client, when a connection prepares what is next
        self.sends: list[bytes] = []  # what the client sends then
        self.client, self.protocol = self.connect()
        handle = Echo.handle

        def expect(connection: Echo, event: bytes) -> None:
            handle(connection, event)
            connection.when_sent(self.prepare)

        self.patch(Echo, "handle", expect)

    def prepare(self) -> None:
        self.seen.append(self.read(self.client))
        if self.sends:
            self.client.send(self.sends.pop(0))

    def turn(self, line: bytes) -> list[bytes]:
        """The lines that are heard in one turn of the reactor, after the client has sent ``line``."""
        self.factory.heard.clear()
        self.client.send(line)
        self.reactor.turn()
        return list(self.factory.heard)

    def test_the_next_one_is_served_in_the_same_turn(self) -> None:
        self.sends = [b"2\n", b"3\n"]
        self.assertEqual(self.turn(b"1\n"), [b"1", b"2", b"3"])
        self.assertEqual(self.seen, [b"1\n", b"2\n", b"3\n"], "each reply was sent before")

    def test_nobody_is_looked_for_if_nothing_is_expected(self) -> None:
        self.patch(Echo, "handle", lambda connection, event: self.factory.heard.append(event))
        self.patch(Stay, "look", lambda *arguments: self.fail("looked"))
        self.assertEqual(self.turn(b"1\n"), [b"1"])

    def test_what_is_for_others_is_served_too(self) -> None:
        other, _ = self.connect()
        self.patch(self, "prepare", lambda: other.send(b"other\n") if self.factory.heard == [b"1"] else None)
        self.assertEqual(self.turn(b"1\n"), [b"1", b"other"])

    def test_the_reactor_s_other_work_does_not_wait_long(self) -> None:
        prepare = self.prepare

        def slowly() -> None:
            self.reactor.rightNow += STAY / 3
            prepare()

        self.patch(self, "prepare", slowly)
        self.sends = [b"more\n"] * 20
        self.assertEqual(len(self.turn(b"1\n")), 3)

    def test_nor_if_many_prepare_what_is_next(self) -> None:
        others = [self.connect()[0] for _ in range(9)]
        prepared: list[int] = []

        def slowly() -> None:
            self.reactor.rightNow += STAY / 3
            prepared.append(1)

        self.patch(self, "prepare", slowly)
        for other in others:
            other.send(b"1\n")
        self.assertEqual(self.turn(b"1\n"), [b"1"] * 10)
        self.assertEqual(len(prepared), 3)

    def test_nor_do_connections_in_the_line(self) -> None:
        self.sends = [b"2\n"]
        line_of(self.reactor).wait(lambda: None, is_stranger=False)
        self.assertEqual(self.turn(b"1\n"), [b"1"])
        self.reactor.advance(0)

    def test_what_is_more_than_a_turn_waits_for_the_next_one(self) -> None:
        """An order is needed."""
        clients = [self.connect()[0] for _ in range(MOST)]
        self.patch(self, "prepare", lambda: [client.send(b"all\n") for client in clients])
        self.assertEqual(self.turn(b"1\n"), [b"1"])

    def test_an_error_does_no_harm(self) -> None:
        self.patch(self, "prepare", lambda: 1 / 0)
        self.assertEqual(self.turn(b"1\n"), [b"1"])
        self.assertEqual(self.read(self.client), b"1\n")
        self.assertEqual(self.turn(b"2\n"), [b"2"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_nothing_is_prepared_outside_of_turns(self) -> None:
        """There, the client's next line could not be served at once."""
        transport = MemoryTransport(Echo(self.factory))
        transport.send(b"1\n")
        self.assertEqual((transport.read(), self.seen), (b"1\n", []))
        transport.drop()
