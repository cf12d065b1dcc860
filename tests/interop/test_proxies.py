"""Real clients that say, as proxies do, whom they speak for."""

from __future__ import annotations

import base64
import re
import socket
import time
from typing import Any

from twisted.trial.unittest import TestCase

from tests.interop.daemons import Daemon, postfix_with_xclient
from tests.interop.proxies import AuthServer, haproxy, nginx
from tests.interop.server import ACCOUNTS, HOST, PASSWORD, PATIENCE, Server, need, new_folder, run

CLIENT = "203.0.113.9"
ALICE, BOB, _ = ACCOUNTS


class ProxyTestCase(TestCase):
    def serve(self, *options: str) -> None:
        need("swaks", "swaks")
        need("curl", "curl")
        self.server = Server(new_folder(), ACCOUNTS[:1], options)
        self.addCleanup(self.server.terminate)

    def swaks(self, *options: str, status: int = 0) -> str:
        """The dialogue of one message to the account."""
        arguments = ("--server", f"{HOST}:{self.server.ports['smtp']}", "--to", ACCOUNTS[0])
        return run("swaks", *arguments, "--from", "bob@example.com", *options, status=status).decode()

    def inbox(self, *options: str) -> list[str]:
        """Its messages."""
        count = self._pop3("", *options).count("\n")
        return [self._pop3(str(number + 1), *options) for number in range(count)]

    def _pop3(self, path: str, *options: str) -> str:
        url = f"pop3s://{HOST}:{self.server.ports['pop3s']}/{path}"
        trust = ("--cacert", self.server.certificate)
        user = f"{ACCOUNTS[0]}:{PASSWORD}"
        return run("curl", "--silent", "--show-error", *trust, "--user", user, *options, url).decode()


class Talk:
    """A client that sends a line, and reads the answer."""

    def __init__(self, test: TestCase, place: tuple[str, int] | str, first: str = "") -> None:
        self._socket = socket.socket(socket.AF_UNIX if isinstance(place, str) else socket.AF_INET)
        test.addCleanup(self._socket.close)
        self._socket.settimeout(PATIENCE)
        self._socket.connect(place)
        if first:
            self._socket.sendall(f"{first}\r\n".encode())
        self._file = self._socket.makefile("rb")
        test.addCleanup(self._file.close)
        self.greeting = self.answer()

    def say(self, line: str) -> str:
        self._socket.sendall(f"{line}\r\n".encode())
        return self.answer()

    def answer(self) -> str:
        """All lines of it; "" at the end."""
        answer = ""
        while line := self._file.readline().decode():
            answer += line
            if not re.match(r"\d\d\d-", line):
                break
        return answer

    def script(self, *lines: str) -> list[str]:
        """The codes of the answers."""
        return [self.say(line)[:9].rstrip("\r\n") for line in lines]


def plain(name: str, password: str = PASSWORD) -> str:
    return "AUTH PLAIN " + base64.b64encode(f"\0{name}\0{password}".encode()).decode()


class PROXYTests(ProxyTestCase):
    def test_both_versions_in_front_of_everything(self) -> None:
        self.serve("--proxy", HOST, "--limit", "smtp.greeting_wait=0.2")
        address = ("--proxy-source", CLIENT, "--proxy-source-port", "40000")
        address += ("--proxy-dest", "198.51.100.2", "--proxy-dest-port", "25")
        for options in (
            ("--proxy-version", "1", "--proxy-family", "TCP4"),
            ("--proxy-version", "2", "--proxy-family", "AF_INET", "--proxy-protocol", "STREAM"),
            ("--proxy-version", "2", "--proxy-family", "AF_INET", "--proxy-protocol", "STREAM", "--tls"),
        ):
            self.swaks(*options, *address)
        messages = self.inbox("--haproxy-protocol")  # before TLS begins
        self.assertEqual(len(messages), 3)
        for message in messages:
            self.assertIn(f" ([{CLIENT}])\r\n", message)
        self.swaks("--timeout", "2", status=21)  # no header, no greeting


class HAProxyTests(ProxyTestCase):
    def serve_behind(self, **settings: str) -> None:
        limits = [
            word
            for name, value in settings.items()
            for word in ("--limit", f"{name.replace('__', '.')}={value}")
        ]
        self.serve("--proxy", HOST, *limits)

    def start(self, *arguments: Any) -> Daemon:
        daemon = haproxy(*arguments)
        self.addCleanup(daemon.stop)
        return daemon

    def test_health_checks(self) -> None:
        """They have two seconds, and others may be connected."""
        limits = [f"{name}.connections_per_peer=1" for name in ("smtp", "submission", "pop3", "imap")]
        limits.append("smtp.greeting_wait=2.5")
        self.serve("--proxy", HOST, *(word for limit in limits for word in ("--limit", limit)))
        backends = {}
        for listener, check in (
            ("smtp", "option smtpchk"),
            ("smtp", "option smtpchk EHLO haproxy.test"),
            ("submission", "option smtpchk EHLO haproxy.test"),
            ("pop3", "option tcp-check\ntcp-check expect string +OK"),
            ("imap", "option tcp-check\ntcp-check expect string *\\ OK"),
            ("smtp", ""),
            ("imaps", ""),
        ):
            for version in ("send-proxy", "send-proxy-v2"):
                server = f"server server{len(backends)} {HOST}:{self.server.ports[listener]}"
                lines = [*check.splitlines(), f"{server} check {version}"]
                backends[f"{listener}{len(backends)}"] = [line for line in lines if line]
        daemon = self.start(backends)
        busy = Talk(self, (HOST, daemon.port))
        self.assertTrue(busy.greeting.startswith("220 "))
        passed: set[str] = set()
        deadline = time.monotonic() + PATIENCE
        while len(passed) < len(backends):
            self.assertLess(time.monotonic(), deadline, f"{passed} of\n{daemon.printed()}")
            self.assertNotRegex(daemon.printed(), "failed|DOWN|timeout")
            passed = set(
                re.findall(r"(server\d+) succeeded, reason: Layer[467] check passed", daemon.printed())
            )
            time.sleep(0.1)
        self.assertNotRegex(self.server.printed(), "#(warn|error|critical)|Traceback|too many")

    def test_clients_that_it_cannot_name_are_not_local(self) -> None:
        """It says UNKNOWN of those at its Unix sockets, and with version 2 LOCAL."""
        self.serve("--proxy", HOST)
        server = f"server server {HOST}:{self.server.ports['submission']}"
        names = {"v1": "send-proxy", "v2": "send-proxy-v2"}
        backends = {name: [f"{server} {option}"] for name, option in names.items()}
        daemon = self.start(backends, {name: f"unix@{{folder}}/{name}.socket" for name in names})
        local = Talk(self, (HOST, daemon.port))
        self.assertIn(" PLAIN", local.say("EHLO a"))
        for name in names:
            unknown = Talk(self, f"{daemon.folder}/{name}.socket")
            self.assertNotIn(" PLAIN", unknown.say("EHLO a"))
            self.assertEqual(unknown.script(plain(ALICE)), ["538 5.7.11"[:9]])


class NginxTests(ProxyTestCase):
    """The accounts that may sign in at nginx need not be those of the server."""

    def setUp(self) -> None:
        self.serve("--xclient", HOST, "--limit", "smtp.greeting_wait=0.2")
        passwords = {ALICE: PASSWORD, "ghost@example.org": PASSWORD}
        ports = self.server.ports
        auth = AuthServer(passwords, lambda signed_in: ports["submission" if signed_in else "smtp"])
        self.addCleanup(auth.stop)
        self.nginx = nginx(auth)
        self.addCleanup(self.nginx.stop)

    def client(self, address: str = CLIENT) -> Talk:
        return Talk(self, (HOST, self.nginx.port), f"PROXY TCP4 {address} 198.51.100.2 40000 25")

    def test_a_message(self) -> None:
        client = self.client()
        codes = client.script(
            "EHLO client.example", "MAIL FROM:<bob@example.com>", f"RCPT TO:<{ALICE}>", "DATA"
        )
        self.assertEqual(codes, ["250-nginx", "250 2.0.0", "250 2.1.5", "354 Go ah"])
        self.assertEqual(client.script("Subject: x\r\n\r\ny\r\n.", "QUIT"), ["250 2.0.0", "221 2.0.0"])
        (message,) = self.inbox()
        self.assertIn(f"Received: from client.example ([{CLIENT}])\r\n", message)
        self.assertIn(f"{CLIENT} via {HOST}: by XCLIENT", self.server.printed())

    def test_a_stranger_speaks_for_nobody(self) -> None:
        for address in (CLIENT, "127.0.0.1", "127.0.0.2"):
            client = self.client(address)
            client.script("EHLO client.example", "MAIL FROM:<bob@example.com>", f"RCPT TO:<{ALICE}>")
            offer = client.say("EHLO client.example")
            self.assertIn("mail.test", offer)
            self.assertNotIn("XCLIENT", offer)
            for attributes in (
                f"LOGIN={BOB}",
                f"ADDR=127.0.0.1 LOGIN={BOB}",
                "ADDR=127.0.0.1",
                "NAME=a",
                "FOO",
            ):
                self.assertEqual(client.script(f"XCLIENT {attributes}"), ["550 5.7.0"])
            if address == CLIENT:
                self.assertEqual(client.script(plain(ALICE)), ["538 5.7.1"])

    def test_who_signed_in(self) -> None:
        client = self.client()
        self.assertEqual(client.script("EHLO client.example", plain(ALICE)), ["250-nginx", "235 2.0.0"])
        codes = client.script(f"XCLIENT LOGIN={BOB}", f"MAIL FROM:<{BOB}>", f"MAIL FROM:<{ALICE}>")
        self.assertEqual(codes, ["550 5.7.0", "550 5.7.1", "250 2.1.0"])
        client.script(f"RCPT TO:<{ALICE}>", "DATA", "Subject: x\r\n\r\ny\r\n.", "QUIT")
        (message,) = self.inbox()
        self.assertIn(" with ESMTPA\r\n", message)

    def test_who_has_an_account_there_alone(self) -> None:
        client = self.client()
        client.script("EHLO client.example")
        self.assertIn("535 5.7.8", client.say(plain("ghost@example.org")))
        self.assertEqual(client.answer(), "")
        self.assertIn("no account that can sign in: 'ghost@example.org'", self.server.printed())


class XCLIENTTests(ProxyTestCase):
    def test_a_client_and_its_name(self) -> None:
        self.serve("--xclient", HOST)
        options = ("--xclient-addr", CLIENT, "--xclient-helo", "client.example", "--xclient-proto", "ESMTP")
        dialogue = self.swaks(*options, "--xclient-name", "client.example", "--helo", "proxy.example")
        self.assertIn(" -> XCLIENT ", dialogue)
        (message,) = self.inbox()
        self.assertIn(f" ([{CLIENT}])\r\n", message)

    def test_once_as_with_postfix(self) -> None:
        self.serve("--xclient", HOST, "--limit", "smtp.greeting_wait=0")
        postfix = postfix_with_xclient()
        for port in (self.server.ports["smtp"], postfix.port):
            talk = Talk(self, (HOST, port))
            self.assertIn("250-XCLIENT NAME ADDR P", talk.say("EHLO a"))
            codes = talk.script(
                "XCLIENT",
                "XCLIENT FOO=a",
                "XCLIENT ADDR=client.example",
                "MAIL FROM:<a@example.com>",
                f"XCLIENT ADDR={CLIENT}",
                "RSET",
            )
            self.assertEqual([code[:3] for code in codes], ["501", "501", "501", "250", "503", "250"])
            self.assertEqual(talk.say(f"XCLIENT ADDR={CLIENT} NAME=client.example")[:4], "220 ")
            self.assertNotIn("XCLIENT", talk.say("EHLO a"))
            again = ("XCLIENT ADDR=127.0.0.1", f"XCLIENT LOGIN={BOB}", "XCLIENT FOO=a")
            self.assertEqual(talk.script(*again), ["550 5.7.0"] * 3)
