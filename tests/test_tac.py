"""Each file in ``tac/`` is short, is started by ``twistd -ny``, and does what it says."""

from __future__ import annotations

import imaplib
import smtplib
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.processes import CHECKOUT, Program, ProgramCase, port_of
from tests.service.test_process import untrusting

FOLDER = CHECKOUT / "tac"
MESSAGE = "Subject: hello\r\n\r\nIt works.\r\n"
ANY = "tcp:0:interface=127.0.0.1"


def send(port: int, recipient: str) -> None:
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.sendmail("bob@example.org", [recipient], MESSAGE)


class LengthTests(SynchronousTestCase):
    def test_each_has_under_20_lines_and_a_test(self) -> None:
        files = sorted(file.name for file in FOLDER.iterdir())
        self.assertEqual(files, ["custom_backend.tac", "memory.tac", "relay.tac", "server.tac"])
        for file in files:
            self.assertLess(len(Path(FOLDER, file).read_text().splitlines()), 20, file)


class TacTests(ProgramCase):
    def tac(self, name: str, **environment: str) -> Program:
        return self.start("--no_save", "--python", str(FOLDER / name), **environment)

    def smtp_and_imap(self, name: str) -> tuple[int, int]:
        """Start one that has these two; their ports."""
        program = self.tac(name, MAILPROTO_SMTP=ANY, MAILPROTO_IMAP=ANY)
        return port_of(program, "smtp"), port_of(program, "imap")

    def bodies(self, client: imaplib.IMAP4, name: str) -> list[bytes]:
        client.login(name, "secret")
        count = int((client.select()[1][0] or b"").decode())
        bodies = [client.fetch(str(number), "(BODY[TEXT])")[1][0][1] for number in range(1, count + 1)]
        client.logout()
        return bodies  # type: ignore[return-value]

    def test_memory(self) -> None:
        smtp, imap = self.smtp_and_imap("memory.tac")
        send(smtp, "alice@localhost")
        self.assertEqual(self.bodies(imaplib.IMAP4("127.0.0.1", imap), "alice@localhost"), [b"It works.\r\n"])

    def test_custom_backend(self) -> None:
        smtp, imap = self.smtp_and_imap("custom_backend.tac")
        send(smtp, "anybody@anywhere.example")
        bodies = self.bodies(imaplib.IMAP4("127.0.0.1", imap), "alice@localhost")
        self.assertEqual(bodies, [b"first\r\n", b"second\r\n", b"It works.\r\n"])

    def test_server(self) -> None:
        program = self.tac(
            "server.tac",
            MAILPROTO_DATA="data",
            MAILPROTO_SMTP=ANY,
            MAILPROTO_SUBMISSIONS=ANY,
            MAILPROTO_IMAPS=ANY,
        )
        program.wait_for("mailproto is ready")
        send(port_of(program, "smtp"), "alice@example.org")
        imaps = port_of(program, "imaps")
        client = imaplib.IMAP4_SSL("127.0.0.1", imaps, ssl_context=untrusting())
        self.assertEqual(self.bodies(client, "alice@example.org"), [b"It works.\r\n"])

    def test_relay(self) -> None:
        """The smarthost is another server, which knows alice alone."""
        smarthost, imap = self.smtp_and_imap("memory.tac")
        program = self.tac(
            "relay.tac",
            MAILPROTO_DATA="data",
            MAILPROTO_DOMAIN="relay.example",
            MAILPROTO_SMTP=ANY,
            MAILPROTO_SMARTHOST=f"smtp://127.0.0.1:{smarthost}",
        )
        with smtplib.SMTP("127.0.0.1", port_of(program, "smtp")) as client:
            client.sendmail("bob@example.org", ["alice@localhost", "eve@localhost"], MESSAGE)
        program.wait_for(r"sent .*recipient=<alice@localhost> ")
        program.wait_for(r"given-up .*recipient=<eve@localhost> .*550 5\.1\.1")
        self.assertEqual(self.bodies(imaplib.IMAP4("127.0.0.1", imap), "alice@localhost"), [b"It works.\r\n"])
