"""Limits that are set by the command's option: they hold for whoever tries them, on this machine too."""

from __future__ import annotations

import smtplib
import socket
import time

from twisted.trial.unittest import TestCase

from tests.interop.server import ACCOUNTS, HOST, PATIENCE, Server, message, new_folder


class LimitTests(TestCase):
    def serve(self, *limits: str) -> None:
        self.server = Server(
            new_folder(), ACCOUNTS[:1], [word for limit in limits for word in ("--limit", limit)]
        )
        self.addCleanup(self.server.terminate)

    def connect(self) -> socket.socket:
        client = socket.create_connection((HOST, self.server.ports["smtp"]), PATIENCE)
        self.addCleanup(client.close)
        return client

    def test_who_talks_before_the_greeting(self) -> None:
        self.serve("smtp.greeting_wait=0.3")
        client = self.connect()
        client.sendall(b"EHLO a.example\r\n")
        self.assertEqual(client.recv(4096)[:10], b"554 5.5.1 ")
        began = time.monotonic()
        self.assertEqual(self.connect().recv(4096)[:4], b"220 ")
        self.assertGreater(time.monotonic() - began, 0.25)

    def test_how_many_come_from_one_address(self) -> None:
        self.serve("smtp.connections_per_peer=2")
        greetings = [self.connect().recv(4096)[:4] for _ in range(3)]
        self.assertEqual(greetings, [b"220 ", b"220 ", b"421 "])

    def test_how_much_comes_from_one_address(self) -> None:
        self.serve("smtp.messages_per_peer=2", "smtp.wire.text_line=1000")
        with smtplib.SMTP(HOST, self.server.ports["smtp"], timeout=PATIENCE) as client:
            client.sendmail("bob@example.com", [ACCOUNTS[0]], message()[1])
            with self.assertRaises(smtplib.SMTPDataError) as caught:
                client.sendmail("bob@example.com", [ACCOUNTS[0]], b"Subject: x\r\n\r\n" + b"x" * 1001)
            self.assertEqual(caught.exception.smtp_code, 550)
            with self.assertRaises(smtplib.SMTPSenderRefused) as refused:
                client.sendmail("bob@example.com", [ACCOUNTS[0]], message()[1])
            self.assertEqual(refused.exception.smtp_code, 450)
