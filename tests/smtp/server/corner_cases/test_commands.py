"""Rows 5, 16 to 25: commands, their order, and what may stand in them (RFC 5321 4.1)."""

from __future__ import annotations

from mailproto.errors import RelayDenied
from tests.smtp.server.corner_cases.transcript import LMTPTranscriptTestCase, TranscriptTestCase

HELLO = "C: EHLO client.example\nS: 250...\n"
MAIL = HELLO + "C: MAIL FROM:<a@client.example>\nS: 250 2.1.0...\n"
RCPT = MAIL + "C: RCPT TO:<b@mx.example>\nS: 250 2.1.5...\n"
SEND = "C: DATA\nS: 354...\nC: x\nC: .\nS: 250 2.0.0 Taken as ...\n"


class LineTests(TranscriptTestCase):
    def test_05_a_bare_newline_ends_no_command(self) -> None:
        """RFC 5321 2.3.8: nor is what follows it heard as one, up to the next CRLF; each LF is answered."""
        for line in ("NOOP␊QUIT", "NOOP␍QUIT", "NOOP␊", "NOOP␍", "␊NOOP", "␊.␊NOOP", "NOOP␍␍", "NOOP␊QUIT␍"):
            with self.subTest(line):
                refused = "S: 500 5.5.2...\n" * (1 + line.count("␊"))
                self.play(f"C: {line}\n{refused}C: NOOP\nS: 250 2.0.0 OK")
        self.play(RCPT + "C: DATA␊QUIT\nS: 500 5.5.2...\nS: 500 5.5.2...\nC: NOOP\nS: 250...")

    def test_05_a_bare_newline_is_answered_at_once(self) -> None:
        """A client that knows no other line end would wait for ever."""
        for line in ("EHLO a␊", "EHLO a␊NOOP␊", "␊", "x" * 3000 + "␊", "AUTH PLAIN " + "x" * 13_000 + "␊"):
            with self.subTest(line[:20]):
                refused = "S: 500 5.5...\n" * line.count("␊")
                self.play(f"C~: {line}\n{refused}C: EHLO a\nS: 500 5.5.2...\nC: EHLO a\nS: 250...")

    def test_05_a_message_cannot_hide_behind_a_bare_newline(self) -> None:
        """RFC 5321 2.3.8: DATA has not been said, so these are commands, one each line."""
        refused = "S: 500 5.5.2...\n" * 4
        self.play(RCPT + f"C: DATA␊x␊.␊\n{refused}C: QUIT\nS: 221...\nS closes")
        self.play(
            RCPT + f"C: DATA␊MAIL FROM:<x@y>␊.␊RSET\nC: x\n{refused}S: 500...\n" + SEND,
        )

    def test_22_an_empty_line_is_an_unknown_command(self) -> None:
        """RFC 5321 4.2.4: and changes nothing."""
        self.play(RCPT + "C:\nS: 500 5.5.2...\nC:  \nS: 500 5.5.2...\n" + SEND)

    def test_22_verbs_in_any_case(self) -> None:
        """RFC 5321 2.4: upper case, lower case, any mixture; a domain keeps what was written."""
        [message] = self.play("""
            C: eHlO Client.EXAMPLE
            S: 250...
            C: mail from:<A@Client.Example>
            S: 250...
            C: Rcpt tO:<B.b@Mx.Example>
            S: 250...
            C: dAtA
            S: 354...
            C: x
            C: .
            S: 250...
            C: quit
            S: 221...
            S closes
        """)
        self.assertEqual((message.sender, message.recipients), ("A@Client.Example", ["B.b@Mx.Example"]))

    def test_22_white_space_at_the_end_is_overlooked(self) -> None:
        """RFC 5321 4.1.1: receivers should tolerate it."""
        [message] = self.play(
            "C: EHLO client.example \nS: 250...\nC: MAIL FROM:<a@b> SIZE=10 ␉ \nS: 250...\n"
            "C: RCPT TO:<c@d>  \nS: 250...\nC: RSET ␉\nS: 250...\nC: MAIL FROM:<a@b>␉\nS: 250...\n"
            "C: RCPT TO:<c@d>␉ ␉\nS: 250...\nC: DATA  \nS: 354...\nC: x\nC: .\nS: 250...\n"
            "C: NOOP  \nS: 250...\nC: QUIT \nS: 221...\nS closes"
        )
        self.assertEqual(message.recipients, ["c@d"])

    def test_22_spaces_where_clients_put_them(self) -> None:
        """RFC 5321 3.3 forbids them behind the colon; too many clients send them to refuse those."""
        for mail, rcpt in (
            ("MAIL FROM: <a@b>  SIZE=10   BODY=8BITMIME", "RCPT TO:   <c@d>"),
            ("MAIL␉FROM:␉<a@b>␉SIZE=10 ␉BODY=8BITMIME", "RCPT \u2409 TO:␉<c@d>"),
            ("MAIL  FROM:< a@b >", "RCPT␉TO:<␉c@d␉>␉NOTIFY=NEVER".removesuffix("␉NOTIFY=NEVER")),
            ("MAIL FROM: a@b SIZE=10", "RCPT TO:  c@d"),
        ):
            with self.subTest(mail):
                [message] = self.play(HELLO + f"C: {mail}\nS: 250...\nC: {rcpt}\nS: 250...\n" + SEND)
                self.assertEqual((message.sender, message.recipients), ("a@b", ["c@d"]))
        for line in ("MAIL FROM:< >", "MAIL FROM: <>", "MAIL FROM:<␉>␉SIZE=1"):
            self.play(HELLO + f"C: {line}\nS: 250 2.1.0...")
        self.play(
            "C: EHLO␉a\nS: 250...\nC: NOOP␉x\nS: 250...\nC: VRFY␉ a\nS: 252...\nC: HELP␉\nS: 214...\n"
            "C: BDAT ␉ 0␉LAST\nS: 503..."
        )

    def test_22_spaces_where_they_are_no_help(self) -> None:
        """RFC 5321 4.1.1.2: before the colon, within an address, before the verb."""
        for line in (
            "MAIL FROM :<a@b>",
            "MAIL FROM <a@b>",
            "MAIL FROM:<a @b>",
            "MAIL FROM:<a@ b>",
            "MAIL FROM:<a␉@b>",
            'MAIL FROM:<"a␉b"@c>',
            "MAIL FROM:a @b",
        ):
            with self.subTest(line):
                self.play(HELLO + f"C: {line}\nS: 501 5...\nC: DATA\nS: 503...")
        for line in ("␉MAIL FROM:<a@b>", " MAIL FROM:<a@b>", "MAILFROM:<a@b>"):
            with self.subTest(line):
                self.play(HELLO + f"C: {line}\nS: 500 5.5.2...\nC: DATA\nS: 503...")

    def test_a2_a_nul_is_refused(self) -> None:
        """RFC 5321 4.1.2: wherever it stands, and however it is hidden."""
        for line in ("␀", "NOOP␀", "NO␀OP", "␀NOOP", "MAIL FROM:<a@b␀>", "MAIL FROM:<a@b>␀", "DATA␀"):
            with self.subTest(line):
                self.play(
                    RCPT + f"C: {line}\nS: 500 5.5.2 Control character in a command\nC: NOOP\nS: 250..."
                )

    def test_a2_other_octets_that_no_command_has(self) -> None:
        """RFC 5321 2.4 and RFC 6531 3.3: ASCII, or UTF-8 in a path."""
        for line in (
            "NOOP \udcff",
            "\udcc0\udc80",
            "MAIL FROM:<\udced\udca0\udc80@b>",
            "EHLO \x1b[2J",
            "NOOP \x7f",
        ):
            with self.subTest(repr(line)):
                self.play(f"C: {line}\nS: 500 5.5.2...\nC: NOOP\nS: 250...")

    def test_a2_a_web_browser_is_sent_away(self) -> None:
        """A page can make a browser send mail commands in a form's body: it ends at the first line."""
        for line in (
            "GET / HTTP/1.1",
            "POST /mail HTTP/1.0",
            "get / http/1.1",
            "OPTIONS * HTTP/1.1",
            "PUT /x HTTP/2",
        ):
            with self.subTest(line):
                self.play(f"C: {line}\nC: Host: mx.example\nC:\nC: EHLO a\nS: 421 4.7.0...\nS closes")


class OrderTests(TranscriptTestCase):
    def test_16_mail_before_a_greeting(self) -> None:
        """RFC 5321 4.1.4."""
        self.play("C: MAIL FROM:<a@b>\nS: 503 5.5.1...\nC: RCPT TO:<a@b>\nS: 503...\nC: DATA\nS: 503...")

    def test_16_these_need_none(self) -> None:
        """RFC 5321 4.1.4: NOOP, HELP, VRFY, RSET and QUIT."""
        self.play(
            "C: NOOP\nS: 250...\nC: HELP\nS: 214...\nC: VRFY x\nS: 252...\nC: RSET\nS: 250...\nC: QUIT\n"
            "S: 221...\nS closes"
        )

    def test_17_a_second_mail(self) -> None:
        """RFC 5321 4.1.4: 503, and the first transaction is kept as it was."""
        [message] = self.play(RCPT + "C: MAIL FROM:<other@client.example>\nS: 503 5.5.1...\n" + SEND)
        self.assertEqual((message.sender, message.recipients), ("a@client.example", ["b@mx.example"]))

    def test_17_a_mail_that_was_refused_was_none(self) -> None:
        """RFC 5321 3.3: the next one begins the transaction."""
        for refused, reply in (
            ("<a@b> FOO=1", "555"),
            ("<a@b> SIZE=x", "501"),
            ("a@b>", "501"),
            ("<@>", "501"),
        ):
            [message] = self.play(
                HELLO + f"C: MAIL FROM:{refused}\nS: {reply} 5...\nC: RCPT TO:<b@mx.example>\nS: 503...\n"
                "C: MAIL FROM:<a@client.example>\nS: 250...\nC: RCPT TO:<b@mx.example>\nS: 250...\n" + SEND
            )
            self.assertEqual(message.sender, "a@client.example")

    def test_18_a_greeting_within_a_transaction(self) -> None:
        """RFC 5321 4.1.4: as if RSET had been said, in EHLO and HELO alike."""
        for verb in ("EHLO", "HELO"):
            self.play(
                RCPT + f"C: {verb} client.example\nS: 250...\nC: RCPT TO:<c@d>\nS: 503 5.5.1...\nC: DATA\n"
                "S: 503 5.5.1...\n"
                "C: MAIL FROM:<a@b>\nS: 250..."
            )

    def test_18_a_greeting_that_is_refused_changes_nothing(self) -> None:
        """RFC 5321 4.1.4: the state stays as it was."""
        self.play(RCPT + "C: EHLO\nS: 501...\nC: LHLO client.example\nS: 500...\n" + SEND)

    def test_19_rset_clears_the_envelope_and_keeps_the_greeting(self) -> None:
        """RFC 5321 4.1.1.5."""
        self.play(
            RCPT + "C: RSET\nS: 250 2.0.0...\nC: DATA\nS: 503...\nC: RCPT TO:<b@mx.example>\nS: 503...\n"
            "C: MAIL FROM:<c@client.example>\nS: 250...\nC: DATA\nS: 503...\nC: RSET\nS: 250...\nC: RSET\n"
            "S: 250..."
        )

    def test_20_a_greeting_needs_a_name(self) -> None:
        """RFC 5321 4.1.1.1."""
        self.play(
            "C: EHLO\nS: 501 5.5.4...\nC: HELO\nS: 501 5.5.4...\nC: EHLO  \nS: 501...\nC: MAIL FROM:<>\n"
            "S: 503..."
        )

    def test_20_names_that_clients_have(self) -> None:
        """RFC 5321 4.1.4: who greets with an odd name is served; RFC 5321 4.1.3: literals."""
        for name in (
            "localhost", "my_pc", "DESKTOP-1_a.local", "a", "1.2.3.4", "xn--bcher-kva.example", "123",
            "a-b.example",
            "[192.0.2.1]", "[IPv6:2001:db8::1]", "[IPv6:::]", "[ipv6:::ffff:192.0.2.1]",
        ):  # fmt: skip
            with self.subTest(name):
                self.play(f"C: EHLO {name}\nS: 250...\nC: MAIL FROM:<>\nS: 250...")

    def test_20_names_that_are_none(self) -> None:
        """RFC 5321 4.1.4: they are told, not checked; but they are text, in one line that has an end."""
        for name in ("a b", "-", ".", "a..b ()", "<a>", "[192.0.2.256]", "[192.0.2]", "[IPv6:1]", "[]", "[",
        "(comment)",
                     'a"', "a;b", "x" * 255, "a\\b", "[IPv6:::1%eth0]", "é.example", "myhost.", "josé-pc",
                     "Johns iPhone", "\u202egnp.exe", "ü" * 127, "jos\udce9-pc", "\udc82\udcff"):  # fmt: skip
            with self.subTest(name[:20]):
                self.play(f"C: EHLO {name}\nS: 250...\nC: MAIL FROM:<>\nS: 250...")
        for name in ("x" * 256, "ü" * 128):
            self.play(f"C: EHLO {name}\nS: 501 5.5.4...\nC: MAIL FROM:<>\nS: 503...")
        for name in ("a␀", "\x1b[2J", "a\u009b", "a\x7f", "\udce9\x7f"):
            self.play(f"C: EHLO {name}\nS: 500 5.5.2...\nC: MAIL FROM:<>\nS: 503...")

    def test_21_data_takes_no_argument(self) -> None:
        """RFC 5321 4.1.1 and 4.1.1.4: nor do RSET and QUIT."""
        self.play(
            RCPT
            + "C: DATA x\nS: 501 5.5.4...\nC: RSET x\nS: 501 5.5.4...\nC: QUIT now\nS: 501 5.5.4...\n"
            + SEND
        )

    def test_21_data_needs_a_recipient(self) -> None:
        """RFC 5321 4.1.1.4: and the transaction goes on."""
        self.play(MAIL + "C: DATA\nS: 503 5.5.1...\nC: RCPT TO:<b@mx.example>\nS: 250...\n" + SEND)
        self.play(HELLO + "C: DATA\nS: 503 5.5.1...")

    def test_22_small_commands(self) -> None:
        """RFC 5321 4.5.1, 3.5.3, 4.1.1.8, 4.1.1.9."""
        self.play("""
            C: NOOP
            S: 250 2.0.0 OK
            C: NOOP with words
            S: 250 2.0.0 OK
            C: VRFY alice
            S: 252 2...
            C: VRFY
            S: 501 5.5.4...
            C: HELP
            S: 214...
            C: HELP DATA
            S: 214...
            C: FROBNICATE
            S: 500 5.5.2...
            C: DATAX
            S: 500 5.5.2...
            C: QUITE
            S: 500 5.5.2...
        """)

    def test_22_obsolete_commands(self) -> None:
        """RFC 5321 4.2.4: known and not implemented is 502."""
        self.play(
            "C: TURN\nS: 502 5.5.1...\nC: SEND FROM:<a@b>\nS: 502...\nC: SAML\nS: 502...\nC: SOML\nS: 502..."
        )

    def test_22_nothing_is_heard_behind_quit(self) -> None:
        """RFC 5321 4.1.1.10: and what was under way is not delivered (3.8)."""
        self.assertEqual(self.play(RCPT + "C: QUIT\nC: DATA\nC: x\nC: .\nS: 221 2.0.0...\nS closes"), [])


class ParameterTests(TranscriptTestCase):
    def test_23_parameters_that_are_unknown_and_values_that_are_bad(self) -> None:
        """RFC 5321 4.1.1.11: 555 for the one, 501 for the other."""
        for end, code in (
            (" X=1", 555), (" X", 555), (" SIZE=1 X-Y=z", 555),
            (" SIZE=", 501), (" SIZE=a", 501), (" SIZE=-1", 501), (" SIZE=1.5", 501), (" SIZE=0x10", 501),
            (" SIZE=٣", 501), (" SIZE=" + "9" * 21, 501), (" SIZE=1=2", 501), (" SIZE =1", 501),
            ("SIZE=1", 501), (" SIZE=1 SIZE=2", 501), (" BODY=9BIT", 501), (" BODY", 501),
            (" SMTPUTF8=yes", 501), (" =1", 501), (" -X=1", 501), ("X", 501),
        ):  # fmt: skip
            for path in ("<a@b>", "<>"):
                with self.subTest(path + end):
                    self.play(
                        HELLO + f"C: MAIL FROM:{path}{end}\nS: {code} 5...\nC: RCPT TO:<a@b>\nS: 503..."
                    )

    def test_23_parameters_of_rcpt(self) -> None:
        """RFC 5321 4.1.1.11: the recipient is not taken."""
        self.play(
            MAIL + "C: RCPT TO:<a@b> X=1\nS: 555 5.5.4...\nC: RCPT TO:<a@b> X==\nS: 501 5.5.4...\nC: DATA\n"
            "S: 503..."
        )

    def test_23_values_in_any_case(self) -> None:
        """RFC 5321 2.4."""
        self.play(HELLO + "C: MAIL FROM:<a@b> size=00010 body=8bitmime SmtpUtf8\nS: 250...")

    def test_23_helo_brings_no_extensions(self) -> None:
        """RFC 5321 2.2.1: whoever has not said EHLO may still not be refused plain MAIL."""
        self.play("C: HELO client.example\nS: 250 mx.example\nC: MAIL FROM:<a@b>\nS: 250...")


class NullPathTests(TranscriptTestCase):
    def test_24_the_null_path(self) -> None:
        """RFC 5321 4.5.5: it sends, and nobody has it for an address."""
        [message] = self.play(
            HELLO + "C: MAIL FROM:<>\nS: 250...\nC: RCPT TO:<>\nS: 501 5.1.3...\nC: RCPT TO:<b@mx.example>\n"
            "S: 250...\n" + SEND
        )
        self.assertEqual((message.sender, message.recipients), ("", ["b@mx.example"]))

    def test_25_postmaster_alone(self) -> None:
        """RFC 5321 4.1.1.3 and 4.5.1: in any case, without a domain; nobody else."""
        for name in ("Postmaster", "postmaster", "POSTMASTER", "pOsTmAsTeR"):
            [message] = self.play(MAIL + f"C: RCPT TO:<{name}>\nS: 250...\n" + SEND)
            self.assertEqual(message.recipients, [name])
            [message] = self.play(MAIL + f"C: RCPT TO: {name}\nS: 250...\n" + SEND)
            self.assertEqual(message.recipients, [name])
        self.play(
            MAIL + "C: RCPT TO:<root>\nS: 501 5.1.3...\nC: RCPT TO:<postmaster\nS: 501...\n"
            "C: RCPT TO:<postmaster@>\nS: 501...\nC: RCPT TO:postmaster>\nS: 501..."
        )
        self.play(HELLO + "C: MAIL FROM:<postmaster>\nS: 501 5.1.7...")

    def test_13_a_group_in_which_all_recipients_are_refused(self) -> None:
        """RFC 2920 3.1: DATA is refused too, and no message follows."""
        self.play(
            HELLO
            + """
            C: MAIL FROM:<a@client.example>
            C: RCPT TO:<x@elsewhere.example>
            C: RCPT TO:<x@elsewhere.example>
            C: DATA
            C: RSET
            S: 250 2.1.0...
            S: 550 5.7.1...
            S: 550 5.7.1...
            S: 503 5.5.1...
            S: 250 2.0.0...
            """,
            prepare=lambda delivery: delivery.refusals.update({"x@elsewhere.example": RelayDenied()}),
        )


class LMTPOrderTests(LMTPTranscriptTestCase):
    def test_38_smtp_s_greetings(self) -> None:
        """RFC 2033 4.1: HELO and EHLO are not LMTP's, and after them there is still no session."""
        self.play(
            "C: HELO a\nS: 500 5.5.1...\nC: EHLO a\nS: 500...\nC: MAIL FROM:<>\nS: 503...\nC: LHLO a\n"
            "S: 250..."
        )
