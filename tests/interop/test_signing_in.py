"""curl, swaks and msmtp sign in by every mechanism that they know, to a server that takes all."""

from __future__ import annotations

import imaplib
from pathlib import Path
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import IUsernameHashedPassword
from twisted.internet import reactor as installed
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from mailproto.auth import CertificateChecker, TokenChecker, hash_password, store_portal
from mailproto.auth.sasl import DEFAULT_MECHANISMS
from mailproto.backends import MemoryStore
from mailproto.delivery import MailboxDelivery
from mailproto.errors import AuthenticationFailed
from mailproto.imap import IMAPServerFactory
from mailproto.model import INBOX
from mailproto.pop3 import POP3ServerFactory
from mailproto.smtp import SMTPServerFactory
from mailproto.testing import running_server
from mailproto.tls import ensure_self_signed, server_tls
from tests.interop.server import HOST, message, need
from tests.interop.sink import run_beside
from tests.tls.certificates import make_certificate, write_pair

ALICE = "alice@example.org"
RECORD = hash_password("secret")


async def validate(name: str, token: str) -> str:
    """Knows one token, which is alice's."""
    if (name, token) not in ((ALICE, "ya29.good"), ("", "ya29.good")):
        raise AuthenticationFailed
    return ALICE


class SigningInTestCase(TestCase):
    """Servers in this process: IMAP, POP3 and submission, each with STARTTLS."""

    async def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        authority = make_certificate(name="authority")
        self.pair = write_pair(self.folder, "alice", make_certificate(ALICE, issuer=authority))
        files = ensure_self_signed(self.folder, HOST)
        self.certificate = str(files[0])
        tls = server_tls(*files, client_ca=write_pair(self.folder, "ca", authority)[0])
        self.store = MemoryStore()
        await self.store.directory.add(ALICE, RECORD)
        reactor: Any = installed
        portal = store_portal(self.store, reactor)
        portal.registerChecker(TokenChecker(validate))
        portal.registerChecker(CertificateChecker(self.store.directory))
        in_clear = InMemoryUsernamePasswordDatabaseDontUse()
        in_clear.addUser(ALICE.encode(), b"secret")
        portal.registerChecker(in_clear, IUsernameHashedPassword)
        delivery = MailboxDelivery(self.store, ["example.org"])
        common: Any = {
            "clock": reactor,
            "hostname": "mail.test",
            "tls": tls,
            "mechanisms": [*DEFAULT_MECHANISMS, "CRAM-MD5"],
        }
        server = await running_server(
            SMTPServerFactory(delivery, portal=portal, submission=True, **common),
            POP3ServerFactory(portal, **common),
            IMAPServerFactory(portal, **common),
            host=HOST,
        )
        self.addCleanup(server.aclose)
        self.ports = dict(zip(("smtp", "pop3", "imap"), server.ports, strict=True))

    async def messages(self) -> int:
        account = await self.store.account(ALICE)
        return (await (await account.open(INBOX)).status()).messages


class CurlTests(SigningInTestCase):
    async def curl(self, scheme: str, mechanism: str, *credentials: str, status: int = 0) -> None:
        """Sign in, and send or look at something."""
        need("curl", "curl")
        url = f"{scheme}://{HOST}:{self.ports[scheme]}"
        task = ("--mail-from", ALICE, "--mail-rcpt", ALICE, "--upload-file", "-") if scheme == "smtp" else ()
        options = ("--silent", "--show-error", "--ssl-reqd", "--cacert", self.certificate)
        login = ("--login-options", f"AUTH={mechanism}", *credentials)
        given = message()[1] if task else None
        await run_beside("curl", url, *options, *login, *task, given=given, status=status)

    async def everywhere(self, mechanism: str, *credentials: str, status: int = 0) -> None:
        for scheme in self.ports:
            await self.curl(scheme, mechanism, *credentials, status=status)
        self.assertEqual(await self.messages(), 0 if status else 1)

    async def test_cram_md5(self) -> None:
        await self.everywhere("CRAM-MD5", "--user", f"{ALICE}:secret")

    async def test_cram_md5_with_a_wrong_password(self) -> None:
        await self.everywhere("CRAM-MD5", "--user", f"{ALICE}:wrong", status=67)

    async def test_xoauth2(self) -> None:
        await self.everywhere("XOAUTH2", "--user", ALICE, "--oauth2-bearer", "ya29.good")

    async def test_oauthbearer(self) -> None:
        await self.everywhere("OAUTHBEARER", "--user", ALICE, "--oauth2-bearer", "ya29.good")

    async def test_a_bad_token(self) -> None:
        for mechanism in ("XOAUTH2", "OAUTHBEARER"):
            await self.everywhere(mechanism, "--user", ALICE, "--oauth2-bearer", "ya29.bad", status=67)

    async def test_external(self) -> None:
        shown = ("--cert", str(self.pair[0]), "--key", str(self.pair[1]))
        await self.everywhere("EXTERNAL", "--user", f"{ALICE}:", *shown)

    async def test_external_as_somebody_else(self) -> None:
        shown = ("--cert", str(self.pair[0]), "--key", str(self.pair[1]))
        await self.everywhere("EXTERNAL", "--user", "bob@example.org:", *shown, status=67)


class MsmtpTests(SigningInTestCase):
    async def msmtp(self, mechanism: str, secret: str, *options: str, status: int = 0) -> None:
        need("msmtp", "msmtp")
        address = (f"--host={HOST}", f"--port={self.ports['smtp']}", "--file=/dev/null", "--timeout=20")
        tls = ("--tls=on", f"--tls-trust-file={self.certificate}", *options)
        login = (f"--auth={mechanism}", f"--user={ALICE}", f"--passwordeval=echo '{secret}'")
        given = message()[1].replace(b"\r\n", b"\n")
        arguments = (*address, *tls, *login, f"--from={ALICE}", ALICE)
        await run_beside("msmtp", *arguments, given=given, status=status)

    async def test_every_mechanism(self) -> None:
        mechanisms = {
            "cram-md5": "secret",
            "scram-sha-1": "secret",
            "scram-sha-256": "secret",
            "oauthbearer": "ya29.good",
            "xoauth2": "ya29.good",
        }
        for number, (mechanism, secret) in enumerate(mechanisms.items(), 1):
            await self.msmtp(mechanism, secret)
            self.assertEqual(await self.messages(), number, mechanism)

    async def test_external(self) -> None:
        shown = (f"--tls-cert-file={self.pair[0]}", f"--tls-key-file={self.pair[1]}")
        self.pair[1].chmod(0o600)
        await self.msmtp("external", "", *shown)
        self.assertEqual(await self.messages(), 1)

    async def test_what_is_wrong(self) -> None:
        for mechanism in ("cram-md5", "scram-sha-256", "oauthbearer", "xoauth2"):
            await self.msmtp(mechanism, "wrong", status=77)  # EX_NOPERM
        self.assertEqual(await self.messages(), 0)


class OtherTests(SigningInTestCase):
    async def test_swaks(self) -> None:
        need("swaks", "swaks")
        login = ("--auth", "CRAM-MD5", "--auth-user", ALICE, "--auth-password", "secret")
        arguments = ("--server", f"{HOST}:{self.ports['smtp']}", "--from", ALICE, "--to", ALICE)
        await run_beside("swaks", *arguments, "--tls", *login)
        self.assertEqual(await self.messages(), 1)

    async def test_imaplib(self) -> None:
        def sign_in() -> str:
            with imaplib.IMAP4(HOST, self.ports["imap"]) as client:
                return client.login_cram_md5(ALICE, "secret")[0]

        self.assertEqual(await deferToThread(sign_in), "OK")
