"""What was answered with 250 is there, whatever becomes of the server."""

from __future__ import annotations

import contextlib
import imaplib
import poplib
import re
import smtplib
import socket
import threading
import time
from collections import Counter

from twisted.trial.unittest import TestCase

from tests.interop.server import ACCOUNTS, HOST, PASSWORD, PATIENCE, Server, message, new_folder

SESSIONS = 20
ACCOUNT = ACCOUNTS[0]


class Senders:
    """Sessions that each send one message after another until the server is gone.

    :ivar tried: subjects of messages whose sending began.
    :ivar accepted: subjects of those that were answered with 250.
    """

    def __init__(self, port: int) -> None:
        self.tried: list[str] = []
        self.accepted: list[str] = []
        self._threads = [threading.Thread(target=self._send, args=(port, n)) for n in range(SESSIONS)]
        for thread in self._threads:
            thread.start()

    def _send(self, port: int, number: int) -> None:
        # Some bodies are so large that a store may keep them elsewhere.
        text = ("x" * 70 + "\r\n") * (4000 if number == 0 else 60)
        gone = (smtplib.SMTPException, OSError)
        with contextlib.suppress(*gone):
            client = smtplib.SMTP(HOST, port, timeout=PATIENCE)
            with contextlib.closing(client), contextlib.suppress(*gone):
                while True:
                    subject, octets = message(text)
                    self.tried.append(subject)
                    client.sendmail("bob@example.com", [ACCOUNT], octets)
                    self.accepted.append(subject)

    def wait_for(self, number: int) -> None:
        """Until ``number`` messages were accepted."""
        deadline = time.monotonic() + PATIENCE
        while len(self.accepted) < number:
            if time.monotonic() > deadline:
                raise AssertionError(f"{len(self.accepted)} messages in {PATIENCE} seconds")
            time.sleep(0.01)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(PATIENCE)


class DurabilityTests(TestCase):
    def setUp(self) -> None:
        self.server = Server(new_folder(), [ACCOUNT])
        self.addCleanup(self.server.kill)

    def kept(self) -> Counter[str]:
        """How often each subject is in INBOX; every message must be whole, ``self.uids`` are theirs."""
        with imaplib.IMAP4(HOST, self.server.ports["imap"], timeout=PATIENCE) as client:
            client.login(ACCOUNT, PASSWORD)
            client.select()
            answer = client.uid("FETCH", "1:*", "(RFC822.SIZE BODY.PEEK[])")[1]
        subjects: Counter[str] = Counter()
        self.uids = []
        for prefix, body in (item for item in answer if isinstance(item, tuple)):
            self.uids.append(int(re.search(rb"UID (\d+)", prefix)[1]))
            size = int(re.search(rb"RFC822.SIZE (\d+)", prefix)[1])
            self.assertEqual((len(body), body[-5:]), (size, b"x\r\n\r\n"))
            subjects[re.search(rb"^Subject: (.*)\r$", body, re.M)[1].decode()] += 1
        return subjects

    def assert_nothing_lost(self, senders: Senders) -> None:
        kept = self.kept()
        self.assertEqual(set(senders.accepted) - set(kept), set(), "answered with 250, and lost")
        self.assertEqual([subject for subject, number in kept.items() if number > 1], [], "kept twice")
        self.assertLessEqual(set(kept), set(senders.tried))

    def test_kill_while_twenty_sessions_send(self) -> None:
        senders = Senders(self.server.ports["smtp"])
        senders.wait_for(300)
        self.server.kill()
        senders.join()
        self.server.start()
        self.assert_nothing_lost(senders)
        again = Senders(self.server.ports["smtp"])
        again.wait_for(100)
        before = max(self.uids)
        self.server.kill()
        again.join()
        self.server.start()
        again.tried += senders.tried
        again.accepted += senders.accepted
        self.assert_nothing_lost(again)
        self.assertGreater(max(self.uids), before)
        self.assertEqual(len(set(self.uids)), len(self.uids))

    def test_sigterm_while_twenty_sessions_send(self) -> None:
        senders = Senders(self.server.ports["smtp"])
        senders.wait_for(100)
        self.server.terminate()
        senders.join()
        self.server.start()
        self.assert_nothing_lost(senders)

    def test_sigterm_tells_idle_clients(self) -> None:
        closing_words = {"smtp": rb"421 ", "pop3": rb"-ERR ", "imap": rb"\* BYE "}
        clients = {name: socket.create_connection((HOST, self.server.ports[name])) for name in closing_words}
        for client in clients.values():
            self.addCleanup(client.close)
            client.settimeout(PATIENCE)
            client.recv(4096)  # the greeting
        began = time.monotonic()
        self.server.terminate()
        self.assertLess(time.monotonic() - began, 5)
        for name, client in clients.items():
            self.assertRegex(client.recv(4096), closing_words[name])
            self.assertEqual(client.recv(4096), b"")

    def test_what_pop3_and_imap_removed_stays_removed(self) -> None:
        with smtplib.SMTP(HOST, self.server.ports["smtp"], timeout=PATIENCE) as client:
            for _ in range(4):
                client.sendmail("bob@example.com", [ACCOUNT], message("x\r\n")[1])
        box = poplib.POP3(HOST, self.server.ports["pop3"], timeout=PATIENCE)
        box.user(ACCOUNT)
        box.pass_(PASSWORD)
        box.dele(1)
        box.quit()
        imap = imaplib.IMAP4(HOST, self.server.ports["imap"], timeout=PATIENCE)
        imap.login(ACCOUNT, PASSWORD)
        imap.select()
        imap.store("1", "+FLAGS", r"(\Deleted)")
        imap.expunge()
        imap.store("1", "+FLAGS", r"(\Flagged)")
        self.server.kill()
        imap.shutdown()
        self.server.start()
        again = imaplib.IMAP4(HOST, self.server.ports["imap"], timeout=PATIENCE)
        again.login(ACCOUNT, PASSWORD)
        self.addCleanup(again.logout)
        self.assertEqual(again.select(), ("OK", [b"2"]))
        found = again.uid("FETCH", "1:*", "(FLAGS)")[1]
        self.assertEqual([int(re.search(rb"UID (\d+)", line)[1]) for line in found], [3, 4])
        self.assertIn(rb"\Flagged", found[0])
