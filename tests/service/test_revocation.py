"""An account is deleted, disabled or given another password by the command: the server ends its sessions."""

from __future__ import annotations

import socket
import time

from tests.processes import Program, ProgramCase, port_of

ANY = "tcp:0:interface=127.0.0.1"

SIGN_IN = {
    "imap": ("* OK", "a LOGIN bob@localhost secret", "a OK"),
    "pop3": ("+OK", "USER bob@localhost", "+OK", "PASS secret", "+OK"),
    "submission": ("220 ", "EHLO x", "250 ", "AUTH PLAIN AGJvYkBsb2NhbGhvc3QAc2VjcmV0", "235 "),
}
GO_ON = {
    "imap": ("b SELECT INBOX", "b OK", "c IDLE", "+ "),
    "pop3": (),
    "submission": ("MAIL FROM:<bob@localhost>", "250", "RCPT TO:<bob@localhost>", "250", "DATA", "354"),
}
LAST_WORDS = {"imap": "* BYE The account was ", "pop3": "-ERR [AUTH]", "submission": "421 4.7.0"}


class Client:
    """Lines over a socket."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.file = self.socket.makefile("rb")

    def play(self, *lines: str) -> None:
        """What is said and what must begin the answer, in turns; the greeting has come first."""
        for said, expected in zip(lines[::2], lines[1::2], strict=True):
            self.socket.sendall(said.encode() + b"\r\n")
            self.expect(expected)

    def expect(self, beginning: str) -> None:
        while not (line := self.file.readline()).startswith(beginning.encode()):
            if not line:
                raise AssertionError(f"the connection ended before {beginning!r}")

    def close(self) -> None:
        self.file.close()
        self.socket.close()


class RevocationTests(ProgramCase):
    def setUp(self) -> None:
        super().setUp()
        self.server: Program = self.start(
            *("mailproto", "--data", "data", "--account", "bob@localhost:secret"),
            *(word for kind in SIGN_IN for word in (f"--{kind}", ANY)),
        )
        self.server.wait_for("mailproto is ready")
        self.ports = {kind: port_of(self.server, kind) for kind in SIGN_IN}

    def clients(self) -> dict[str, Client]:
        """One of each protocol, signed in and in the middle of something."""
        clients = {kind: Client(port) for kind, port in self.ports.items()}
        for kind, client in clients.items():
            self.addCleanup(client.close)
            greeting, *steps = SIGN_IN[kind]
            client.expect(greeting)
            client.play(*steps, *GO_ON[kind])
        return clients

    def assert_ended(self, clients: dict[str, Client], done: float) -> None:
        for kind, client in clients.items():
            client.expect(LAST_WORDS[kind])
            self.assertEqual(client.file.read(), b"")
        self.assertLess(time.monotonic() - done, 1)

    def user(self, *words: str, given: str = "") -> float:
        done = self.command("user", *words, "--data", "data", given=given)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))
        return time.monotonic()

    def test_sessions_end_within_a_second(self) -> None:
        for change in (("passwd", "bob@localhost", "--password-stdin"), ("disable", "BOB@localhost")):
            clients = self.clients()
            self.assert_ended(clients, self.user(*change, given="secret\n"))
        self.user("enable", "bob@localhost")
        clients = self.clients()
        self.user("delete", "bob@localhost")
        done = self.user("add", "bob@localhost", "--password-stdin", given="of another person\n")
        self.assert_ended(clients, done)
        self.assertIn("bob@localhost was deleted, disabled or given another password", self.server.output)
        self.assertNotIn("Traceback", self.server.output)

    def test_others_go_on(self) -> None:
        self.user("add", "carol@localhost", "--password-stdin", given="x\n")
        clients = self.clients()
        self.user("delete", "carol@localhost")
        time.sleep(1)
        clients["imap"].play("DONE", "c OK", "d NOOP", "d OK")
        clients["pop3"].play("NOOP", "+OK")
        clients["submission"].play("Subject: x\r\n\r\n.", "250")
