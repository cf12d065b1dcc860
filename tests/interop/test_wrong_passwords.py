"""Clients with a wrong password: they try it in several ways over one connection, and that counts once."""

from __future__ import annotations

import imaplib
import poplib
import smtplib
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.threads import deferToThread
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

from mailproto.auth import password_portal
from mailproto.backends import MemoryStore
from mailproto.delivery import FunctionDelivery
from mailproto.imap import IMAPServerFactory
from mailproto.imap.limits import IMAPLimits
from mailproto.pop3 import POP3ServerFactory
from mailproto.pop3.limits import POP3Limits
from mailproto.smtp import SMTPServerFactory
from mailproto.smtp.limits import SMTPLimits
from tests.test_readme import need

HOST = "127.0.0.1"
PATIENCE = 20
ALL = ("SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN")


class WrongPasswordTests(TestCase):
    async def setUp(self) -> None:  # type: ignore[override]
        store = MemoryStore()
        await store.directory.add("alice", "")
        portal = password_portal({"alice": "secret"}, ALL, account=store.account)
        self.ports: dict[str, int] = {}
        self.factories: dict[str, Any] = {}
        for name, factory in (
            (
                "smtp",
                SMTPServerFactory(
                    FunctionDelivery(lambda envelope, content: None),
                    portal=portal,
                    auth_required=True,
                    limits=SMTPLimits(failure_delay=0.01),
                ),
            ),
            ("pop3", POP3ServerFactory(portal, limits=POP3Limits(failure_delay=0.01))),
            ("imap", IMAPServerFactory(portal, limits=IMAPLimits(failure_delay=0.01))),
        ):
            reactor: Any = installed
            port = reactor.listenTCP(0, factory, interface=HOST)
            self.addCleanup(port.stopListening)
            self.addCleanup(factory.shut_down)
            self.ports[name] = port.getHost().port

    async def test_smtplib(self) -> None:
        """CRAM-MD5, PLAIN, LOGIN; and again, and then with the right one."""

        def work() -> None:
            with smtplib.SMTP(HOST, self.ports["smtp"], timeout=PATIENCE) as client:
                for _ in range(SMTPLimits().authentication_failures - 1):
                    with self.assertRaises(smtplib.SMTPAuthenticationError) as caught:
                        client.login("alice", "wrong")
                    self.assertEqual(caught.exception.smtp_code, 535)
                client.login("alice", "secret")
                client.sendmail("alice@a.example", ["bob@b.example"], b"Subject: x\r\n\r\nx\r\n")

        await deferToThread(work)

    async def test_smtplib_that_guesses(self) -> None:
        def work() -> None:
            with smtplib.SMTP(HOST, self.ports["smtp"], timeout=PATIENCE) as client:
                client.ehlo()
                for guess in ("1", "2", "3"):
                    client.user, client.password = "alice", guess  # type: ignore[attr-defined]
                    with self.assertRaises(smtplib.SMTPAuthenticationError):
                        client.auth("PLAIN", client.auth_plain)
                with self.assertRaises((smtplib.SMTPServerDisconnected, smtplib.SMTPAuthenticationError)):
                    client.auth("PLAIN", client.auth_plain)

        await deferToThread(work)

    async def test_swaks(self) -> None:
        """It tries all mechanisms that it knows, digests first."""
        need("swaks", "swaks")
        arguments = ("--server", HOST, "--port", str(self.ports["smtp"]), "--to", "bob@b.example")
        credentials = ("--auth", "--auth-user", "alice", "--auth-password", "wrong")
        out, _, status = await getProcessOutputAndValue("swaks", [*arguments, *credentials])
        self.assertEqual(out.count(b"535 5.7.8"), 3, out)
        self.assertNotIn(b"421", out)
        self.assertEqual(status, 28, out)

    async def test_curl(self) -> None:
        need("curl", "curl")
        for scheme, port in self.ports.items():
            arguments = ["-sS", "--max-time", str(PATIENCE), "--user", "alice:wrong"]
            arguments += ["-X", "NOOP"] if scheme == "smtp" else []
            url = f"{scheme}://{HOST}:{port}/"
            out, err, status = await getProcessOutputAndValue("curl", [*arguments, url])
            self.assertEqual(status, 67, (scheme, out, err))  # "login denied"

    async def test_imaplib_and_poplib(self) -> None:
        def imap() -> None:
            client = imaplib.IMAP4(HOST, self.ports["imap"], timeout=PATIENCE)
            for _ in range(IMAPLimits().failed_logins - 1):
                with self.assertRaisesRegex(imaplib.IMAP4.error, "Authentication failed"):
                    client.login_cram_md5("alice", "wrong")
                with self.assertRaisesRegex(imaplib.IMAP4.error, "Authentication failed"):
                    client.authenticate("PLAIN", lambda _: b"\0alice\0wrong")
                with self.assertRaisesRegex(imaplib.IMAP4.error, "Authentication failed"):
                    client.login("alice", "wrong")
            client.login("alice", "secret")
            client.logout()

        def pop3() -> None:
            client = poplib.POP3(HOST, self.ports["pop3"], timeout=PATIENCE)
            for _ in range(POP3Limits().failed_logins - 1):
                client.user("alice")
                with self.assertRaisesRegex(poplib.error_proto, "Authentication failed"):
                    client.pass_("wrong")
            client.user("alice")
            client.pass_("secret")
            client.quit()

        await deferToThread(imap)
        await deferToThread(pop3)
