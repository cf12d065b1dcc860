"""Command lines as real senders write them: what we say to each, beside what Postfix says by default.

Where we differ it is on purpose, and the reason is in the table.
"""

from __future__ import annotations

import socket

from tests.interop.daemons import postfix
from tests.interop.server import HOST, PATIENCE
from tests.smtp.server.dialogue import DialogueTestCase

GREETINGS = (
    "EHLO myhost.",
    "EHLO josé-pc",
    "EHLO Johns iPhone",
    "EHLO -a",
    "EHLO a_b",
    "EHLO (x)",
    "EHLO [300.1.1.1]",
    "EHLO [x",
    "EHLO [127.0.0.1]",
    "EHLO 127.0.0.1",
    "EHLO [IPv6:::1]",
    "EHLO ::1",
    "EHLO <a>",
    'EHLO "x"',
    "EHLO a\tb",
    "EHLO\ta",
    "EHLO  a",
    "EHLO a  ",
    "EHLO",
    "EHLO ",
    "HELO a b",
    "EHLO .",
    "EHLO a@b",
    "EHLO \\",
    "EHLO \u202ea",
    "EHLO *",
    "EHLO =?utf-8?q?x?=",
    "EHLO " + "a" * 255,
)

PATHS = (
    "<a@plain.test>",
    "a@plain.test",
    " <a@plain.test>",
    "\t<a@plain.test>",
    "< a@plain.test >",
    "  a@plain.test",
    "<a@plain.test.>",
    "a@plain.test.",
    "<a..b@plain.test>",
    "<a.@plain.test>",
    "<.a@plain.test>",
    "<..@plain.test>",
    '<"a..b"@plain.test>',
    '"a b"@plain.test',
    "<@relay:a@plain.test>",
    "<@r_s.,@t:a@plain.test>",
    "<a+b=c@plain.test>",
    "<a@plain.test>\t",
    "<a@plain.test> ",
    "<'a'@plain.test>",
    "=a@plain.test",
    "<" + "a" * 65 + "@plain.test>",
    "<a@plain.test",
    "a b@plain.test",
    "<a b@plain.test>",
    "<a@plain..test>",
    "<a@.plain.test>",
    "<a@-plain.test>",
    "<a@plain.test->",
    "<a,b@plain.test>",
    "<a;b@plain.test>",
    "<a@plain.test>,<b@plain.test>",
    "<a@plain.test><",
    "<a@plain.test>SIZE=1",
    "<a@plain.test..>",
    "<a@>",
    "<a@plain.test:25>",
    "<a@[300.1.1.1]>",
    "<a@[x]>",
    '<"a@plain.test>',
    "Alice <a@plain.test>",
    '<a"b"@plain.test>',
    "<a@plain test>",
    "",
    " ",
    "<a@" + "d" * 64 + ".test>",
    "<a@plain.test> =",
    "<a@plain.test> FOO=1",
    "<a@plain!test>",
    "<a@*.test>",
)
"""For MAIL and for RCPT."""

SENDERS = (
    "<>",
    " <>",
    "< >",
    "<a@b_c.example>",
    "<a@_dmarc.b>",
    "<a@b_>",
    "<a@_>",
    "<a@localhost>",
    "<a@[127.0.0.1]>",
    "<a@[IPv6:::1]>",
    "a@b SIZE=1",
    "<a@b>  SIZE=1",
    "<a@b>\tSIZE=1 \tBODY=7BIT",
    "<a@b> SIZE=1 SIZE=1",
    "<a@b> size=1 SIZE=1",
    "<a@b> BODY=8BITMIME BODY=8BITMIME",
    "<a@b> SIZE=",
    "<a@b> SIZE=x",
    "<a@xn--bcher-kva.example>",
    "<a@xn--i-7iq.ws>",
    "<ü@b> SMTPUTF8",
    "<a@bücher.example> SMTPUTF8",
)

LINES = (
    "MAIL  FROM:<a@b>",
    "MAIL\tFROM:<a@b>",
    "MAIL FROM :<a@b>",
    "MAIL FROM<a@b>",
    "MAIL FROM <a@b>",
    "mail from:<a@b>",
    "NOOP\t",
    "NOOP\tx",
    "NOOP \t x",
    "RSET\t",
    "RSET  ",
    "RSET x",
    "DATA x",
    "VRFY",
    "",
    " ",
    "\t",
    "FOO",
    "Rset",
    "MAIL",
    "MAIL FROM",
    "MAIL FROM:",
)

DIFFERENCES = {
    # We keep what is sure to be a mistake, or might be read in two ways, from spreading.
    **dict.fromkeys(
        ("MAIL FROM:a@plain.test>", "MAIL FROM:<<a@plain.test>>", "MAIL FROM:<a@plain.test>>"),
        "a bracket too many",
    ),
    **dict.fromkeys(("MAIL FROM:<a@b@c>", "MAIL FROM:<a\\@b@c>"), "which @?"),
    **dict.fromkeys(
        ("MAIL FROM:<a(c)@b>", "MAIL FROM:<a @b>", "MAIL FROM:<mailto:a@b>"), "part of the address?"
    ),
    **dict.fromkeys(("MAIL FROM:<a>", "MAIL FROM:<postmaster>"), "of which domain? No answer could reach it"),
    "MAIL FROM:<>x": "of the null path, or of x?",
    "MAIL FROM:<a@[127.0.0.1>": "no literal",
    "MAIL FROM:<a@b> SIZE=1 SIZE=2": "which of them?",
    "MAIL FROM:<ü@b>": "RFC 6531 3.4",
    "MAIL FROM:<a@xn--a>": "no A-label",
    "MAIL FROM:<a@b>\0": "control characters are in no command",
    "MAIL FROM:<a\x01@b>": "control characters are in no command",
    "EHLO a\0b": "control characters are in no command",
    "EHLO \x1b[2J": "control characters are in no command",
    "NOOP \x7f": "control characters are in no command",
    "EHLO " + "a" * 256: "no name is as long",
    " NOOP": "a line of something else",
    "MAIL FROM:<a@1>": "taken here: a name in some network; Postfix refuses numbers",
}


class CommandTableTests(DialogueTestCase):
    def ours(self, *lines: str) -> str:
        """The class of the reply to the last of them."""
        transport = self.connect()
        for line in lines:
            transport.read()
            transport.send(line.encode() + b"\r\n")
        return transport.read().decode()[:1]

    def theirs(self, *lines: str) -> str:
        with (
            socket.create_connection((HOST, postfix().port), PATIENCE) as client,
            client.makefile("rb") as file,
        ):
            reply = file.readline()
            for line in lines:
                client.sendall(line.encode() + b"\r\n")
                while (reply := file.readline())[3:4] == b"-":
                    pass
        return reply.decode()[:1]

    def test_the_same(self) -> None:
        mail = "MAIL FROM:<bob@plain.test>"
        table = [
            *((line,) for line in GREETINGS),
            *(("EHLO a", f"MAIL FROM:{path}") for path in (*PATHS, *SENDERS)),
            *(("EHLO a", mail, f"RCPT TO:{path}") for path in PATHS),
            *(("EHLO a", line) for line in LINES),
        ]
        for lines in table:
            with self.subTest(lines[-1]):
                self.assertEqual(self.ours(*lines), self.theirs(*lines), lines)

    def test_not_the_same(self) -> None:
        for line in DIFFERENCES:
            with self.subTest(line):
                ours, theirs = self.ours("EHLO a", line), self.theirs("EHLO a", line)
                self.assertEqual({ours, theirs}, {"2", "5"}, line)
                self.assertEqual(ours, "2" if line == "MAIL FROM:<a@1>" else "5", line)
