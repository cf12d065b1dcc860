"""swaks, curl and mbsync against the running server."""

from __future__ import annotations

import mailbox
import smtplib
import tempfile
from pathlib import Path

from twisted.trial.unittest import TestCase

from tests.interop.server import ACCOUNTS, HOST, PASSWORD, PATIENCE, emptied, message, need, run, shared


class ClientTestCase(TestCase):
    program: str
    package: str

    def setUp(self) -> None:
        need(self.program, self.package)
        self.server = emptied(shared())
        self.account = ACCOUNTS[0]

    def port(self, name: str) -> str:
        return f"{HOST}:{self.server.ports[name]}"

    def curl(self, url: str, *options: str | Path, status: int | None = 0) -> bytes:
        """As the account; what is printed."""
        user = f"{self.account}:{PASSWORD}"
        trust = ("--cacert", self.server.certificate)
        return run("curl", "--silent", "--show-error", *trust, "--user", user, *options, url, status=status)

    def send(self, octets: bytes) -> None:
        with smtplib.SMTP(HOST, self.server.ports["smtp"], timeout=PATIENCE) as client:
            client.sendmail("bob@example.com", [self.account], octets)

    def inbox(self) -> bytes:
        """Its only message."""
        return self.curl(f"pop3://{self.port('pop3')}/1")


class SwaksTests(ClientTestCase):
    program, package = "swaks", "swaks"

    def swaks(self, name: str, *options: str, status: int = 0) -> str:
        """The dialogue of one message to the account."""
        need("curl", "curl")
        arguments = ("--server", self.port(name), "--from", "bob@example.com", "--to", self.account)
        return run("swaks", *arguments, "--body", "It works.", *options, status=status).decode()

    def test_a_message(self) -> None:
        dialogue = self.swaks("smtp", "--header", "Subject: by swaks")
        self.assertRegex(dialogue, r"(?m)^<-  220 mail\.test ")
        self.assertRegex(dialogue, r"(?m)^<-  250 2\.")
        received = self.inbox()
        self.assertIn(b"Subject: by swaks\r\n", received)
        self.assertTrue(received.rstrip().endswith(b"It works."))

    def test_pipelined(self) -> None:
        self.swaks("smtp", "--pipeline")
        self.assertIn(b"It works.", self.inbox())

    def test_starttls(self) -> None:
        dialogue = self.swaks("smtp", "--tls", "--tls-verify", "--tls-ca-path", self.server.certificate)
        self.assertIn("TLS started with cipher TLSv1.3", dialogue)
        self.assertIn(b"with ESMTPS", self.inbox())

    def test_submission(self) -> None:
        for mechanism in ("PLAIN", "LOGIN"):
            login = ("--from", self.account)
            login += ("--auth", mechanism, "--auth-user", self.account, "--auth-password", PASSWORD)
            self.swaks("submission", "--tls", *login)
            self.swaks("submissions", "--tls-on-connect", *login)
        self.assertIn(b"with ESMTPSA", self.inbox())

    def test_submission_under_an_address_of_somebody_else(self) -> None:
        login = ("--auth", "PLAIN", "--auth-user", self.account, "--auth-password", PASSWORD)
        self.assertIn("<~* 550 5.7.1", self.swaks("submission", "--tls", *login, status=23))

    def test_a_wrong_password(self) -> None:
        login = ("--auth", "PLAIN", "--auth-user", self.account, "--auth-password", "wrong")
        self.assertIn("<~* 535 5.7.8", self.swaks("submission", "--tls", *login, status=28))

    def test_no_relay(self) -> None:
        dialogue = self.swaks("smtp", "--to", "alice@example.com", status=24)
        self.assertIn("<** 550 5.7.1", dialogue)

    def test_lmtp(self) -> None:
        self.swaks("lmtp", "--protocol", "LMTP")
        self.assertIn(b"It works.", self.inbox())


class CurlTests(ClientTestCase):
    program, package = "curl", "curl"

    def upload(self) -> tuple[Path, bytes]:
        """A file with a message."""
        _, octets = message(".\r\n..\r\nIt works.", to=self.account)
        path = Path(self.mktemp())
        path.write_bytes(octets)
        return path, octets

    def test_smtp(self) -> None:
        path, octets = self.upload()
        addresses = ("--mail-from", self.account, "--mail-rcpt", self.account)
        for url, tls in (
            (f"smtp://{self.port('submission')}", "--ssl-reqd"),
            (f"smtps://{self.port('submissions')}", "--ssl"),
        ):
            emptied(self.server)
            self.curl(url, tls, *addresses, "--upload-file", path)
            self.assertTrue(self.inbox().endswith(octets))

    def test_pop3(self) -> None:
        _, octets = self.upload()
        self.send(octets)
        for url, tls in (
            (f"pop3://{self.port('pop3')}", "--ssl"),
            (f"pop3://{self.port('pop3')}", "--ssl-reqd"),
            (f"pop3s://{self.port('pop3s')}", "--ssl"),
        ):
            self.assertRegex(self.curl(f"{url}/", tls), rb"\A1 \d+\r\n\Z")
            self.assertTrue(self.curl(f"{url}/1", tls).endswith(octets))
        for mechanism in ("PLAIN", "LOGIN"):
            self.curl(f"{url}/1", "--login-options", f"AUTH={mechanism}")
        self.curl(f"{url}/1", "--request", "DELE", "--head")
        self.assertEqual(self.curl(f"{url}/").strip(), b"")

    def test_imap(self) -> None:
        path, octets = self.upload()
        for url, tls in (
            (f"imap://{self.port('imap')}", "--ssl"),
            (f"imap://{self.port('imap')}", "--ssl-reqd"),
            (f"imaps://{self.port('imaps')}", "--ssl"),
        ):
            emptied(self.server)
            self.curl(f"{url}/INBOX", tls, "--upload-file", path)
            self.assertEqual(self.curl(f"{url}/INBOX;MAILINDEX=1", tls), octets)
            self.assertEqual(self.curl(f"{url}/INBOX?ALL", tls), b"* SEARCH 1\r\n")
            self.assertIn(b'"/" INBOX\r\n', self.curl(url, tls).replace(b'"INBOX"', b"INBOX"))
            header = self.curl(f"{url}/INBOX;MAILINDEX=1;SECTION=HEADER.FIELDS%20(SUBJECT)", tls)
            self.assertIn(b"Subject: test", header)

    def test_a_wrong_password(self) -> None:
        for url in (f"pop3://{self.port('pop3')}", f"imap://{self.port('imap')}"):
            self.curl(url, "--user", f"{self.account}:wrong", status=67)


class MbsyncTests(ClientTestCase):
    program, package = "mbsync", "isync"

    def setUp(self) -> None:
        super().setUp()
        need("curl", "curl")
        self.folder = Path(tempfile.mkdtemp(dir=self.server.folder.parent))

    def sync(self, tls: str, port: str, mechanism: str = "LOGIN") -> None:
        """Both ways, every mailbox; all mechanisms but LOGIN are Cyrus SASL's."""
        config = self.folder / "mbsyncrc"
        config.write_text(
            f"""
IMAPAccount server
Host {HOST}
Port {self.server.ports[port]}
User {self.account}
Pass "{PASSWORD}"
AuthMechs {mechanism}
SSLType {tls}
CertificateFile {self.server.certificate}

IMAPStore far
Account server

MaildirStore near
Path {self.folder}/mail/
Inbox {self.folder}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
"""
        )
        (self.folder / "mail").mkdir(exist_ok=True)
        run("mbsync", "--config", config, "--all")

    def maildir(self, name: str = "INBOX") -> mailbox.Maildir:
        return mailbox.Maildir(self.folder / "mail" / name, create=False)

    def test_both_ways(self) -> None:
        sent = [message(to=self.account) for _ in range(20)]
        for _, octets in sent:
            self.send(octets)
        self.sync("STARTTLS", "imap")
        self.assertEqual(
            sorted(str(kept["Subject"]) for kept in self.maildir()), sorted(subject for subject, _ in sent)
        )
        # A message of ours, one flag, and one deletion go the other way.
        ours, octets = message("Written here.")
        self.maildir().add(octets.replace(b"\r\n", b"\n"))
        by_subject = {str(kept["Subject"]): key for key, kept in self.maildir().iteritems()}
        kept = self.maildir()[by_subject[sent[0][0]]]
        kept.set_flags("RS")
        self.maildir()[by_subject[sent[0][0]]] = kept
        self.maildir().discard(by_subject[sent[1][0]])
        self.sync("IMAPS", "imaps", "SCRAM-SHA-256")
        found = self.curl(f"imap://{self.port('imap')}/INBOX?ALL")
        self.assertEqual(len(found.split()) - 2, 20)
        for criteria, number in (("SEEN%20ANSWERED", 1), (f"SUBJECT%20%22{ours.replace(' ', '%20')}%22", 1)):
            found = self.curl(f"imap://{self.port('imap')}/INBOX?{criteria}")
            self.assertEqual(len(found.split()) - 2, number, criteria)
        # Nothing is left to be done: the third time changes nothing.
        before = sorted(path.name for path in (self.folder / "mail" / "INBOX").glob("*/*"))
        self.sync("STARTTLS", "imap", "*")  # its default
        self.assertEqual(sorted(path.name for path in (self.folder / "mail" / "INBOX").glob("*/*")), before)
