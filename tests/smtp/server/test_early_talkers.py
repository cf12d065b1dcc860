"""Who talks before the greeting does not listen (RFC 5321 4.3.1)."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.auth import password_portal
from mailproto.smtp import SMTPServerFactory
from mailproto.smtp.limits import SMTPLimits
from mailproto.smtp.lmtp import LMTPServerFactory
from mailproto.testing import ELSEWHERE, LOOPBACK, MemoryTransport
from tests.smtp.server.dialogue import FakeDelivery

PORTAL = password_portal({"alice": "secret"})
GREETING = b"220 mx.example ESMTP mailproto\r\n"
TOO_EARLY = b"554 5.5.1 You talk before you are greeted\r\n"


class EarlyTalkerTests(SynchronousTestCase):
    factory_class: type[SMTPServerFactory] = SMTPServerFactory

    def connect(self, peer: str = ELSEWHERE, **settings: Any) -> MemoryTransport:
        self.clock = Clock()
        self.factory = self.factory_class(FakeDelivery(), clock=self.clock, hostname="mx.example", **settings)
        return MemoryTransport(self.factory.buildProtocol(None), peer)

    def test_a_client_that_waits_is_greeted(self) -> None:
        transport = self.connect()
        self.clock.advance(1.9)
        self.assertEqual(transport.read(), b"")
        self.clock.advance(0.2)
        self.assertEqual(transport.read(), GREETING)
        transport.send(b"NOOP\r\n")
        self.assertEqual(transport.read(), b"250 2.0.0 OK\r\n")

    def test_one_that_does_not_is_sent_away(self) -> None:
        for data in (b"EHLO a\r\n", b"E", b"\r\n", b"\x16\x03\x01", b"EHLO a\r\nMAIL FROM:<a@b>\r\nDATA\r\n"):
            for piece in (0, 1):
                with self.subTest(data=data, piece=piece):
                    transport = self.connect()
                    transport.send(data, piece)
                    self.assertEqual(transport.read(), b"")
                    self.clock.advance(2)
                    self.assertEqual(transport.read(), TOO_EARLY)
                    self.assertFalse(transport.is_open)
                    self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_it_says_is_not_kept_without_end(self) -> None:
        transport = self.connect()
        for _ in range(100):
            transport.send(b"x" * 10_000)
        self.assertFalse(transport.is_reading)
        self.clock.advance(2)
        self.assertEqual(transport.read(), TOO_EARLY)

    def test_clients_on_this_machine_are_greeted_at_once(self) -> None:
        self.assertEqual(self.connect(LOOPBACK).read(), GREETING)

    def test_unless_the_wait_is_set(self) -> None:
        transport = self.connect(LOOPBACK, limits=SMTPLimits(greeting_wait=1))
        transport.send(b"EHLO a\r\n")
        self.clock.advance(1)
        self.assertEqual(transport.read(), TOO_EARLY)

    def test_so_are_those_who_submit(self) -> None:
        self.assertEqual(self.connect(portal=PORTAL, submission=True).read(), GREETING)
        self.assertEqual(self.connect(portal=PORTAL, auth_required=True).read(), GREETING)

    def test_how_long_is_a_setting(self) -> None:
        transport = self.connect(submission=True, portal=PORTAL, limits=SMTPLimits(greeting_wait=10))
        self.clock.advance(9)
        self.assertEqual(transport.read(), b"")
        self.clock.advance(1)
        self.assertEqual(transport.read(), GREETING)
        self.assertEqual(self.connect(limits=SMTPLimits(greeting_wait=0)).read(), GREETING)

    def test_gone_before_the_greeting(self) -> None:
        transport = self.connect()
        transport.drop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_server_stops_before_the_greeting(self) -> None:
        transport = self.connect()
        self.factory.shut_down()
        self.clock.advance(2)
        self.assertEqual(transport.read(), b"421 4.3.2 mx.example shutting down, closing connection\r\n")


class LMTPTests(SynchronousTestCase):
    def test_greeted_at_once(self) -> None:
        factory = LMTPServerFactory(FakeDelivery(), clock=Clock(), hostname="mx.example")
        transport = MemoryTransport(factory.buildProtocol(None), ELSEWHERE)
        self.assertEqual(transport.read(), b"220 mx.example LMTP mailproto\r\n")
