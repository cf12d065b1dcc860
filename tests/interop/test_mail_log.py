"""The mail log of the running server: what an operator greps for."""

from __future__ import annotations

import imaplib
import os
import re
import smtplib
import time

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.interop.server import ACCOUNTS, HOST, PASSWORD, PATIENCE, Server, need, new_folder, run, shared

ALICE, BOB = ACCOUNTS[:2]
FULL_DISK = 'mkdir -p "$0" && mount -t tmpfs -o size=8m tmpfs "$0" && exec "$@"'
"""A disk of the server's own, which is small."""


def grep(server: Server, *words: str, since: int = 0) -> list[str]:
    """The lines that have all of ``words``, without the time; there is at least one, now or soon."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        time.sleep(0.05)  # lines that come together are written together
        lines = [line.partition(" ")[2] for line in server.printed()[since:].splitlines()]
        if found := [line for line in lines if all(word in line for word in words)]:
            return found
    raise AssertionError(f"never logged {words}:\n{server.printed()[since:]}")


class SwaksTests(SynchronousTestCase):
    def setUp(self) -> None:
        need("swaks", "swaks")
        self.server = shared()
        self.since = len(self.server.printed())

    def swaks(self, name: str, *options: str, status: int = 0) -> str:
        to = ("--server", f"{HOST}:{self.server.ports[name]}", "--from", "bob@example.com")
        return run("swaks", *to, "--helo", "client.example", *options, status=status).decode()

    def grep(self, *words: str) -> list[str]:
        return grep(self.server, *words, since=self.since)

    def test_a_message_is_followed_by_its_id(self) -> None:
        heard = self.swaks("smtp", "--to", f"{ALICE},{BOB}", "--header", "Message-Id: <1@client.example>")
        id = re.search(r"250 2\.0\.0 Taken as (\w+)", heard)
        assert id is not None
        taken, *others = self.grep(f"id={id[1]} ")
        self.assertRegex(
            taken,
            rf"\[mail#info\] taken id={id[1]} peer=127\.0\.0\.1 protocol=smtp helo=client\.example"
            rf" sender=<bob@example\.com> recipients=2 recipient=<{ALICE}>,<{BOB}>"
            r" size=\d+ message_id=<1@client\.example>$",
        )
        self.assertEqual(
            others,
            [
                f"[mail#info] accepted id={id[1]} recipient=<{name}> detail={name}/INBOX"
                for name in (ALICE, BOB)
            ],
        )

    def test_a_refusal(self) -> None:
        self.swaks("smtp", "--to", "nobody@example.org", status=24)
        [line] = self.grep("] refused ", "recipient=<nobody@example.org>")
        self.assertIn("command=RCPT sender=<bob@example.com>", line)
        self.assertIn('reply="550 5.1.1 No such mailbox here"', line)

    def test_submission(self) -> None:
        login = ("--to", BOB, "--auth", "PLAIN", "--auth-user", ALICE, "--auth-password")
        self.swaks("submission", "--tls", "--from", ALICE, *login, PASSWORD)
        self.swaks("submission", "--tls", "--from", ALICE, *login, "wrong", status=28)
        self.swaks("submission", "--to", BOB, status=23)
        [line] = self.grep("] signed-in ")
        self.assertIn(f"tls=TLSv1.3 account={ALICE} mechanism=PLAIN", line)
        [line] = self.grep("] taken ")
        self.assertIn(f"protocol=submission helo=client.example tls=TLSv1.3 account={ALICE}", line)
        [line] = self.grep("sign-in-failed")
        self.assertIn(f'mechanism=PLAIN name={ALICE} detail="wrong password for {ALICE}"', line)
        [line] = self.grep("] refused ", "command=MAIL")
        self.assertIn('reply="530 5.7.0 Authentication required"', line)


class FullDiskTests(SynchronousTestCase):
    """The data folder is on a disk of 8 MB, which is then full: each failure has its cause in the log."""

    def setUp(self) -> None:
        if os.geteuid():
            raise SkipTest("needs root, for a disk of its own")
        folder = new_folder()
        wrapper = ("unshare", "--mount", "sh", "-c", FULL_DISK, str(folder))
        self.server = Server(folder, [ALICE], wrapper=wrapper)
        self.addCleanup(self.server.kill)

    def fill(self) -> None:
        """Send until there is no room."""
        message = b"Subject: hello\r\n\r\n" + (b"x" * 70 + b"\r\n") * 1500
        with smtplib.SMTP(HOST, self.server.ports["smtp"], timeout=PATIENCE) as client:
            for _ in range(200):
                try:
                    client.sendmail("bob@example.com", [ALICE], message)
                except smtplib.SMTPDataError as error:
                    self.refusal = error
                    return
        raise AssertionError("the disk was never full")

    def test_each_protocol(self) -> None:
        self.fill()
        self.assertEqual(self.refusal.smtp_code, 452)
        self.assertNotIn(b"OperationalError", self.refusal.smtp_error)
        cause = "(database or disk is full|No space left on device)"
        line = grep(self.server, "deferred id=", f"recipient=<{ALICE}>")[-1]
        self.assertRegex(line, rf'^\[mail#error\] .* reply="452 4\.3\.1 .*" detail=".*{cause}.*"$')
        big = b"Subject: hello\r\n\r\n" + b"x" * 200_000
        with imaplib.IMAP4(HOST, self.server.ports["imap"]) as client:
            client.login(ALICE, PASSWORD)
            answer, text = client.append("INBOX", "", "", big)
            self.assertEqual(answer, "NO")
            self.assertNotIn(b"OperationalError", text[0])
        [line] = grep(self.server, "failed", "command=APPEND")
        self.assertRegex(line, rf'^\[mail#error\] .* account={ALICE} .*detail=".*{cause}.*"$')
        with smtplib.LMTP(HOST, self.server.ports["lmtp"]) as client:
            self.assertRaises(smtplib.SMTPException, client.sendmail, "bob@example.com", [ALICE], big)
        [line] = grep(self.server, "deferred id=", "protocol=lmtp")
        self.assertRegex(line, cause)
