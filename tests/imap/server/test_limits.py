"""Each limit of `IMAPLimits` is the server's own, not only its default."""

from __future__ import annotations

from typing import Any

from mailproto.imap import IMAPServerFactory
from mailproto.imap.limits import IMAPLimits
from mailproto.imap.wire import IMAPWireLimits
from tests.imap.server.dialogue import Client, DialogueTestCase


class LimitTests(DialogueTestCase):
    def connect_with(self, **limits: Any) -> Client:
        self.factory = IMAPServerFactory(
            self.factory.portal,
            clock=self.clock,
            hostname="mail.example.org",
            max_message_size=1000,
            limits=IMAPLimits(failure_delay=0, **limits),
        )
        return self.connect()

    def test_bad_commands(self) -> None:
        client = self.connect_with(bad_commands=3)
        client.send(b"a FOO\r\n" * 2)
        self.assertTrue(client.received().endswith(b"a BAD Unknown command\r\n"))
        client.send(b"a FOO\r\n")
        self.assertTrue(client.received().endswith(b"* BYE [CLIENTBUG] Too many bad commands\r\n"))

    def test_failed_logins(self) -> None:
        client = self.connect_with(failed_logins=2)
        client.send(b"a LOGIN alice wrong\r\n")
        self.assertNotIn(b"BYE", client.received())
        client.send(b"a LOGIN alice wrong\r\n")
        self.assertTrue(client.received().endswith(b"* BYE Too many failed logins\r\n"))

    def test_sessions_of_an_account(self) -> None:
        self.connect_with(sessions_per_account=2)
        for name in "ab":
            self.connect(name).send(b"a LOGIN alice secret\r\n")
        third = self.connect("c")
        third.send(b"a LOGIN alice secret\r\n")
        self.assertEqual(third.received(), b"a NO [LIMIT] Too many connections of this account\r\n")
        third.send(b"b LOGIN bob secret\r\nc NOOP\r\n")
        self.assertIn(b"b NO", third.received())  # he has no account here
        self.clients["a"].transport.drop()
        third.send(b"d LOGIN alice secret\r\n")
        self.assertIn(b"d OK", third.received())
        for name in "bc":
            self.clients[name].transport.drop()
        self.assertEqual(self.factory._accounts, {})

    def test_by_default_only_from_elsewhere(self) -> None:
        limits = IMAPLimits()
        self.assertEqual(limits.sessions_of_account(is_near=False), 50)
        self.assertEqual(limits.sessions_of_account(is_near=True), float("inf"))
        self.assertEqual(IMAPLimits(sessions_per_account=3).sessions_of_account(is_near=True), 3)

    def test_before_login_and_after_it(self) -> None:
        client = self.connect_with(
            before_login=IMAPWireLimits(line=60, swallowed=1000), wire=IMAPWireLimits(line=100)
        )
        client.received()
        long = b"a NOOP " + b"x" * 70 + b"\r\n"
        client.send(long)
        self.assertIn(b"line too long", client.received().lower())
        client.send(b"a LOGIN alice secret\r\n")
        self.assertIn(b"a OK", client.received())
        client.send(long)
        self.assertNotIn(b"line too long", client.received().lower())
        client.send(b"a NOOP " + b"x" * 110 + b"\r\n")
        self.assertIn(b"line too long", client.received().lower())

    def test_a_message_may_be_as_long_as_the_factory_says(self) -> None:
        client = self.connect_with(wire=IMAPWireLimits(append=1 << 20))
        client.send(b"a LOGIN alice secret\r\nb APPEND INBOX {1001}\r\n")
        self.assertIn(b"b NO [TOOBIG]", client.received())
