"""msmtp, mutt, curl, smtplib and aiosmtplib send mail through the running server."""

from __future__ import annotations

import asyncio
import importlib.util
import poplib
import smtplib
import tempfile
from collections.abc import Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest, TestCase

from tests.interop.server import ACCOUNTS, HOST, PASSWORD, PATIENCE, emptied, message, need, run, shared

ALICE, BOB, CAROL = ACCOUNTS
TEXT = "..two dots\r\n.\r\n.one\r\n\r\nüñí\r\n" + "x" * 900


class SenderTestCase(TestCase):
    def setUp(self) -> None:
        self.server = emptied(shared())

    def inbox(self, name: str) -> list[bytes]:
        """The messages of an account."""
        client = poplib.POP3(HOST, self.server.ports["pop3"], timeout=PATIENCE)
        client.utf8()  # else an international message comes in other words
        client.user(name)
        client.pass_(PASSWORD)
        number, _ = client.stat()
        kept = [b"\r\n".join(client.retr(index + 1)[1]) + b"\r\n" for index in range(number)]
        client.quit()
        return kept

    def assert_came(self, octets: bytes, *names: str, trace: bytes = b"") -> None:
        """Header fields may be added by the way, and nothing else."""
        for name in names:
            [kept] = self.inbox(name)
            self.assertEqual(kept.partition(b"\r\n\r\n")[2], octets.partition(b"\r\n\r\n")[2])
            self.assertIn(trace, kept)


class MsmtpTests(SenderTestCase):
    def setUp(self) -> None:
        need("msmtp", "msmtp")
        super().setUp()

    def msmtp(self, name: str, octets: bytes, *arguments: str, status: int | None = 0) -> None:
        address = (f"--host={HOST}", f"--port={self.server.ports[name]}", "--file=/dev/null", "--timeout=20")
        run("msmtp", *address, *arguments, given=octets.replace(b"\r\n", b"\n"), status=status)

    def login(self, mechanism: str, password: str = PASSWORD) -> Sequence[str]:
        trust = f"--tls-trust-file={self.server.certificate}"
        return (
            "--tls=on", trust, f"--from={ALICE}", f"--auth={mechanism}", f"--user={ALICE}",
            f"--passwordeval=echo '{password}'",
        )  # fmt: skip

    def test_a_message_for_many(self) -> None:
        _, octets = message(TEXT)
        self.msmtp("smtp", octets, "--from=bob@example.com", *ACCOUNTS)
        self.assert_came(octets, *ACCOUNTS, trace=b"with ESMTP\r\n")

    def test_starttls_with_every_mechanism_that_both_know(self) -> None:
        offered = self.mechanisms()
        known = {"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"}
        self.assertLessEqual(known - {"CRAM-MD5"}, offered)
        for mechanism in sorted(offered & known):
            emptied(self.server)
            _, octets = message(TEXT)
            self.msmtp("submission", octets, *self.login(mechanism.lower()), BOB)
            self.assert_came(octets, BOB, trace=b"with ESMTPSA")

    def test_tls_from_the_first_octet(self) -> None:
        _, octets = message(TEXT)
        self.msmtp("submissions", octets, *self.login("on"), "--tls-starttls=off", BOB)
        self.assert_came(octets, BOB, trace=b"with ESMTPSA")

    def test_a_wrong_password_and_a_wrong_certificate(self) -> None:
        _, octets = message()
        self.msmtp("submission", octets, *self.login("plain", "wrong"), BOB, status=77)  # EX_NOPERM
        self.msmtp("submission", octets, *self.login("plain"), "--tls-trust-file=system", BOB, status=69)
        self.assertEqual(self.inbox(BOB), [])

    def test_one_of_many_is_refused(self) -> None:
        """msmtp sends to all or nobody, and the server must then have nothing."""
        _, octets = message()
        self.msmtp("smtp", octets, "--from=bob@example.com", ALICE, "nobody@example.org", BOB, status=None)
        self.assertEqual(self.inbox(ALICE) + self.inbox(BOB), [])

    def mechanisms(self) -> set[str]:
        with smtplib.SMTP(HOST, self.server.ports["submission"], timeout=PATIENCE) as client:
            client.starttls(context=self.server.trust())
            client.ehlo()
            return set(client.esmtp_features["auth"].split())


class MuttTests(SenderTestCase):
    def test_a_message_with_an_attachment(self) -> None:
        need("mutt", "mutt")
        folder = Path(tempfile.mkdtemp(dir=self.server.folder.parent))
        (folder / "attached.txt").write_text(".\n..\nFrom here on\n")
        for name, scheme, tls in (("submission", "smtp", "yes"), ("submissions", "smtps", "no")):
            emptied(self.server)
            (folder / "muttrc").write_text(
                f"""
set smtp_url = "{scheme}://{ALICE.replace("@", "%40")}@{HOST}:{self.server.ports[name]}"
set smtp_pass = "{PASSWORD}"
set ssl_starttls = {tls}
set ssl_force_tls = yes
set ssl_ca_certificates_file = "{self.server.certificate}"
set certificate_file = "{folder}/certificates"
set from = "{ALICE}"
set use_envelope_from = yes
set copy = no
"""
            )
            arguments = ("-n", "-F", folder / "muttrc", "-s", "Grüße von mutt", "-a", folder / "attached.txt")
            run("mutt", *arguments, "--", BOB, CAROL, given="Hällo\n.\n".encode())
            for reader in (BOB, CAROL):
                [kept] = self.inbox(reader)
                self.assertIn(b"with ESMTPSA", kept)
                self.assertIn(b"filename=", kept)
                self.assertIn(b"\r\n.\r\n..\r\n", kept)


class CurlTests(SenderTestCase):
    def setUp(self) -> None:
        need("curl", "curl")
        super().setUp()

    def curl(self, octets: bytes, *options: str, status: int = 0) -> bytes:
        url = f"smtp://{HOST}:{self.server.ports['smtp']}"
        sender = ("--mail-from", "bob@example.com")
        return run(
            "curl", "--silent", url, *sender, *options, "--upload-file", "-", given=octets, status=status
        )

    def test_line_ends_of_unix(self) -> None:
        """``--crlf`` makes CRLF of LF; without it, what comes is refused."""
        _, octets = message(TEXT)
        bare = octets.replace(b"\r\n", b"\n")
        self.curl(bare, "--crlf", "--mail-rcpt", ALICE)
        self.assert_came(octets, ALICE)
        self.curl(bare, "--mail-rcpt", BOB, status=8)
        self.assertEqual(self.inbox(BOB), [])

    def test_many_recipients_some_refused(self) -> None:
        _, octets = message()
        names = [option for name in (ALICE, "nobody@example.org", BOB) for option in ("--mail-rcpt", name)]
        self.curl(octets, *names, status=55)
        self.assertEqual(self.inbox(ALICE), [])
        self.curl(octets, *names, "--mail-rcpt-allowfails")
        self.assert_came(octets, ALICE, BOB)

    def test_verify_and_help(self) -> None:
        url = f"smtp://{HOST}:{self.server.ports['smtp']}"
        self.assertIn(b"252 2.0.0", run("curl", "--silent", url, "--mail-rcpt", "alice"))
        self.assertIn(b"214", run("curl", "--silent", url, "--request", "HELP"))


class SmtplibTests(SenderTestCase):
    def client(self, name: str = "smtp") -> smtplib.SMTP:
        client = smtplib.SMTP(HOST, self.server.ports[name], timeout=PATIENCE)
        self.addCleanup(client.close)
        return client

    def test_an_international_message(self) -> None:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "böb@example.com", ALICE, "Grüße"
        mail.set_content("Hällo\n.\n")
        self.assertEqual(self.client().send_message(mail), {})
        [kept] = self.inbox(ALICE)
        self.assertIn(b"with UTF8SMTP\r\n", kept)
        self.assertIn("Return-Path: <böb@example.com>".encode(), kept)
        self.assertIn("From: böb@example.com".encode(), kept)

    def test_some_refused(self) -> None:
        _, octets = message()
        strangers = ["nobody@example.org", "x@example.com"]
        refused = self.client().sendmail("bob@example.com", [ALICE, *strangers], octets)
        self.assertEqual([(name, code) for name, (code, _) in refused.items()], [(x, 550) for x in strangers])
        with self.assertRaises(smtplib.SMTPRecipientsRefused):
            self.client().sendmail("bob@example.com", ["nobody@example.org"], octets)
        self.assert_came(octets, ALICE)

    def test_options(self) -> None:
        _, octets = message(TEXT)
        client = self.client()  # which says SIZE of itself
        self.assertEqual(client.sendmail("bob@example.com", [ALICE], octets, ["BODY=8BITMIME"]), {})
        self.assert_came(octets, ALICE)
        with self.assertRaises(smtplib.SMTPSenderRefused) as caught:
            self.client().sendmail("bob@example.com", [ALICE], octets, ["X-NONSENSE=1"])
        self.assertEqual(caught.exception.smtp_code, 555)

    def test_submission(self) -> None:
        client = self.client("submission")
        client.starttls(context=self.server.trust())
        client.login(ALICE, PASSWORD)
        _, octets = message(TEXT)
        self.assertEqual(client.sendmail(ALICE, [BOB], octets), {})
        self.assert_came(octets, BOB, trace=b"with ESMTPSA")


class AiosmtplibTests(SenderTestCase):
    def setUp(self) -> None:
        if importlib.util.find_spec("aiosmtplib") is None:
            raise SkipTest("needs aiosmtplib: pip install 'mailproto[test]'")
        super().setUp()

    def send(self, name: str, octets: bytes, recipients: Sequence[str], **options: Any) -> dict[str, Any]:
        """What it returns: the errors by recipient."""
        import aiosmtplib

        sender = options.pop("sender", "bob@example.com")
        options |= {"hostname": HOST, "port": self.server.ports[name], "timeout": PATIENCE}
        errors, _ = asyncio.run(
            aiosmtplib.send(octets, sender=sender, recipients=list(recipients), **options)
        )
        return dict(errors)

    def test_a_message_for_many(self) -> None:
        _, octets = message(TEXT)
        refused = self.send("smtp", octets, [*ACCOUNTS, "nobody@example.org"], start_tls=False)
        self.assertEqual(list(refused), ["nobody@example.org"])
        self.assert_came(octets, *ACCOUNTS, trace=b"with ESMTP\r\n")

    def test_starttls_and_every_mechanism_it_likes(self) -> None:
        login = {"username": ALICE, "password": PASSWORD, "sender": ALICE, "tls_context": self.server.trust()}
        for name, tls in (("submission", {"start_tls": True}), ("submissions", {"use_tls": True})):
            emptied(self.server)
            _, octets = message(TEXT)
            self.assertEqual(self.send(name, octets, [BOB], **login, **tls), {})
            self.assert_came(octets, BOB, trace=b"with ESMTPSA")

    def test_many_at_once(self) -> None:
        import aiosmtplib

        messages = [message()[1] for _ in range(20)]

        async def send_all() -> None:
            await asyncio.gather(
                *(
                    aiosmtplib.send(
                        octets, sender="bob@example.com", recipients=[ALICE], hostname=HOST,
                        port=self.server.ports["smtp"], start_tls=False, timeout=PATIENCE,
                    )
                    for octets in messages
                )
            )  # fmt: skip

        asyncio.run(send_all())
        self.assertEqual(len(self.inbox(ALICE)), 20)
