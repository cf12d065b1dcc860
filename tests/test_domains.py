"""Domain names in A-labels, and servers that call themselves by them."""

from __future__ import annotations

from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.domains import ascii_domain, ends_in_number
from mailproto.imap import IMAPServerFactory
from mailproto.pop3 import POP3ServerFactory
from mailproto.smtp import SMTPServerFactory
from mailproto.smtp.limits import SMTPLimits
from mailproto.testing import LOOPBACK, MemoryTransport
from tests.smtp.server.dialogue import FakeDelivery, Realm


class ASCIIDomainTests(SynchronousTestCase):
    def test_a_labels(self) -> None:
        for domain, expected in (
            ("Bücher.example", "xn--bcher-kva.example"),
            ("Mail.example.", "Mail.example."),
            ("[IPv6:::1]", "[IPv6:::1]"),
            ("my_host", "my_host"),
        ):
            self.assertEqual(ascii_domain(domain), expected)

    def test_no_domain(self) -> None:
        self.assertRaises(UnicodeError, ascii_domain, "ü..example")


class NumberTests(SynchronousTestCase):
    def test_addresses_for_the_system(self) -> None:
        for domain in ("127.1", "2130706433", "0x7f.0X1", "a.example.1.", "1.0x"):
            self.assertTrue(ends_in_number(domain), domain)
        for domain in ("", ".", "1.a", "1a", "0x7g", "127.1a.", "1.-1", "x7"):
            self.assertFalse(ends_in_number(domain), domain)


PORTAL = Portal(Realm(), [InMemoryUsernamePasswordDatabaseDontUse()])


class HostnameTests(SynchronousTestCase):
    """RFC 6531 3.7.1: who connects may not know UTF-8."""

    def connected(self, factory: Any) -> MemoryTransport:
        return MemoryTransport(factory.buildProtocol(None), LOOPBACK)

    def test_smtp(self) -> None:
        delivery = FakeDelivery()
        transport = self.connected(
            SMTPServerFactory(
                delivery, clock=Clock(), hostname="bücher.example", limits=SMTPLimits(greeting_wait=0)
            )
        )
        name = b"xn--bcher-kva.example"
        self.assertTrue(transport.read().startswith(b"220 " + name + b" "))
        transport.send(b"EHLO a.example\r\n")
        self.assertTrue(transport.read().startswith(b"250-" + name + b"\r\n"))
        transport.send(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n")
        transport.send(b"Subject: x\r\n\r\nx\r\n.\r\n")
        [(_, content)] = delivery.delivered
        self.assertIn(b"by " + name + b" with", bytes(content))
        transport.read()
        transport.send(b"QUIT\r\n")
        self.assertTrue(transport.read().startswith(b"221 2.0.0 " + name + b" "))

    def test_pop3_and_imap(self) -> None:
        for factory_class in (POP3ServerFactory, IMAPServerFactory):
            factory = factory_class(
                PORTAL,
                clock=Clock(),
                hostname="bücher.example",
            )
            self.assertIn(b" xn--bcher-kva.example ", self.connected(factory).read())

    def test_a_name_that_has_none(self) -> None:
        for factory_class in (POP3ServerFactory, IMAPServerFactory):
            self.assertRaises(
                ValueError,
                factory_class,
                PORTAL,
                clock=Clock(),
                hostname="ü..a",
            )
        self.assertRaises(ValueError, SMTPServerFactory, FakeDelivery(), clock=Clock(), hostname="ü..a")
