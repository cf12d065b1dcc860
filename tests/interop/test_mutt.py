"""Debian's mutt and neomutt, in a terminal, with all their defaults: who you are, where your mail is, the
password and the file of certificates that they trust is all that they are told."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.interop.server import ACCOUNTS, HOST, PASSWORD, emptied, message, need, run, shared
from tests.interop.terminal import Terminal

ALICE = ACCOUNTS[0]
READING = {"imap": "imap", "imaps": "imaps", "pop": "pop3", "pops": "pop3s"}
SENDING = {"smtp": "submission", "smtps": "submissions"}


class MuttTests(SynchronousTestCase):
    program = "mutt"

    def setUp(self) -> None:
        need(self.program, self.program)
        need("curl", "curl")
        self.server = emptied(shared())
        self.home = Path(tempfile.mkdtemp(dir=self.server.folder.parent))
        (self.home / "Mail").mkdir()  # they ask for it when they start the first time
        self.editor = self.home / "editor"
        self.editor.write_text('#!/bin/sh\necho "It works." >>"$1"\n')
        self.editor.chmod(0o755)

    def url(self, scheme: str, listener: str) -> str:
        return f"{scheme}://{ALICE.replace('@', '%40')}@{HOST}:{self.server.ports[listener]}/"

    def start(self, *arguments: str, settings: str = "") -> Terminal:
        """Start it with a configuration of a few lines; the file of certificates is the server's own."""
        config = self.home / "config"
        config.write_text(
            f"""
set from = "{ALICE}"
set certificate_file = "{self.server.certificate}"
set imap_pass = "{PASSWORD}"
set pop_pass = "{PASSWORD}"
set smtp_pass = "{PASSWORD}"
{settings}
"""
        )
        home = {"HOME": str(self.home), "EDITOR": str(self.editor), "VISUAL": str(self.editor)}
        terminal = Terminal([self.program, "-F", config, *arguments], home)
        self.addCleanup(terminal.kill)
        return terminal

    def signed_in(self, since: int) -> list[str]:
        """The lines of the mail log about who signed in, after so many characters."""
        time.sleep(0.1)  # lines that come together are written together
        return [line for line in self.server.printed()[since:].splitlines() if "] signed-in " in line]

    def test_send(self) -> None:
        for scheme, listener in SENDING.items():
            with self.subTest(scheme=scheme):
                emptied(self.server)
                since = len(self.server.printed())
                subject, _ = message()
                settings = f'set smtp_url = "{self.url(scheme, listener)}"'
                terminal = self.start("-s", subject, ALICE, settings=settings)
                for shown, keys in (("To: ", "\n"), ("Subject: ", "\n"), ("Mutt: Compose", "y")):
                    terminal.wait_for(shown)
                    terminal.type(keys)
                terminal.wait_for("Mail sent")
                self.assertEqual(terminal.end(), 0)
                received = self.only_message()
                self.assertIn(f"Subject: {subject}\r\n".encode(), received)
                self.assertTrue(received.rstrip().endswith(b"It works."))
                [line] = [line for line in self.signed_in(since) if "protocol=submission" in line]
                self.assertRegex(line, rf"tls=TLSv1\.3 account={ALICE} mechanism=SCRAM-SHA-256")

    def only_message(self) -> bytes:
        """What is in the INBOX."""
        url = f"pop3://{HOST}:{self.server.ports['pop3']}/1"
        return run("curl", "--silent", "--user", f"{ALICE}:{PASSWORD}", url)

    def test_read(self) -> None:
        subject, octets = message("Read me.", to=ALICE)
        mail = ("--mail-from", "bob@example.com", "--mail-rcpt", ALICE, "--upload-file", "-")
        run("curl", "--silent", f"smtp://{HOST}:{self.server.ports['smtp']}", *mail, given=octets)
        for scheme, listener in READING.items():
            with self.subTest(scheme=scheme):
                since = len(self.server.printed())
                terminal = self.start("-f", self.url(scheme, listener))
                terminal.wait_for(subject)  # in the list
                terminal.type("\n")
                terminal.wait_for("Read me[.]")
                terminal.type("qq")
                self.assertEqual(terminal.end(), 0)
                protocol = listener.rstrip("s")
                [line] = [line for line in self.signed_in(since) if f"protocol={protocol} " in line]
                self.assertRegex(line, rf"tls=TLSv1\.3 account={ALICE} mechanism=(SCRAM-SHA-256|PLAIN)$")


class NeomuttTests(MuttTests):
    program = "neomutt"
