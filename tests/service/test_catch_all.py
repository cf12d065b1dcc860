"""``twistd mailproto --catch-all``: a developer's program sends to anybody, and the mail is in one place."""

from __future__ import annotations

import imaplib
import smtplib

from tests.processes import ProgramCase, port_of

ANY = "tcp:0:interface=127.0.0.1"
MESSAGE = "From: Shop <shop@example.com>\r\nSubject: your order\r\n\r\nThank you.\r\n"


class CatchAllTests(ProgramCase):
    def test_everything_is_in_one_account(self) -> None:
        program = self.start(
            *("mailproto", "--store", "memory:", "--catch-all", "dev@localhost"),
            *("--account", "dev@localhost:secret", "--account", "alice@localhost:other"),
            *("--smtp", ANY, "--submission", ANY, "--imap", ANY),
        )
        program.wait_for("CATCH-ALL: every message, whoever it is to, goes to dev@localhost only")
        program.wait_for("mailproto is ready")
        self.assertNotIn("nobody can sign in", program.output)
        with smtplib.SMTP("127.0.0.1", port_of(program, "smtp")) as client:
            client.sendmail("shop@example.com", ["alice@localhost", "bob@customers.example"], MESSAGE)
        with smtplib.SMTP("127.0.0.1", port_of(program, "submission")) as client:
            client.login("alice@localhost", "other")
            client.sendmail("shop@example.com", ["carol@customers.example"], MESSAGE)
        imap = imaplib.IMAP4("127.0.0.1", port_of(program, "imap"))
        imap.login("dev@localhost", "secret")
        self.assertEqual(imap.select(), ("OK", [b"2"]))
        fields = [
            imap.fetch(number, "(BODY[HEADER.FIELDS (X-Original-To)])")[1][0][1].split(b"\r\n")
            for number in ("1", "2")
        ]
        imap.logout()
        self.assertEqual(
            fields,
            [
                [b"X-Original-To: alice@localhost", b"X-Original-To: bob@customers.example", b"", b""],
                [b"X-Original-To: carol@customers.example", b"", b""],
            ],
        )

    def test_an_account_without_a_password_is_told(self) -> None:
        program = self.start("mailproto", "--store", "memory:", "--catch-all", "dev@localhost", "--smtp", ANY)
        program.wait_for("CATCH-ALL: nobody can sign in as dev@localhost yet")
