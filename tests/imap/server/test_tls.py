"""STARTTLS (RFC 9051 6.2.1)."""

from __future__ import annotations

from typing import Any

from twisted.internet.ssl import CertificateOptions

from mailproto.testing import ELSEWHERE
from tests.imap.server.dialogue import Client, DialogueTestCase


class StartTLSTests(DialogueTestCase):
    tls = CertificateOptions()

    def setUp(self) -> None:
        super().setUp()
        self.started: list[Any] = []

    def remote(self) -> Client:
        """A client from afar."""
        client = self.open("", ELSEWHERE)
        client.received()
        start_tls = client.transport.startTLS

        def note(context: object) -> None:
            self.started.append(context)
            start_tls(context)

        self.patch(client.transport, "startTLS", note)
        return client

    def test_a_password_may_follow(self) -> None:
        self.remote()
        self.talk(
            """
            C: a CAPABILITY
            S: * CAPABILITY IMAP4rev1 ... SASL-IR AUTH=CRAM-MD5 STARTTLS LOGINDISABLED
            S: a OK CAPABILITY completed
            C: b STARTTLS
            S: b OK Begin TLS negotiation now
            C starts TLS
            C: c CAPABILITY
            S: * CAPABILITY IMAP4rev1 ... SASL-IR AUTH=CRAM-MD5 AUTH=PLAIN AUTH=LOGIN
            S: c OK CAPABILITY completed
            C: d STARTTLS
            S: d BAD TLS is not available now
            C: e LOGIN alice secret
            S: e OK [CAPABILITY ...] Logged in
            """
        )
        self.assertEqual(self.started, [self.tls])

    def test_the_greeting_waits_for_tls_from_the_first_octet(self) -> None:
        """What it offers depends on what the handshake finds; with STARTTLS there is no other one."""
        client = self.open("", ELSEWHERE, tls=True)
        self.assertEqual(client.received(), b"")
        for _ in range(2):  # a second handshake, as of STARTTLS, changes nothing
            client.session.handshakeCompleted()
        self.talk("S: * OK [CAPABILITY ... AUTH=PLAIN AUTH=LOGIN] mail.example.org ready")

    def test_plaintext_behind_it_closes_the_connection(self) -> None:
        """Corner case 39."""
        client = self.remote()
        client.send(b"a STARTTLS\r\nb LOGIN alice secret\r\n")
        self.assertEqual(client.received(), b"* BYE Plaintext where TLS was to begin\r\n")
        self.assertEqual(self.started, [])
        self.assertFalse(client.transport.is_open)
        self.assertIsNone(client.session.account)

    def test_not_after_login(self) -> None:
        self.sign_in()
        self.talk(
            """
            C: a STARTTLS
            S: a BAD [CLIENTBUG] Not valid in this state
            """
        )
