"""Limits on strangers from the network do not surprise a test with a transport in memory."""

from __future__ import annotations

from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport, StringTransportWithDisconnection
from twisted.protocols.policies import WrappingFactory
from twisted.test import iosim
from twisted.trial.unittest import SynchronousTestCase

from mailproto.imap import IMAPServerFactory
from mailproto.pop3 import POP3ServerFactory
from mailproto.smtp import SMTPServerFactory
from mailproto.smtp.limits import SMTPLimits
from mailproto.smtp.lmtp import LMTPServerFactory
from mailproto.testing import ELSEWHERE, MemoryTransport
from tests.smtp.server.dialogue import FakeDelivery, Realm


def portal() -> Portal:
    return Portal(Realm(), [InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret")])


GREETING = b"220 mx.example ESMTP mailproto\r\n"


class FakeTransportTests(SynchronousTestCase):
    def factory(self, **settings: Any) -> SMTPServerFactory:
        return SMTPServerFactory(FakeDelivery(), clock=Clock(), hostname="mx.example", **settings)

    def test_string_transports_are_greeted_at_once(self) -> None:
        """Their peer is 192.168.1.1, which is not on this machine."""
        for transport in (StringTransport(), StringTransportWithDisconnection()):
            self.factory().buildProtocol(None).makeConnection(transport)
            self.assertEqual(transport.value(), GREETING)

    def test_so_is_the_other_end_of_a_pump(self) -> None:
        heard: list[bytes] = []

        class Client(Protocol):
            def dataReceived(self, data: bytes) -> None:
                heard.append(data)

        for make_transport in (iosim.makeFakeServer, lambda each: iosim.FakeTransport(each, True)):
            factory = self.factory()
            client, _, pump = iosim.connectedServerAndClient(
                lambda factory=factory: factory.buildProtocol(None),  # type: ignore[misc]
                Client,
                serverTransportFactory=make_transport,
            )
            client.transport.write(b"QUIT\r\n")
            pump.flush()
            self.assertEqual(b"".join(heard), GREETING + b"221 2.0.0 mx.example closing connection\r\n")
            heard.clear()

    def test_every_protocol_greets(self) -> None:
        clock = Clock()
        for factory in (
            LMTPServerFactory(FakeDelivery(), clock=clock, hostname="mx.example"),
            POP3ServerFactory(portal(), clock=clock, hostname="mx.example"),
            IMAPServerFactory(portal(), clock=clock, hostname="mx.example"),
        ):
            transport = StringTransport()
            factory.buildProtocol(None).makeConnection(transport)
            self.assertTrue(transport.value())

    def test_they_are_not_too_many_from_one_address(self) -> None:
        factory = self.factory()
        for _ in range(300):
            transport = StringTransport()
            factory.buildProtocol(None).makeConnection(transport)
            self.assertEqual(transport.value(), GREETING)

    def test_limits_that_are_set_hold(self) -> None:
        factory = self.factory(limits=SMTPLimits(greeting_wait=1, connections_per_peer=1))
        first, second = StringTransport(), StringTransport()
        factory.buildProtocol(None).makeConnection(first)
        self.assertEqual(first.value(), b"")
        factory.clock.advance(1)  # type: ignore[attr-defined]
        self.assertEqual(first.value(), GREETING)
        factory.buildProtocol(None).makeConnection(second)
        self.assertIn(b"421 ", second.value())

    def test_such_a_peer_is_not_on_this_machine(self) -> None:
        """It may be the end of a tunnel that somebody wrote: no password is taken in clear."""
        server = self.factory(portal=portal()).buildProtocol(None)
        transport = StringTransport()
        server.makeConnection(transport)
        server.dataReceived(b"EHLO client.example\r\n")
        self.assertNotIn(b"PLAIN", transport.value())
        self.assertFalse(server.is_local)

    def test_wrappers_do_not_hide_the_network(self) -> None:
        """`WrappingFactory` and its like pass on what their transport is."""
        factory = self.factory()
        for wrapped in (factory, WrappingFactory(factory), WrappingFactory(WrappingFactory(factory))):
            transport = MemoryTransport(wrapped.buildProtocol(None), ELSEWHERE)  # type: ignore[arg-type]
            self.assertEqual(transport.read(), b"")
            factory.clock.advance(2)  # type: ignore[attr-defined]
            self.assertEqual(transport.read(), GREETING)
