"""The examples of docs/authentication.md are run, as a reader would."""

from __future__ import annotations

import contextlib
import io
import re
import smtplib
from pathlib import Path
from typing import Any

from twisted.application.service import IServiceCollection
from twisted.cred.credentials import UsernamePassword
from twisted.cred.portal import Portal
from twisted.internet import reactor as installed
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from mailproto.auth import TokenChecker
from mailproto.auth.sasl import SASLServer
from mailproto.auth.signing_in import FAILURE_DELAY
from mailproto.errors import AuthenticationFailed
from mailproto.imap.limits import IMAPLimits
from mailproto.interfaces import IIdentity
from mailproto.pop3.limits import POP3Limits
from mailproto.smtp.limits import SMTPLimits
from tests.auth.exchanges import LOCAL
from tests.processes import CHECKOUT

PAGE = Path(CHECKOUT, "docs/authentication.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.M | re.S)
PROGRAM, *PIECES = [text for language, text in BLOCKS if language == "python"]
reactor: Any = installed


class AuthenticationTests(TestCase):
    def piece(self, start: str) -> dict[str, Any]:
        """Run the piece that has ``start``.  :returns: its names."""
        [text] = [text for text in PIECES if start in text]
        names: dict[str, Any] = {}
        exec(text, names)
        return names

    async def name(self, portal: Portal, username: str, password: str) -> str:
        """The name of the account that signs in, or "" for nobody."""
        server = SASLServer(portal, clock=reactor, failure_delay=0, wanted=IIdentity)
        try:
            credentials = UsernamePassword(username.encode(), password.encode())
            return (await server.login(credentials, "LOGIN")).name
        except AuthenticationFailed:
            return ""

    def test_no_block_is_forgotten(self) -> None:
        self.assertEqual({language for language, _ in BLOCKS}, {"python"})
        self.assertEqual(len(PIECES), 6)

    async def test_program(self) -> None:
        self.assertIn('"tcp:8587:', PROGRAM)
        names: dict[str, Any] = {}
        exec(PROGRAM.replace('"tcp:8587:', '"tcp:0:'), names)  # a port that no other test has
        [server] = IServiceCollection(names["application"])
        await server.start()
        try:
            port = server.port

            def send() -> None:
                with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
                    with self.assertRaises(smtplib.SMTPSenderRefused) as caught:
                        client.sendmail("a@a.example", ["b@b.example"], b"Subject: x\r\n\r\n")
                    self.assertEqual(caught.exception.smtp_code, 530)
                    client.login("alice", "secret")
                    client.sendmail("a@a.example", ["b@b.example"], b"Subject: x\r\n\r\n")

            with contextlib.redirect_stdout(io.StringIO()) as printed:
                await deferToThread(send)
        finally:
            await server.stop()
        self.assertRegex(printed.getvalue(), r"\Aalice sends \d+ octets\n\Z")

    async def test_in_a_thread(self) -> None:
        portal = self.piece("deferToThread")["portal"]
        for username, password, name in (
            ("alice", "secret", "alice"),
            ("alice", "Secret", ""),
            ("bob", "a password that nobody has", ""),
        ):
            self.assertEqual(await self.name(portal, username, password), name)

    async def test_mapping(self) -> None:
        portal = self.piece('"bob": "a long one"')["portal"]
        self.assertEqual(await self.name(portal, "BOB", "a long one"), "bob")

    async def test_mechanisms(self) -> None:
        for start, offered in (
            ('mechanisms=["SCRAM-SHA-256", "PLAIN"]', "SCRAM-SHA-256 PLAIN"),
            ("TokenChecker", "OAUTHBEARER XOAUTH2 PLAIN LOGIN"),
        ):
            server = SASLServer(self.piece(start)["portal"], clock=reactor)
            self.assertEqual(" ".join(server.mechanisms(LOCAL)), offered)
        names = self.piece("TokenChecker")
        self.assertIs(names["TokenChecker"], TokenChecker)
        self.assertEqual(await names["account_of"]("", "good"), "alice")

    async def test_accounts(self) -> None:
        names = self.piece("IMAPServerFactory")
        self.assertEqual(await self.name(names["imap"].portal, "ALICE", "secret"), "alice")

    async def test_a_realm_of_ones_own(self) -> None:
        portal = self.piece("class People")["portal"]
        self.assertEqual(await self.name(portal, "alice", "secret"), "alice")

    def test_numbers(self) -> None:
        """The page has the numbers of the limits."""
        self.assertIn(f"{FAILURE_DELAY} seconds after the attempt, or {2 * FAILURE_DELAY:.0f}, ", PAGE)
        self.assertIn(f"After {SMTPLimits().authentication_failures} failures in SMTP", PAGE)
        for limits in (POP3Limits(), IMAPLimits()):
            self.assertIn(f"or {limits.failed_logins} in POP3 and IMAP", PAGE)
