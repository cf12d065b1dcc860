"""A disk that fails under the running server: never a wrong answer, and the log names the cause."""

from __future__ import annotations

import contextlib
import imaplib
import re
import smtplib
import subprocess
import time
from collections.abc import Iterator

from twisted.trial.unittest import SkipTest, TestCase

from mailproto.backends.sqlite._bodies import LARGE
from mailproto.backends.sqlite._room import LOOK_INTERVAL
from tests.durability.recorder import can_trace
from tests.interop.server import ACCOUNTS, HOST, PASSWORD, PATIENCE, Server, message, new_folder

ALICE = ACCOUNTS[0]
SMALL, BIG = "x\r\n", ("x" * 70 + "\r\n") * (LARGE // 72 + 10)

WRITES = "pwrite64,ftruncate,fallocate"
SYNCS = "fsync,fdatasync"

UNAVAILABLE = (451, "4.3.0 Temporary failure, try again later")
FULL = (452, "4.3.1 Insufficient system storage")

FAILURES = (
    # which calls fail; how; what a sender and a client of IMAP are told; what the log says
    (WRITES, "EIO", UNAVAILABLE, "UNAVAILABLE", "Input/output error"),
    (SYNCS, "EIO", UNAVAILABLE, "UNAVAILABLE", "Input/output error"),
    (f"{WRITES},{SYNCS}", "EROFS", UNAVAILABLE, "UNAVAILABLE", "Read-only file system"),
    (WRITES, "ENOSPC", FULL, "OVERQUOTA", "disk is full"),
    (f"{WRITES},{SYNCS}", "EDQUOT", FULL, "OVERQUOTA", "Disk quota exceeded"),
)


class FailingDiskTests(TestCase):
    timeout = 300

    def setUp(self) -> None:
        if not can_trace():
            raise SkipTest("needs strace, and leave to use it: install the Debian package strace")
        self.server = Server(new_folder(), [ALICE])
        self.addCleanup(self.server.kill)
        self.taken: list[str] = []

    @contextlib.contextmanager
    def failing(self, calls: str, error: str) -> Iterator[None]:
        """While inside, these system calls of the server fail."""
        record = self.server.folder.with_name("strace")
        arguments = ["-e", f"trace={calls}", "-e", f"inject={calls}:error={error}", "-o", str(record)]
        strace = subprocess.Popen(
            ["strace", "-f", "-p", str(self.server._process.pid), *arguments], stderr=subprocess.PIPE
        )
        assert strace.stderr is not None
        with strace.stderr as said:
            self.assertIn(b"attached", said.readline())
            time.sleep(0.2)  # until it has all threads
            try:
                yield
            finally:
                strace.terminate()
                strace.wait()

    def send(self, text: str) -> tuple[int, str]:
        subject, octets = message(text)
        with smtplib.SMTP(HOST, self.server.ports["smtp"], timeout=PATIENCE) as client:
            client.ehlo("client")
            client.mail("bob@example.com")
            client.rcpt(ALICE)
            code, reply = client.data(octets)
        if code == 250:
            self.taken.append(subject)
        return code, reply.decode()

    @contextlib.contextmanager
    def imap(self) -> Iterator[imaplib.IMAP4]:
        with imaplib.IMAP4(HOST, self.server.ports["imap"], timeout=PATIENCE) as client:
            client.login(ALICE, PASSWORD)
            yield client

    def assert_all_is_there(self) -> None:
        """What was taken, once, and nothing else."""
        with self.imap() as client:
            client.select()
            _, answer = client.fetch("1:*", "(BODY[])")
        bodies = [item[1] for item in answer if isinstance(item, tuple)]
        subjects = [re.search(rb"^Subject: (.*)\r$", body, re.M)[1].decode() for body in bodies]
        self.assertEqual(subjects, self.taken)
        for body in bodies:
            self.assertTrue(body.endswith(b"x\r\n\r\n"))

    def test_failures(self) -> None:
        for calls, error, refusal, code, cause in FAILURES:
            for text in (SMALL, BIG):
                self.assertEqual(self.send(text)[0], 250)
            logged = len(self.server.printed())
            with self.failing(calls, error):
                self.assertEqual(self.send(SMALL), refusal)
                if SYNCS in calls:  # a body is written by calls that others need, too
                    self.assertEqual(self.send(BIG), refusal)
                self.assert_all_is_there()
                with self.imap() as client:
                    client.select()
                    for command in (
                        lambda client=client: client.store("1", "+FLAGS", r"(\Flagged)"),
                        lambda client=client: client.create("Other"),
                        lambda client=client: client.append("INBOX", "", None, message(SMALL)[1]),
                        lambda client=client: client.copy("1", "Sent"),
                    ):
                        status, answer = command()
                        self.assertEqual((status, answer[0].split()[0]), ("NO", b"[%b]" % code.encode()))
                    status, answer = client.fetch("1", "(FLAGS)")
                    self.assertNotIn(b"Flagged", answer[0])
            printed = self.server.printed()[logged:]
            self.assertRegex(printed, rf"\[mail#error\] .*{cause}")
            self.assertNotIn("Traceback", printed)
            self.assertNotIn("no transaction", printed)
            time.sleep(2 * LOOK_INTERVAL)
            self.assertEqual(self.send(BIG)[0], 250)
            self.assert_all_is_there()
        self.server.kill()
        self.server.start()
        self.assert_all_is_there()
