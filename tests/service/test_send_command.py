"""``mailproto send``, as scripts and cron use it."""

from __future__ import annotations

import imaplib
import io
import os
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailproto.service import _send_command
from mailproto.service._send_command import _read, with_header
from tests.processes import Program, ProgramCase, port_of

ANY = "tcp:0:interface=127.0.0.1"
MESSAGE = "Subject: hello\n\nIt works.\n"


class ReadTests(SynchronousTestCase):
    def read(self, octets: bytes, *, to_the_end: bool = False) -> bytes:
        return _read(io.BytesIO(octets), to_the_end=to_the_end)

    def test_line_ends(self) -> None:
        for octets in (b"a: b\n\nx\ny", b"a: b\r\n\r\nx\r\ny\r\n", b"a: b\r\rx\ry\r"):
            self.assertEqual(self.read(octets), b"a: b\r\n\r\nx\r\ny\r\n")

    def test_a_dot_ends_the_message_unless_it_does_not(self) -> None:
        self.assertEqual(self.read(b"a: b\n\nx\n.\ny\n"), b"a: b\r\n\r\nx\r\n")
        self.assertEqual(self.read(b".\nx\n"), b"")
        self.assertEqual(self.read(b"a: b\n\nx\n.\ny\n", to_the_end=True), b"a: b\r\n\r\nx\r\n.\r\ny\r\n")

    def test_the_line_of_a_file_in_mbox_form(self) -> None:
        self.assertEqual(self.read(b"From bob Sat Nov 28 12:00:00 2026\na: b\n\n"), b"a: b\r\n\r\n")

    def test_too_long(self) -> None:
        self.patch(_send_command, "MAX_MESSAGE", 5)
        self.assertRaisesRegex(Exception, "more than 5 octets", self.read, b"123456")


class HeaderTests(SynchronousTestCase):
    def header(self, octets: bytes, name: str = "") -> list[tuple[str, str]]:
        made = with_header(octets, sender="root@a.example", name=name, now=0, host="a.example")
        return re.findall(r"^(\S+): (.*)$", made.decode().replace("\r\n", "\n"), re.M)

    def test_what_is_missing_is_added(self) -> None:
        names = [field[0] for field in self.header(b"Subject: x\r\n\r\ny\r\n")]
        self.assertEqual(names, ["Received", "From", "Date", "Message-ID", "Subject"])

    def test_what_is_there_stays(self) -> None:
        octets = b"from: b@c\r\nDATE: now\r\nMessage-Id: <1@2>\r\n\r\n"
        names = [field[0] for field in self.header(octets)]
        self.assertEqual(names, ["Received", "from", "DATE", "Message-Id"])

    def test_a_name(self) -> None:
        self.assertIn(("From", "Cron Daemon <root@a.example>"), self.header(b"\r\nx\r\n", "Cron Daemon"))
        self.assertIn(("From", "=?utf-8?q?J=C3=B6?= <root@a.example>"), self.header(b"\r\nx\r\n", "J\u00f6"))

    def test_a_name_with_characters_of_addresses(self) -> None:
        for name, field in (
            ("Doe, John", '"Doe, John"'),
            ('J "o" <x@y>', r'"J \"o\" <x@y>"'),
            ("back\\slash", r'"back\\slash"'),
            ("two\r\nBcc: eve@d.example", '"two Bcc: eve@d.example"'),
            ("J\u00f6, x", "=?utf-8?q?J=C3=B6=2C_x?="),
            ("J\udce9", "J?"),
        ):
            self.assertIn(("From", f"{field} <root@a.example>"), self.header(b"\r\nx\r\n", name))

    def test_a_text_without_a_header(self) -> None:
        for octets in (b"It works: yes\r\n", b"hello\r\n", b""):
            made = with_header(octets, sender="a@b", name="", now=0, host="h")
            self.assertIn(b"\r\n\r\n" if b":" not in octets else b"It works: yes\r\n", made + b"\r\n")


class SendTests(ProgramCase):
    def server(self, *options: str) -> Program:
        program = self.start(
            "mailproto",
            *("--data", "data", "--domain", "a.example", "--domain", "c.example"),
            *("--account", "alice@a.example:secret", "--smtp", ANY, "--imap", ANY, "--submission", ANY),
            *("--hostname", "mx.a.example", *options),
        )
        program.wait_for("mailproto is ready")
        return program

    def send(self, *arguments: str, given: str = MESSAGE, status: int = 0) -> str:
        done = self.command("send", *arguments, given=given)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stderr

    def messages(self, program: Program) -> list[str]:
        client = imaplib.IMAP4("127.0.0.1", port_of(program, "imap"))
        client.login("alice@a.example", "secret")
        count = int((client.select()[1][0] or b"").decode())
        found = [client.fetch(str(number), "(BODY[])")[1][0][1].decode() for number in range(1, count + 1)]  # type: ignore[index, union-attr]
        client.logout()
        return found

    def test_into_the_queue_of_a_running_server(self) -> None:
        aliases = Path(self.folder, "aliases")
        aliases.write_text("root: alice\n")
        aliases.chmod(0o644)
        program = self.server(
            *("--relay", "off", "--route", "b.example=smtp://127.0.0.1:1", "--aliases", str(aliases))
        )
        self.send("--data", "data", "-i", "-F", "Cron Daemon", "-f", "root", "root", "x@b.example")
        program.wait_for(r"unreached destination=smtp://127\.0\.0\.1:1 ")
        said = self.send("--data", "data", "y@d.example", status=os.EX_NOUSER)
        self.assertIn("y@d.example: 550 5.7.1 This server sends no mail to that domain\n", said)
        [message] = self.messages(program)
        self.assertTrue(message.startswith("Return-Path: <root@a.example>\r\nReceived: by "), message)
        self.assertIn("\r\nFrom: Cron Daemon <root@a.example>\r\n", message)
        self.assertTrue(message.endswith("\r\nSubject: hello\r\n\r\nIt works.\r\n"))
        listed = self.command("queue", "list", "--data", "data").stdout
        self.assertIn("<x@b.example> waiting", listed)

    def test_recipients_of_the_header(self) -> None:
        program = self.server()
        given = "To: Alice <alice@a.example>\nBcc: eve@a.example\nSubject: x\n\nhidden\n"
        said = self.send("--data", "data", "-t", given=given, status=os.EX_NOUSER)
        self.assertIn("mailproto: eve@a.example: 550 5.1.1 No such mailbox here\n", said)
        [message] = self.messages(program)
        self.assertNotIn("eve", message)

    def test_by_smtp(self) -> None:
        program = self.server()
        url = f"smtp://127.0.0.1:{port_of(program, 'submission')}?tls=opportunistic"
        file = Path(self.folder, "credentials")
        file.write_text("127.0.0.1 alice@a.example secret\n")
        file.chmod(0o600)
        self.send("--server", url, "--credentials", str(file), "-f", "alice@a.example", "alice@a.example")
        said = self.send(
            *("--server", url, "--credentials", str(file), "-f", "alice@a.example", "eve@a.example"),
            status=os.EX_NOUSER,
        )
        self.assertIn("eve@a.example: 550 5.1.1", said)
        self.assertEqual(len(self.messages(program)), 1)
        said = self.send("--server", url, "a@b.example", status=os.EX_NOUSER)
        self.assertIn("530 5.7.0 Authentication required; see --credentials\n", said)
        said = self.send("--server", "smtp://127.0.0.1:1", "a@b.example", status=os.EX_TEMPFAIL)
        self.assertIn("127.0.0.1:1", said)

    def test_what_is_wrong(self) -> None:
        self.assertIn("there is no store in", self.send("a@b.example", status=1))
        self.command("user", "list", "--data", "data")
        for arguments, text in (
            (("-N", "sometimes", "a@b.example"), "-N: never, or some of"),
            (
                ("-f", "a b@c.example", "a@b.example"),
                "mailproto: the sender 'a b@c.example' is no address: the part before the @ needs quotes",
            ),
            (("a@b..example",), "the recipient 'a@b..example' is no address: its domain is not valid"),
            ((), "no recipient"),
        ):
            said = self.send("--server", "smtp://127.0.0.1:1", *arguments, status=os.EX_DATAERR)
            self.assertIn(text, said)
        said = self.send("--server", "mx", "a@b.example", status=os.EX_CONFIG)
        self.assertIn("mailproto: --server: must be smtp://HOST:PORT", said)
        said = self.send("--server", "http://a.example", "a@b.example", status=os.EX_CONFIG)
        self.assertIn("mailproto: --server: a next hop must be", said)
        said = self.send(
            *("--server", "smtp://a.example", "--credentials", "nothing", "a@b.example"), status=os.EX_CONFIG
        )
        self.assertIn("mailproto: --credentials nothing: No such file", said)
