"""What a client's user may ask of it, and nothing else."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IProtocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailproto.client import Client
from mailproto.smtp import SMTPClient
from mailproto.smtp.lmtp import LMTPClient

EVERY_CLIENTS = """
    abort authenticate closed connect default_port greeted is_encrypted is_usable is_verified open peer
    protocol quit starttls timeouts tls_info
"""
SMTPS = """
    authenticated_by bdat capabilities data ehlo etrn expn greeting hostname mail noop rcpt rset send vrfy
"""


class FaceTests(SynchronousTestCase):
    def public(self, kind: Any) -> set[str]:
        return {name for name in dir(kind(Clock())) if not name.startswith("_")}

    def test_names(self) -> None:
        """A new one is a decision, made here too."""
        everyones, own = set(EVERY_CLIENTS.split()), set(SMTPS.split())
        self.assertEqual({name for name in dir(Client) if not name.startswith("_")} | {"timeouts"}, everyones)
        for kind in (SMTPClient, LMTPClient):
            self.assertEqual(self.public(kind), everyones | own)

    def test_it_has_a_protocol_and_is_none(self) -> None:
        for kind in (SMTPClient, LMTPClient):
            client = kind(Clock())
            self.assertFalse(IProtocol.providedBy(client))
            self.assertTrue(verifyObject(IProtocol, client.protocol))
            self.assertIs(client.protocol, client.protocol)

    def test_before_it_is_connected(self) -> None:
        """What is asked for waits; what can be told is told."""
        client = SMTPClient(Clock(), hostname="client.example")
        self.assertFalse(client.is_usable)
        self.assertFalse(client.is_encrypted)
        self.assertFalse(client.is_verified)
        self.assertIsNone(client.tls_info())
        self.assertIsNone(client.greeting)
        self.assertEqual((client.authenticated_by, str(client.peer)), ("", ""))
        self.assertNoResult(client.noop())
        self.successResultOf(client.closed())
        self.successResultOf(client.quit())
        client.abort()
