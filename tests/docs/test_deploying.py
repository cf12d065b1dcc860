"""What ``docs/deploying.md`` shows is run."""

from __future__ import annotations

import imaplib
import re
import smtplib
from pathlib import Path

from mailproto.tls import ensure_self_signed
from tests.processes import CHECKOUT, Program, ProgramCase, port_of
from tests.service.test_process import untrusting

PAGE = (CHECKOUT / "docs" / "deploying.md").read_text()


class DeployingPageTests(ProgramCase):
    def setUp(self) -> None:
        super().setUp()
        self.app, self.tls, self.store = re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S)

    def tac(self, text: str) -> Program:
        """Run a block, on ports that the system chooses."""
        Path(self.folder, "app.tac").write_text(re.sub(r"tcp:\d+:", "tcp:0:", text))
        return self.start("--no_save", "--python", "app.tac")

    def test_app(self) -> None:
        program = self.tac(self.app)
        with smtplib.SMTP("127.0.0.1", port_of(program, "smtp")) as client:
            client.sendmail("bob@example.org", ["alice@example.org"], "Subject: x\r\n\r\nx\r\n")
        program.wait_for(r"bob@example\.org sent \d+ octets")

    def test_tls(self) -> None:
        for made, name in zip(
            ensure_self_signed(self.folder, "localhost"), ("fullchain.pem", "privkey.pem"), strict=True
        ):
            made.rename(made.with_name(name))
        program = self.tac(self.tls)
        plain = imaplib.IMAP4("127.0.0.1", port_of(program, "imap"))
        plain.starttls(untrusting())
        protected = imaplib.IMAP4_SSL("127.0.0.1", port_of(program, "imaps"), ssl_context=untrusting())
        for client in (plain, protected):
            client.login("alice@example.org", "secret")
            self.assertEqual(client.select(), ("OK", [b"1"]))
            client.logout()

    def test_a_store_that_lasts(self) -> None:
        for number in (1, 2):  # the account and the first message are there when it starts again
            program = self.tac(self.store)
            with smtplib.SMTP("127.0.0.1", port_of(program, "smtp")) as sender:
                sender.sendmail("bob@example.org", ["alice@example.org"], "Subject: x\r\n\r\nx\r\n")
            with imaplib.IMAP4("127.0.0.1", port_of(program, "imap")) as client:
                client.login("alice@example.org", "secret")
                self.assertEqual(client.select(), ("OK", [b"%d" % number]))
            program.stop()

    def test_catch_all(self) -> None:
        (command,) = re.findall(r"^    twistd -n (mailproto .*--catch-all.*)$", PAGE, re.M)
        program = self.start(*command.split(), "--smtp", "tcp:0:interface=127.0.0.1")
        program.wait_for("CATCH-ALL: every message")
        program.wait_for("mailproto is ready")
