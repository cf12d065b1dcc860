"""``mailproto send``, as scripts and cron use it."""

from __future__ import annotations

import imaplib
import io
import json
import os
import re
import syslog
from argparse import ArgumentParser, Namespace
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from mailproto.content import Content
from mailproto.model import Outcome
from mailproto.service._command_error import CommandError
from mailproto.service._remembered_limits import SendLimits, remember_limits, remembered_limits
from mailproto.service._send_command import _check_mode, add_send_options
from mailproto.service._send_log import _to_syslog, begin_log, log_taken
from mailproto.service._send_message import read_message, recipients_of, with_domains, with_header
from mailproto.testing import make_envelope
from tests.processes import Program, ProgramCase, port_of

ANY = "tcp:0:interface=127.0.0.1"
MESSAGE = "Subject: hello\n\nIt works.\n"


class ReadTests(SynchronousTestCase):
    def read(self, octets: bytes, *, to_the_end: bool = False, limit: int = 100) -> bytes:
        return read_message(io.BytesIO(octets), to_the_end=to_the_end, limit=limit)

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
        self.assertRaisesRegex(Exception, "more than 5 octets", self.read, b"123456", limit=5)


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


class DomainTests(SynchronousTestCase):
    def header(self, text: str) -> str:
        octets = with_domains(f"{text}\n\nTo: x\n".replace("\n", "\r\n").encode(), "a.example")
        return octets.decode().replace("\r\n", "\n").removesuffix("\n\nTo: x\n")

    def test_what_cron_writes(self) -> None:
        self.assertEqual(
            self.header("From: root (Cron Daemon)\nTo: root\nSubject: To: root"),
            "From: root@a.example (Cron Daemon)\nTo: root@a.example\nSubject: To: root",
        )

    def test_any_form(self) -> None:
        for value, made in (
            ("root, bob@c.example,eve", "root@a.example, bob@c.example,eve@a.example"),
            ('"A, B" <root>', '"A, B" <root@a.example>'),
            ("A B <root>, (x) j.doe (y)", "A B <root@a.example>, (x) j.doe@a.example (y)"),
            ('"a b"', '"a b"@a.example'),
            ("team: root, <bob>;, eve", "team: root@a.example, <bob@a.example>;, eve@a.example"),
            ("bob\n\t,eve", "bob@a.example ,eve@a.example"),
        ):
            self.assertEqual(self.header(f"Resent-Cc: {value}"), f"Resent-Cc: {made}")

    def test_what_stays(self) -> None:
        for value in (
            "a@b",
            "A <a@b>",
            "undisclosed-recipients:;",
            "<>",
            "",
            "a b",
            '"x',
            "<@a:b@c>",
            "<a b>",
            ",",
        ):
            self.assertEqual(self.header(f"To:  {value}"), f"To:  {value}")


class RecipientsTests(SynchronousTestCase):
    def found(self, text: str) -> str:
        return " ".join(map(str, recipients_of(text.replace("\n", "\r\n").encode())))

    def test_all_fields(self) -> None:
        self.assertEqual(
            self.found("Bcc: c@c\nTo: A <a@a>, b@b\nTo: d@d\nCc: e@e\n\n"), "a@a b@b d@d e@e c@c"
        )

    def test_a_message_that_was_resent(self) -> None:
        header = "To: a@a\nCc: b@b\n\n"
        self.assertEqual(self.found(f"Resent-To: c@c\nResent-Bcc: d@d\n{header}"), "c@c d@d")
        self.assertEqual(self.found(f"To: x@x\nResent-Cc: c@c\n{header}"), "c@c")
        self.assertEqual(self.found(f"Resent-From: c@c\nResent-Date: x\n{header}"), "a@a b@b")

    def test_the_last_time_counts(self) -> None:
        again = "Resent-From: a@a\nResent-To: new@x\nResent-From: b@b\nResent-To: old@x\nResent-Cc: old2@x\n"
        self.assertEqual(self.found(f"{again}To: a@a\n\n"), "new@x")

    def test_what_is_no_address(self) -> None:
        self.assertRaises(ValueError, self.found, "To: a b\n\n")


class OptionTests(SynchronousTestCase):
    def options(self, *words: str) -> Namespace:
        parser = ArgumentParser()
        add_send_options(parser)
        options = parser.parse_args(words)
        _check_mode(options)
        return options

    def test_what_scripts_write(self) -> None:
        for words in (
            "-oi -t",
            "-ti",
            "-t -i -bm",
            "-i -FCronDaemon -B8BITMIME -oem -r root bob",
            "-FCronDaemon -i -odi -oem -oi -t -f root",
            "-OErrorMode=m -L tag -X log -em -Am -G -v -N never -R FULL bob",
            "-f  -- -bob",
        ):
            options = self.options(*words.split(" "))
            self.assertEqual(options.t or bool(options.recipients), True, words)

    def test_what_is_refused(self) -> None:
        for words, text in (
            ("-bp", "-bp: this only sends messages; say mailproto queue list"),
            ("-bd", "-bd: this only sends messages; a server is started by twistd mailproto"),
            ("-bs", "-bs: this only sends messages; SMTP is spoken at the ports of the server"),
            ("-bz", "-bz: this only sends messages; there is only -bm"),
            ("-q", "-q: the server runs its queue; say mailproto queue flush"),
            ("-q30m", "-q: the server runs its queue; say mailproto queue flush"),
            ("-Rsome", "-R some: must be full or hdrs"),
        ):
            error = self.assertRaises(CommandError, self.options, words)
            self.assertEqual((str(error), error.status), (text, os.EX_USAGE))


class LimitsTests(SynchronousTestCase):
    def test_what_a_server_has(self) -> None:
        folder = Path(self.mktemp())
        self.assertEqual(remembered_limits(folder), SendLimits())
        folder.mkdir()
        remember_limits(folder, SendLimits(600, 1000))
        self.assertEqual(remembered_limits(folder), SendLimits(600, 1000))
        for text in ("", "[]", '{"lifetime": "x"}', '{"size": 5}', '{"lifetime": 0}'):
            (folder / "send-limits").write_text(text)
            self.assertRaisesRegex(ValueError, "send-limits: .*: start the server", remembered_limits, folder)


class LogTests(SynchronousTestCase):
    def test_lines(self) -> None:
        lines: list[tuple[int, str]] = []
        self.patch(syslog, "syslog", lambda level, line: lines.append((level, line)))
        begin_log()
        self.addCleanup(globalLogPublisher.removeObserver, _to_syslog)
        content = Content(b"Message-ID: <1@a>\r\n\r\nx\r\n")
        taken = Outcome(250, "2.0.0", "Queued", detail="queued")
        log_taken("root", replace(make_envelope("a@a.example", ["b@b.example"]), id="M1"), [taken], content)
        refused = Outcome(550, "5.1.1", "No such mailbox here")
        two = replace(make_envelope("a@a.example", ["b@b.example", "c@c.example"]), id="M2")
        log_taken("root", two, [taken, refused], content)
        self.assertEqual(
            lines[0],
            (
                syslog.LOG_INFO,
                "taken id=M1 peer=root protocol=send sender=<a@a.example> recipients=1"
                " recipient=<b@b.example> size=24 message_id=<1@a> detail=queued",
            ),
        )
        self.assertEqual(
            [line.split()[:2] for _, line in lines[1:]],
            [["taken", "id=M2"], ["accepted", "id=M2"], ["refused", "id=M2"]],
        )


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
        program = self.server(
            "--max-message-size", "10000", "--lifetime", "2d", "--route", "b.example=smtp://127.0.0.1:1"
        )
        given = "To: Alice <alice>\nBcc: eve@a.example\nSubject: x\n\nhidden\n"
        said = self.send("--data", "data", "-t", given=given, status=os.EX_NOUSER)
        self.assertIn("mailproto: eve@a.example: 550 5.1.1 No such mailbox here\n", said)
        [message] = self.messages(program)
        self.assertNotIn("eve", message)
        self.assertIn("\r\nTo: Alice <alice@a.example>\r\n", message)
        said = self.send("--data", "data", "alice", given="x" * 10_001, status=os.EX_DATAERR)
        self.assertIn("mailproto: the message has more than 10000 octets\n", said)
        self.send("--data", "data", "x@b.example")
        shown = json.loads(self.command("queue", "show", "--data", "data", "--all", "--json").stdout)
        times = [datetime.fromisoformat(shown[name]) for name in ("expires", "arrived")]
        days = (times[0] - times[1]).total_seconds() / 86_400
        self.assertAlmostEqual(days, 2, delta=0.1)

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
