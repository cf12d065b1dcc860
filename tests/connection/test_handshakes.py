"""How many TLS handshakes are under way at the same time."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.connection._handshake import LEAST, Handshakes
from mailproto.connection.limits import Limits
from tests.connection.test_server_tls import TLSTestCase


class Stranger:
    """A connection whose handshake is done when the test says so."""

    def __init__(self) -> None:
        self.is_in_handshake = True
        self.is_given_up = False

    def give_up_handshake(self) -> None:
        self.is_given_up = True


class HandshakesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.handshakes = Handshakes[Stranger](self.clock, 3)
        self.first, *self.others = (Stranger() for _ in range(3))
        for each in (self.first, *self.others):
            self.assertTrue(self.handshakes.add(each))

    def test_one_more_has_to_go(self) -> None:
        self.assertFalse(self.handshakes.add(Stranger()))
        self.clock.advance(LEAST - 0.1)
        self.assertFalse(self.handshakes.add(Stranger()))
        self.assertFalse(self.first.is_given_up)

    def test_or_the_first_if_it_has_had_its_time(self) -> None:
        self.clock.advance(LEAST)
        self.assertTrue(self.handshakes.add(Stranger()))
        self.assertEqual([each.is_given_up for each in (self.first, *self.others)], [True, False, False])
        self.assertEqual(len(self.handshakes), 3)

    def test_those_that_are_done_do_not_count(self) -> None:
        for each in self.others:
            each.is_in_handshake = False
        self.assertTrue(self.handshakes.add(Stranger()))
        self.assertTrue(self.handshakes.add(Stranger()))
        self.assertFalse(self.handshakes.add(Stranger()))
        self.first.is_in_handshake = False
        self.assertTrue(self.handshakes.add(Stranger()))
        self.assertFalse(self.first.is_given_up)

    def test_nor_those_that_have_left(self) -> None:
        self.handshakes.forget(self.first)
        self.handshakes.forget(self.first)
        self.assertTrue(self.handshakes.add(Stranger()))


class ConnectionTests(TLSTestCase):
    def test_a_stranger_that_does_not_go_on_leaves_its_place_to_others(self) -> None:
        self.factory = type(self.factory)(self.clock, limits=Limits(handshakes=1), tls=self.tls)
        self.connect()
        first = self.transport
        self.connect()
        self.assertTrue(self.is_gone)
        self.assertFalse(first.disconnecting or first.disconnected)
        self.clock.advance(LEAST)
        self.connect()
        self.assertTrue(first.disconnecting or first.disconnected)
        self.shake_hands()
        self.assertEqual(self.client.read(), b"hello\n")
