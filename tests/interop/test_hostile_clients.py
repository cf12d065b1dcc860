"""Clients that mean harm, or know no better, against the running server: the others do not notice."""

from __future__ import annotations

import contextlib
import resource
import smtplib
import socket
import time

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SkipTest, TestCase

from mailproto.maillog import MailLog
from mailproto.observing import Client, Stalled
from tests.interop.server import ACCOUNTS, HOST, PASSWORD, PATIENCE, emptied, long_work, message, shared

GREETED = ("smtp", "submission", "lmtp", "pop3", "imap")
MEGABYTE = 1 << 20


class HostileClientTests(TestCase):
    def setUp(self) -> None:
        self.server = emptied(shared())

    def connect(self, name: str) -> socket.socket:
        client = socket.create_connection((HOST, self.server.ports[name]), PATIENCE)
        self.addCleanup(client.close)
        return client

    def greeted(self, name: str) -> socket.socket:
        client = self.connect(name)
        self.assertTrue(client.recv(4096))
        return client

    def assert_others_are_served(self) -> None:
        """A message comes in, and emptying the mailbox again takes it out."""
        began = time.monotonic()
        with smtplib.SMTP(HOST, self.server.ports["smtp"], timeout=PATIENCE) as client:
            client.sendmail("bob@example.com", [ACCOUNTS[0]], message()[1])
        emptied(self.server)
        self.assertLess(time.monotonic() - began, 5)

    def test_two_thousand_connections_at_once(self) -> None:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if hard != resource.RLIM_INFINITY and hard < 2500:
            raise SkipTest(f"needs 2500 open files, the hard limit is {hard}")
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2500), hard))
        before = self.server.memory()
        clients = [self.connect(name) for _ in range(400) for name in GREETED]
        for client in clients:
            self.assertTrue(client.recv(4096))
        self.assert_others_are_served()
        self.assertLess((self.server.memory() - before) / len(clients), 16 * 1024)

    def test_a_client_that_says_everything_and_closes_its_side(self) -> None:
        """Such as ``nc -N``: it waits for the answers, and the message is there."""
        client = self.greeted("lmtp")
        client.settimeout(PATIENCE)
        dialogue = b"LHLO a.example\r\nMAIL FROM:<>\r\nRCPT TO:<%b>\r\nDATA\r\nSubject: all\r\n\r\n.\r\n"
        client.sendall(dialogue % ACCOUNTS[0].encode())
        client.shutdown(socket.SHUT_WR)
        replies = b"".join(iter(lambda: client.recv(4096), b"")).splitlines()
        self.assertTrue(replies[-1].startswith(b"250 2.0.0 "), replies)
        self.assertEqual(replies[-2][:4], b"354 ")

    def test_endless_lines(self) -> None:
        before = self.server.memory()
        for name in GREETED:
            client = self.greeted(name)
            client.settimeout(PATIENCE)
            with contextlib.suppress(OSError):  # a server may also close the connection
                for _ in range(20):
                    client.sendall(b"x" * MEGABYTE)
                client.sendall(b"\r\nNOOP\r\n")
                self.assertTrue(client.recv(4096))
        self.assertLess(self.server.memory() - before, 10 * MEGABYTE)
        self.assert_others_are_served()

    def test_endless_commands_whose_answers_are_not_read(self) -> None:
        before = self.server.memory()
        commands = {"smtp": b"HELP\r\n", "pop3": b"CAPA\r\n", "imap": b"a CAPABILITY\r\n"}
        for name, command in commands.items():
            client = self.greeted(name)
            client.setblocking(False)
            deadline = time.monotonic() + 1
            while time.monotonic() < deadline:
                try:
                    client.send(command * 10_000)
                except BlockingIOError:
                    time.sleep(0.05)
                except ConnectionError:
                    break  # the server has had enough
        self.assertLess(self.server.memory() - before, 20 * MEGABYTE)
        self.assert_others_are_served()

    def test_octets_that_are_no_protocol(self) -> None:
        noise = bytes(range(256)) * 400
        for name in self.server.ports:
            for octets in (
                noise,
                b"\x16\x03\x01" + noise,
                b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                b"\0" * 5000,
            ):
                client = self.connect(name)
                with contextlib.suppress(OSError):
                    client.sendall(octets)
                client.close()
        self.assert_others_are_served()

    def test_a_literal_of_two_to_the_63(self) -> None:
        for announced in (b"{9223372036854775808}", b"{9223372036854775808+}", b"{99999999999999999999999}"):
            client = self.greeted("imap")
            client.sendall(b"a LOGIN " + announced + b"\r\n")
            with contextlib.suppress(ConnectionError):  # it may also close the connection
                self.assertRegex(client.recv(4096), rb"\A(a BAD |a NO |\* BYE |\Z)")
        self.assert_others_are_served()

    def test_the_log_has_no_failure_and_no_password(self) -> None:
        self.assert_others_are_served()
        printed = self.server.printed()
        self.assertNotIn("Traceback", printed)
        self.assertNotIn(PASSWORD, printed)


class StallTests(TestCase):
    """What these tests know of the server's stall meter (`Server.assert_fair`)."""

    def test_work_counts_and_waiting_does_not(self) -> None:
        client, log = Client("192.0.2.1", "imap"), MailLog(Clock())
        with capturedLogs() as events:
            log.stalled(Stalled(client, "SEARCH", 0.3, 0.2))
            log.stalled(Stalled(client, "FETCH", 0.3, 0.09))
        printed = "".join(f"2026-01-01T00:00:00 [-] {formatEvent(event)}\n" for event in events)
        self.assertEqual(
            long_work(printed), ["stalled peer=192.0.2.1 protocol=imap command=SEARCH ms=300 cpu_ms=200"]
        )
