"""Clients of another machine: server and client in network namespaces of their own, with a cable."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from itertools import count
from typing import Any

from twisted.trial.unittest import SkipTest, TestCase

from tests.interop.server import ACCOUNTS, PASSWORD, Server, need, new_folder, run

ALICE = ACCOUNTS[0]
PORTS = {"smtp": 25, "submission": 587, "imap": 143, "pop3": 110, "lmtp": 24}
_numbers = count(1)

_CLIENT = """
import json, socket, sys, time

def ask(host, port, *lines):
    began = time.monotonic()
    client = socket.create_connection((host, port), 20)
    file = client.makefile("rb")
    heard = [file.readline().decode()]
    waited = time.monotonic() - began
    for line in lines:
        client.sendall(line.encode() + b"\\r\\n")
        while True:
            heard.append(file.readline().decode())
            if heard[-1][3:4] != "-" and not heard[-1].startswith("* "):
                break
    kept.append((client, file))
    return waited, "".join(heard)

kept = []
print(json.dumps([ask(*talk) for talk in json.loads(sys.argv[1])]))
"""


_READER = """
import poplib, sys

box = poplib.POP3("::1", 110)
box.user(sys.argv[1])
box.pass_(sys.argv[2])
for number in range(box.stat()[0]):
    print(b"\\n".join(box.retr(number + 1)[1]).decode())
"""


class RemotePeerTests(TestCase):
    def setUp(self) -> None:
        if os.geteuid() != 0:
            raise SkipTest("needs root, for network namespaces")
        need("ip", "iproute2")
        number = f"{os.getpid()}-{next(_numbers)}"
        self.here, self.there = f"mp-here-{number}", f"mp-there-{number}"
        for name in (self.here, self.there):
            try:
                run("ip", "netns", "add", name)
            except AssertionError as error:
                raise SkipTest(f"needs network namespaces: {error}") from None
            self.addCleanup(subprocess.run, ["ip", "netns", "del", name], check=False)
        self.ip(self.here, "link add cable type veth peer name cable netns", self.there)
        for name, last in ((self.here, 1), (self.there, 2)):
            self.ip(name, "link set lo up")
            self.ip(name, f"addr add 198.51.100.{last}/24 dev cable")
            for prefix in ("2001:db8::", "fe80::"):
                self.ip(name, f"addr add {prefix}{last}/64 dev cable nodad")
            self.ip(name, "link set cable addrgenmode none")  # no other fe80:: of its own
            self.ip(name, "link set cable up")

    def ip(self, name: str, words: str, *more: str) -> None:
        run("ip", "-n", name, *words.split(), *more)

    def serve(self, *options: str) -> Server:
        listeners = [f"--{name}=tcp6:{port}:interface=\\:\\:" for name, port in PORTS.items()]
        wrapper = ("ip", "netns", "exec", self.here)
        server = Server(new_folder(), [ALICE], [*listeners, *options], wrapper=wrapper)
        self.addCleanup(server.kill)
        return server

    def ask(self, *talks: tuple[str, str, *tuple[str, ...]], where: str = "") -> list[tuple[float, str]]:
        """For each of (host, listener, lines): seconds to the greeting, and all that was heard.

        All stay connected until the last one is heard.
        """
        asked = json.dumps([(host, PORTS[listener], *lines) for host, listener, *lines in talks])
        command = ("ip", "netns", "exec", where or self.there, sys.executable, "-c", _CLIENT, asked)
        heard: list[Any] = json.loads(run(*command))
        return [(waited, text) for waited, text in heard]

    def test_addresses_of_all_kinds(self) -> None:
        server = self.serve()
        hosts = ("198.51.100.1", "2001:db8::1", "fe80::1%cable")
        mail = ("EHLO client.example", "MAIL FROM:<bob@example.com>", f"RCPT TO:<{ALICE}>", "DATA")
        talks: list[Any] = [(host, "smtp", *mail, "Subject: x\r\n\r\ny\r\n.") for host in hosts]
        for host, (waited, text) in zip(hosts, self.ask(*talks), strict=True):
            self.assertGreater(waited, 1.9, host)
            self.assertNotIn(" PLAIN", text)
            self.assertIn("250 2.0.0 Taken", text)
        for host in hosts:
            submission, imap, pop3 = self.ask(
                (host, "submission", "EHLO a", "AUTH PLAIN AGEAYg=="),
                (host, "imap", f'a LOGIN "{ALICE}" "{PASSWORD}"'),
                (host, "pop3", f"USER {ALICE}"),
            )
            self.assertIn("538 5.7.11", submission[1])
            self.assertIn("LOGINDISABLED", imap[1])
            self.assertIn("a NO [PRIVACYREQUIRED]", imap[1])
            self.assertIn("-ERR Passwords are not taken in clear", pop3[1])
            self.assertLess(submission[0], 1.5)
        ((waited, text),) = self.ask(("::1", "smtp", "EHLO a"), where=self.here)
        self.assertLess(waited, 1)
        self.assertIn(" PLAIN", text)
        self.assertEqual(self.received(), ["[198.51.100.2]", "[IPv6:2001:db8::2]", "[IPv6:fe80::2]"])
        server.terminate()

    def received(self) -> list[str]:
        """The addresses in the Received fields of all messages."""
        text = run("ip", "netns", "exec", self.here, sys.executable, "-c", _READER, ALICE, PASSWORD).decode()
        return re.findall(r"Received: from client\.example \((\[.*\])\)", text)

    def test_limits_and_the_log(self) -> None:
        server = self.serve("--limit", "imap.connections_per_peer=1")
        for host, name in (
            ("198.51.100.1", "198.51.100.2"),
            ("2001:db8::1", "2001:db8::2"),
            ("fe80::1%cable", "fe80::2%cable"),
        ):
            first, second = self.ask((host, "imap", "a NOOP"), (host, "imap"))
            self.assertIn("a OK", first[1])
            self.assertIn("* BYE", second[1])
            line = f'[mail#warn] turned-away peer={name} protocol=imap reason="too many connections"\n'
            self.assertIn(line, server.printed())
        server.terminate()
