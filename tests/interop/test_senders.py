"""Senders that do not keep to the rules, against the running server: by SMTP, LMTP and APPEND alike."""

from __future__ import annotations

import contextlib
import email.parser
import imaplib
import socket
import ssl

from twisted.trial.unittest import TestCase

from tests.interop.daemons import postfix
from tests.interop.server import ACCOUNTS, HOST, PASSWORD, PATIENCE, emptied, shared
from tests.interop.sink import Sink

ALICE = ACCOUNTS[0]
MBOX_LINE = b"From root Mon Mar  2 10:00:00 2020\r\n"
FIELDS = b"Subject: kept\r\nTo: <a@b.example>\r\n"


class Dialogue:
    """A connection on which one line goes out and one reply comes back."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._socket = socket.create_connection((HOST, port), PATIENCE)
        if tls is not None:
            self._socket = tls.wrap_socket(self._socket, server_hostname="mail.test")
        self._file = self._socket.makefile("rb")
        self.reply()

    def reply(self) -> bytes:
        """The last line of a reply; empty when the connection is closed."""
        while (line := self._file.readline())[3:4] == b"-" and line[:1].isdigit():
            pass
        return line

    def say(self, octets: bytes) -> bytes:
        """Send, and hear."""
        self.send(octets)
        return self.reply()

    def send(self, octets: bytes) -> None:
        self._socket.sendall(octets)

    def close(self) -> None:
        self._file.close()
        self._socket.close()


class SenderTests(TestCase):
    def setUp(self) -> None:
        self.server = emptied(shared())

    def dialogue(self, name: str) -> Dialogue:
        tls = self.server.trust() if name in ("submissions", "pop3s", "imaps") else None
        dialogue = Dialogue(self.server.ports[name], tls)
        self.addCleanup(dialogue.close)
        return dialogue

    def mailbox(self) -> imaplib.IMAP4:
        client = imaplib.IMAP4(HOST, self.server.ports["imap"], PATIENCE)
        self.addCleanup(client.shutdown)
        client.login(ALICE, PASSWORD)
        client.select()
        return client

    def test_whatever_stands_before_the_fields(self) -> None:
        cases = (
            MBOX_LINE,
            b">" + MBOX_LINE,
            b"\xef\xbb\xbf",
            b" folded\r\n",
            b"garbage\r\n",
            b"\r\n",
            b"x: y\r\n",
        )
        client = self.mailbox()
        for before in cases:
            content = before + FIELDS + b"\r\ntext\r\n"
            for name, hello in (("smtp", b"EHLO"), ("lmtp", b"LHLO")):
                dialogue = self.dialogue(name)
                for line in (hello + b" a", b"MAIL FROM:<>", b"RCPT TO:<%b>" % ALICE.encode(), b"DATA"):
                    self.assertIn(dialogue.say(line + b"\r\n")[:1], b"23")
                self.assertEqual(dialogue.say(content + b".\r\n")[:3], b"250")
            client.append("INBOX", "", None, content)  # type: ignore[arg-type]
        client.noop()
        answer = client.fetch("1:*", "(ENVELOPE RFC822.SIZE BODY.PEEK[TEXT])")[1]
        found = [(b'"kept"' in item[0], item[1]) for item in answer if isinstance(item, tuple)]
        self.assertEqual(len(found), 3 * len(cases))
        for number, before in enumerate(cases):
            text = FIELDS + b"\r\ntext\r\n" if before == b"\r\n" else b"text\r\n"
            self.assertEqual(found[3 * number : 3 * number + 3], [(before != b"\r\n", text)] * 3, before)

    def test_names_and_addresses(self) -> None:
        dialogue = self.dialogue("smtp")
        sent = (
            "EHLO Johns (i)Phone of josé",
            "MAIL FROM: a..b@c_d.example. SIZE=10\tSIZE=10",
            f"RCPT TO:{ALICE}.",
            "RCPT TO:<Abuse@example.org>",
            "DATA",
        )
        for line in sent:
            self.assertIn(dialogue.say(line.encode() + b"\r\n")[:1], b"23", line)
        self.assertEqual(dialogue.say(FIELDS + b"\r\ntext\r\n.\r\n")[:3], b"250")
        header = self.mailbox().fetch("1", "(BODY.PEEK[HEADER])")[1][0][1]  # type: ignore[index]
        parsed = email.parser.BytesParser().parsebytes(header)  # type: ignore[arg-type]
        self.assertEqual(parsed["Return-Path"], '<"a..b"@c_d.example>')
        self.assertEqual(parsed["Subject"], "kept")
        self.assertRegex(
            parsed["Received"],
            r"\Afrom \[127\.0\.0\.1\] \(helo=Johns%20%28i%29Phone%20of%20jos%C3%A9\)\s+by mail\.test with",
        )

    def test_a_bare_newline_is_answered_at_once(self) -> None:
        for name, line, answer in (
            ("smtp", b"EHLO a\n", b"500 5.5.2 "),
            ("submission", b"EHLO a\n", b"500 5.5.2 "),
            ("lmtp", b"LHLO a\n", b"500 5.5.2 "),
            ("pop3", b"CAPA\n", b"-ERR "),
            ("imap", b"a CAPABILITY\n", b"a BAD "),
        ):
            dialogue = self.dialogue(name)
            self.assertEqual(dialogue.say(line)[: len(answer)], answer)
            # Of what follows up to the next CRLF, nothing is carried out.
            self.assertRegex(dialogue.say(b"b QUIT\r\n"), rb"\A(500 5.5.2 |-ERR |b BAD )")
            self.assertRegex(dialogue.say(b"NOOP\r\n"), rb"\A(250 |-ERR |\* BAD |NOOP BAD )")

    def test_a_line_without_end_ends_the_connection(self) -> None:
        for name in ("smtp", "submission", "lmtp", "pop3", "imap", "submissions", "pop3s", "imaps"):
            dialogue = self.dialogue(name)
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                for _ in range(300):
                    dialogue.send(b"x" * 65_536)
                self.fail(f"{name} reads on")

    async def test_postfix_names_an_mbox_line_as_we_do(self) -> None:
        sink = Sink(self)
        dialogue = Dialogue(postfix().port)
        self.addCleanup(dialogue.close)
        for line in (b"EHLO a", b"MAIL FROM:<bob@plain.test>", b"RCPT TO:<alice@plain.test>", b"DATA"):
            self.assertIn(dialogue.say(line + b"\r\n")[:1], b"23")
        self.assertEqual(dialogue.say(MBOX_LINE + FIELDS + b"\r\ntext\r\n.\r\n")[:3], b"250")
        arrival = await sink.arrival()
        self.assertIn(b"\r\nX-Mailbox-Line: " + MBOX_LINE + FIELDS, arrival.content)
