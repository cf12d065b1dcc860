"""fetchmail, getmail and mpop fetch from the running server with verified TLS, and delete what they have."""

from __future__ import annotations

import poplib
import smtplib
import tempfile
from pathlib import Path

from twisted.trial.unittest import TestCase

from tests.interop.server import ACCOUNTS, HOST, PASSWORD, PATIENCE, emptied, message, need, run, shared

ALICE = ACCOUNTS[0]
TEXTS = (".\r\n..a dot", "nothing odd", "x" * 990 + "\r\nGrüße")


class FetchingTests(TestCase):
    def setUp(self) -> None:
        self.server = emptied(shared())
        self.folder = Path(tempfile.mkdtemp(dir=self.server.folder.parent))
        self.mail = self.folder / "mail"
        self.subjects: list[str] = []
        with smtplib.SMTP(HOST, self.server.ports["smtp"], timeout=PATIENCE) as client:
            for text in TEXTS:
                subject, octets = message(text, to=ALICE)
                self.subjects.append(subject)
                client.sendmail("bob@example.com", [ALICE], octets)

    def config(self, text: str) -> Path:
        file = self.folder / "config"
        file.touch(0o600)
        file.write_text(text)
        return file

    def assert_fetched(self) -> None:
        """All are here, with their dots, and none is left on the server."""
        fetched = self.mail.read_bytes().replace(b"\r\n", b"\n").decode()
        for subject in self.subjects:
            self.assertEqual(fetched.count(f"Subject: {subject}\n"), 1)
        for text in TEXTS:
            self.assertIn("\n" + text.replace("\r\n", "\n") + "\n", fetched)
        client = poplib.POP3(HOST, self.server.ports["pop3"], timeout=PATIENCE)
        client.user(ALICE)
        client.pass_(PASSWORD)
        self.assertEqual(client.stat(), (0, 0))
        client.quit()

    def test_fetchmail(self) -> None:
        need("fetchmail", "fetchmail")
        config = self.config(
            f"poll localhost service {self.server.ports['pop3']} protocol pop3 uidl\n"
            f' user "{ALICE}" password "{PASSWORD}" sslproto "TLS1.2+" sslcertck'
            f' sslcertfile "{self.server.certificate}" mda "cat >>{self.mail}"\n'
        )
        files = ("--idfile", self.folder / "ids", "--pidfile", self.folder / "pid")
        run("env", f"HOME={self.folder}", "fetchmail", "-f", config, *files)
        self.assert_fetched()

    def test_mpop(self) -> None:
        need("mpop", "mpop")
        config = self.config(
            f"account a\nhost localhost\nport {self.server.ports['pop3']}\n"
            f'user {ALICE}\npassword "{PASSWORD}"\n'
            f"tls on\ntls_starttls on\ntls_trust_file {self.server.certificate}\n"
            f"keep off\ndelivery mbox {self.mail}\nuidls_file {self.folder}/ids\n"
        )
        run("mpop", "-C", config, "a")
        self.assert_fetched()

    def test_getmail(self) -> None:
        need("getmail", "getmail6")
        keep = self.folder / "keep"
        keep.write_text(f'#!/bin/sh\ncat >>"{self.mail}"\n')
        keep.chmod(0o755)
        config = self.config(
            f"[retriever]\ntype = SimplePOP3SSLRetriever\nserver = localhost\n"
            f"port = {self.server.ports['pop3s']}\nca_certs = {self.server.certificate}\n"
            f"username = {ALICE}\npassword = {PASSWORD}\n"
            f"[destination]\ntype = MDA_external\npath = {keep}\nallow_root_commands = true\n"
            f"[options]\ndelete = true\nverbose = 1\nreceived = false\n"
        )
        run("getmail", f"--getmaildir={self.folder}", f"--rcfile={config}")
        self.assert_fetched()
