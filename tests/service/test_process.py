"""``twistd mailproto`` as a process of its own."""

from __future__ import annotations

import imaplib
import os
import poplib
import signal
import smtplib
import socket
import ssl
import stat
from pathlib import Path

from tests.processes import Program, ProgramCase, port_of

ANY = "tcp:0:interface=127.0.0.1"
MESSAGE = "From: bob@example.org\r\nSubject: hello\r\n\r\nIt works.\r\n"


def untrusting() -> ssl.SSLContext:
    """A client's context for a certificate that nobody has signed."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class ServerTests(ProgramCase):
    def server(self, *options: str) -> Program:
        return self.start("mailproto", "--data", "data", "--account", "alice@localhost:secret", *options)

    def inbox(self, port: int) -> list[bytes]:
        client = imaplib.IMAP4("127.0.0.1", port)
        client.login("alice@localhost", "secret")
        count = int((client.select()[1][0] or b"0").decode())
        octets = [client.fetch(str(number), "(BODY[])")[1][0][1] for number in range(1, count + 1)]
        client.logout()
        return octets  # type: ignore[return-value]

    def test_several_begin_at_once_with_a_new_data_folder(self) -> None:
        servers = [self.server("--imaps", ANY) for _ in range(3)]
        certificates = set()
        for server in servers:
            server.wait_for("mailproto is ready")
            place = ("127.0.0.1", port_of(server, "imaps"))
            certificates.add(ssl.get_server_certificate(place))
            with imaplib.IMAP4_SSL(*place, ssl_context=untrusting()) as client:
                client.login("alice@localhost", "secret")
        self.assertEqual(len(certificates), 1)

    def test_mail_in_and_out_and_over_a_restart(self) -> None:
        """All but LMTP, each with the client of the standard library; the message stays."""
        kinds = ("smtp", "submission", "submissions", "pop3", "pop3s", "imap", "imaps")
        server = self.server(*(word for kind in kinds for word in (f"--{kind}", ANY)))
        server.wait_for("mailproto is ready")
        ports = {kind: port_of(server, kind) for kind in kinds}
        server.wait_for(rf"mailproto: data in {self.folder}/data\n")
        with smtplib.SMTP("127.0.0.1", ports["smtp"]) as client:
            client.starttls(context=untrusting())
            client.sendmail("bob@example.org", ["alice@localhost"], MESSAGE)
            code, text = client.docmd("MAIL FROM:<bob@example.org>")
            self.assertEqual(code, 250, text)
            for address, expected in (("dave@localhost", b"5.1.1"), ("a@other.example", b"5.7.1")):
                code, text = client.docmd(f"RCPT TO:<{address}>")
                self.assertEqual((code, text[:5]), (550, expected))
        for client_class, port, context in (
            (smtplib.SMTP, ports["submission"], {}),
            (smtplib.SMTP_SSL, ports["submissions"], {"context": untrusting()}),
        ):
            with client_class("127.0.0.1", port, **context) as client:  # type: ignore[arg-type, call-overload]
                client.login("alice@localhost", "secret")
                client.sendmail("alice@localhost", ["alice+sent@localhost"], MESSAGE)
        pop3 = poplib.POP3_SSL("127.0.0.1", ports["pop3s"], context=untrusting())
        pop3.user("ALICE@localhost")
        pop3.pass_("secret")
        self.assertEqual(pop3.stat()[0], 3)
        pop3.quit()
        with imaplib.IMAP4_SSL("127.0.0.1", ports["imaps"], ssl_context=untrusting()) as imap:
            imap.login("alice@localhost", "secret")
            self.assertEqual(imap.select(), ("OK", [b"3"]))
        server.stop()
        self.assertIn("Server Shut Down", server.output)
        self.assertNotIn("Traceback", server.output)
        data = Path(self.folder, "data")
        self.assertEqual(stat.S_IMODE(data.stat().st_mode), 0o700)

        server = self.server("--imap", ANY)
        messages = self.inbox(port_of(server, "imap"))
        self.assertEqual(len(messages), 3)
        self.assertTrue(messages[0].startswith(b"Return-Path: <bob@example.org>\r\nReceived: "), messages[0])
        self.assertIn(b"It works.", messages[0])

    def test_lmtp_on_a_unix_socket(self) -> None:
        path = os.path.join(self.folder, "lmtp")
        server = self.server("--lmtp", f"unix:{path}", "--imap", ANY, "--store", "memory:")
        server.wait_for("mailproto is ready")
        self.assertIn(f"mailproto: lmtp on {path}\n", server.output)
        with smtplib.LMTP(path) as client:
            client.sendmail("bob@example.org", ["alice@localhost"], MESSAGE)
        self.assertEqual(len(self.inbox(port_of(server, "imap"))), 1)

    def test_running_server_and_command_share_the_accounts(self) -> None:
        server = self.server("--smtp", ANY, "--pop3", ANY)
        smtp, pop3 = port_of(server, "smtp"), port_of(server, "pop3")
        server.wait_for("mailproto is ready")
        added = self.command(
            "user", "add", "bob@localhost", "--data", "data", "--password-stdin", given="first\n"
        )
        self.assertEqual((added.returncode, added.stdout + added.stderr), (0, ""))
        with smtplib.SMTP("127.0.0.1", smtp) as client:
            client.sendmail("", ["bob@localhost"], MESSAGE)
        self.command(
            "user", "passwd", "bob@localhost", "--data", "data", "--password-stdin", given="second\n"
        )
        maildrop = poplib.POP3("127.0.0.1", pop3)
        maildrop.user("bob@localhost")
        maildrop.pass_("second")
        self.assertEqual(maildrop.stat()[0], 1)
        maildrop.quit()

    def test_sigterm_says_goodbye_to_idle_sessions(self) -> None:
        server = self.server("--imap", ANY, "--store", "memory:")
        client = imaplib.IMAP4("127.0.0.1", port_of(server, "imap"))
        server.stop()
        self.assertTrue(client.readline().startswith(b"* BYE "))
        client.shutdown()

    def test_port_in_use(self) -> None:
        """One line names the listener, and the status is not 0."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            endpoint = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
            server = self.server("--smtp", ANY, "--pop3", endpoint)
            self.assertEqual(server.wait(), 1)
        self.assertRegex(server.output, rf"(?m)^mailproto: --pop3 {endpoint}: .*Address already in use")
        self.assertNotIn("is ready", server.output)
        self.assertNotIn("Traceback", server.output)

    def test_what_else_prevents_a_start(self) -> None:
        """The reason in one line, and the status is not 0."""
        Path(self.folder, "file").write_text("")
        Path(self.folder, "no.sqlite3").write_text("no database" * 1000)
        for options, reason in (
            (["--data", "file"], "file"),
            (["--store", "bogus:"], "unknown store 'bogus:'"),
            (["--store", "sqlite:no.sqlite3"], "no.sqlite3: file is not a database"),
            (["--tls-cert", "none.pem", "--tls-key", "none.pem"], "none.pem: No such file"),
        ):
            with self.subTest(options=options):
                server = self.server("--smtp", ANY, *options)
                self.assertEqual(server.wait(), 1)
                self.assertRegex(server.output, rf"(?m)^mailproto: .*{reason}")
                self.assertNotIn("Traceback", server.output)

    def test_wrong_option(self) -> None:
        server = self.server("--smtp", "nonsense")
        self.assertEqual(server.wait(), 1)
        self.assertIn("--smtp nonsense: not a Twisted server endpoint", server.output)

    def test_more_files_than_the_soft_limit(self) -> None:
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        limit = max(map(int, os.listdir("/proc/self/fd"))) + 32  # this process needs some to start another
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        try:
            server = self.server("--pop3", ANY, "--store", "memory:")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        port = port_of(server, "pop3")
        clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(limit + 36)]
        try:
            for client in clients:
                client.settimeout(20)
                self.assertTrue(client.recv(100).startswith(b"+OK"))
        finally:
            for client in clients:
                client.close()

    def test_killed(self) -> None:
        """What got its 250 is there after kill -9."""
        server = self.server("--smtp", ANY)
        with smtplib.SMTP("127.0.0.1", port_of(server, "smtp")) as client:
            client.sendmail("bob@example.org", ["alice@localhost"], MESSAGE)
            server.stop(signal.SIGKILL)
            client.close()
        server = self.server("--imap", ANY)
        self.assertEqual(len(self.inbox(port_of(server, "imap"))), 1)
