"""Commands, their order, and their replies (RFC 5321)."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from mailproto.errors import RecipientUnknown, Refused, RelayDenied
from mailproto.model import NULL_PATH, Address, Outcome, Recipient, Session
from tests.smtp.server.dialogue import TAKEN, DialogueTestCase, FakeDelivery

EHLO = """
C: EHLO client.example
S: 250-mx.example
S: 250-PIPELINING
S: 250-SIZE 52428800
S: 250-8BITMIME
S: 250-ENHANCEDSTATUSCODES
S: 250-CHUNKING
S: 250-LIMITS RCPTMAX=1000 MAILMAX=100000
S: 250-SMTPUTF8
S: 250 HELP
"""
MAIL = (
    EHLO
    + """
C: MAIL FROM:<bob@client.example>
S: 250 2.1.0 Sender OK
"""
)
RCPT = (
    MAIL
    + """
C: RCPT TO:<alice@mx.example>
S: 250 2.1.5 Recipient OK
"""
)
DATA = (
    RCPT
    + """
C: DATA
S: 354 Go ahead, end with <CRLF>.<CRLF>
"""
)


def script(*parts: str) -> str:
    """One transcript of several, without their empty lines."""
    return "\n".join(line for part in parts for line in part.splitlines() if line.strip())


class LateCode(Refused):
    """A class of somebody's own that sets its code after it was checked."""

    def __init__(self) -> None:
        super().__init__(550, "5.7.1", "No")
        self.code = 250


class MessageTests(DialogueTestCase):
    def test_a_message_is_taken(self) -> None:
        self.assert_dialogue(
            script(
                DATA,
                """
            C: Subject: hello
            C:
            C: ..a dot
            C: .
            S: 250 2.0.0 Taken as ...
            C: QUIT
            S: 221 2.0.0 mx.example closing connection
            S closes
        """,
            )
        )
        envelope, content = self.delivery.delivered[0]
        self.assertEqual(envelope.sender, Address("bob", "client.example"))
        self.assertEqual(envelope.recipients, (Recipient(Address("alice", "mx.example")),))
        self.assertEqual(
            envelope.session,
            Session("ESMTP", "mx.example", peer="127.0.0.1", helo="client.example"),
        )
        self.assertEqual(
            content,
            (
                "Received: from client.example ([127.0.0.1])\r\n\tby mx.example with ESMTP\r\n"
                f"\tid {envelope.id}\r\n\tfor <alice@mx.example>;\r\n\tSun, 9 Sep 2001 01:46:40 +0000\r\n"
                "Subject: hello\r\n\r\n.a dot\r\n"
            ).encode(),
        )

    def test_the_reply_names_the_message(self) -> None:
        transport = self.connect()
        self.converse(transport, script(DATA))
        transport.send(b"x\r\n.\r\n")
        [(envelope, _)] = self.delivery.delivered
        self.assertEqual(transport.read(), f"250 2.0.0 Taken as {envelope.id}: Kept\r\n".encode())

    def test_one_connection_brings_many_messages(self) -> None:
        again = "C: MAIL FROM:<>\nS: 250...\nC: RCPT TO:<a@b>\nC: DATA\nS: 250...\nS: 354..."
        again += "\nC: x\nC: .\nS: 250..."
        self.assert_dialogue(script(EHLO, again, again, again))
        self.assertEqual(len({envelope.id for envelope, _ in self.delivery.delivered}), 3)
        self.assertEqual(self.delivery.delivered[0][0].sender, NULL_PATH)

    def test_a_whole_session_in_one_packet(self) -> None:
        transport = self.connect()
        transport.send(
            b"EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\nx\r\n.\r\n"
            b"MAIL FROM:<>\r\nRCPT TO:<c@d>\r\nDATA\r\ny\r\n.\r\nQUIT\r\n"
        )
        replies = transport.read().decode().splitlines()
        self.assertEqual([reply[:3] for reply in replies if reply[3] == " "],
                         ["250", "250", "250", "354", "250", "250", "250", "354", "250", "221"])  # fmt: skip
        self.assertEqual([content[-3:] for _, content in self.delivery.delivered], [b"x\r\n", b"y\r\n"])

    def test_several_recipients_are_not_told_of_each_other(self) -> None:
        self.assert_dialogue(
            script(
                RCPT,
                """
            C: RCPT TO:<carol@mx.example>
            S: 250...
            C: RCPT TO:<alice@mx.example>
            S: 250...
            C: DATA
            S: 354...
            C: .
            S: 250...
        """,
            )
        )
        envelope, content = self.delivery.delivered[0]
        self.assertEqual([r.address.local for r in envelope.recipients], ["alice", "carol", "alice"])
        self.assertNotIn(b"mx.example>", content)

    def test_a_fold_of_outcomes(self) -> None:
        no, later = Outcome(550, "5.2.1", "Off"), Outcome(450, "4.2.1", "Busy")
        two = script(RCPT, "C: RCPT TO:<c@d>\nS: 250...\nC: DATA\nS: 354...\nC: .")
        for outcomes, reply in (
            ([no, TAKEN], "250 2.0.0 Taken as ..."),
            ([no, later], "450 4.2.1 Busy"),
            ([later, no], "450 4.2.1 Busy"),
            ([no, no], "550 5.2.1 Off"),
            ([TAKEN], "451 4.3.0 Temporary failure, try again later"),
        ):
            transport = self.connect()
            self.delivery.outcomes = outcomes
            self.converse(transport, f"{two}\nS: {reply}\nC: MAIL FROM:<>\nS: 250...")
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_what_goes_wrong_in_a_delivery_is_told_and_the_session_goes_on(self) -> None:
        for failure, reply in (
            (Refused(554, "5.7.1", "No\r\n250 liar\xff"), "554-5.7.1 No\nS: 554 5.7.1 250 liar?"),
            (ZeroDivisionError("secret"), "451 4.3.0 Temporary failure, try again later"),
            (LateCode(), "451 4.3.0 Temporary failure, try again later"),
        ):
            transport = self.connect()
            self.delivery.failure = failure
            self.converse(transport, script(DATA, f"C: .\nS: {reply}\nC: MAIL FROM:<>\nS: 250..."))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_a_refusal_that_cannot_be_told_is_an_error(self) -> None:
        transport = self.connect()
        self.delivery.refusals["b@c"] = LateCode()
        self.converse(
            transport,
            script(
                MAIL,
                """
            C: RCPT TO:<b@c>
            S: 451 4.3.0 Temporary failure, try again later
            C: NOOP
            S: 250...
        """,
            ),
        )
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_a_delivery_may_end_the_connection(self) -> None:
        """RFC 5321 3.8: 421 says so, to whatever it is the answer."""
        leaving = Refused(421, "4.3.2", "Going down")
        for path, transcript in (
            ("a@b", script(EHLO, "C: MAIL FROM:<a@b>\nC: NOOP\nS: 421 4.3.2 Going down\nS closes")),
            ("c@d", script(RCPT, "C: RCPT TO:<c@d>\nC: NOOP\nS: 421 4.3.2 Going down\nS closes")),
            ("", script(RCPT, "C: DATA\nS: 354...\nC: .\nC: NOOP\nS: 421 4.3.2 Going down\nS closes")),
        ):
            delivery = FakeDelivery()
            delivery.refusals[path] = delivery.failure = leaving
            self.assertFalse(self.assert_dialogue(transcript, delivery=delivery).is_open)

    def test_a_connection_lost_before_the_dot_delivers_nothing(self) -> None:
        transport = self.connect()
        self.converse(transport, script(DATA))
        transport.send(b"Subject: x\r\n\r\nhalf\r\n.\r")
        transport.drop()
        self.assertEqual(self.delivery.contents, [])


class OrderTests(DialogueTestCase):
    def test_nothing_without_a_greeting(self) -> None:
        self.assert_dialogue("""
            C: MAIL FROM:<a@b>
            S: 503 5.5.1 Say EHLO first
            C: RCPT TO:<a@b>
            S: 503 5.5.1 Say MAIL first
            C: DATA
            S: 503 5.5.1 Say MAIL first
            C: NOOP
            S: 250 2.0.0 OK
            C: QUIT
            S: 221...
            S closes
        """)

    def test_helo_is_answered_in_one_line(self) -> None:
        self.assert_dialogue("C: HELO a\nS: 250 mx.example\nC: MAIL FROM:<a@b>\nS: 250...")
        self.assertEqual(self.delivery.senders[0][0].protocol, "SMTP")

    def test_greetings_without_a_name(self) -> None:
        self.assert_dialogue("C: EHLO\nS: 501 5.5.4...\nC: HELO\nS: 501 5.5.4...\nC: LHLO a\nS: 500 5.5.1...")

    def test_a_second_mail_leaves_the_first(self) -> None:
        self.assert_dialogue(
            script(
                RCPT,
                """
            C: MAIL FROM:<other@client.example>
            S: 503 5.5.1 Sender already given
            C: DATA
            S: 354...
            C: .
            S: 250...
        """,
            )
        )
        self.assertEqual(self.delivery.delivered[0][0].sender.local, "bob")

    def test_data_without_recipients(self) -> None:
        self.assert_dialogue(
            script(MAIL, "C: DATA\nS: 503 5.5.1 No valid recipients\nC: RCPT TO:<a@b>\nS: 250...")
        )

    def test_a_group_in_which_every_recipient_is_refused(self) -> None:
        transport = self.connect()
        self.delivery.refusals["a@b"] = RelayDenied()
        self.converse(
            transport,
            script(
                EHLO,
                """
            C: MAIL FROM:<>
            C: RCPT TO:<a@b>
            C: DATA
            S: 250 2.1.0...
            S: 550 5.7.1 Relaying denied
            S: 503 5.5.1...
        """,
            ),
        )

    def test_rset_and_a_greeting_forget_the_transaction(self) -> None:
        for command, replies in (("RSET", "S: 250 2.0.0 Forgotten"), ("HELO x", "S: 250 mx.example")):
            self.assert_dialogue(
                script(RCPT, f"C: {command}\n{replies}\nC: DATA\nS: 503 5.5.1 Say MAIL first")
            )

    def test_a_greeting_that_is_wrong_forgets_nothing(self) -> None:
        self.assert_dialogue(script(RCPT, "C: EHLO " + "x" * 256 + "\nS: 501...\nC: DATA\nS: 354..."))

    def test_a_refused_sender_begins_nothing(self) -> None:
        transport = self.connect()
        self.delivery.refusals["bob@client.example"] = Refused(450, "4.7.1", "Come back")
        self.converse(
            transport,
            script(
                EHLO,
                """
            C: MAIL FROM:<bob@client.example>
            S: 450 4.7.1 Come back
            C: RCPT TO:<a@b>
            S: 503 5.5.1 Say MAIL first
            C: MAIL FROM:<carol@client.example>
            S: 250...
        """,
            ),
        )

    def test_a_refused_recipient_leaves_the_others(self) -> None:
        transport = self.connect()
        self.delivery.refusals["x@mx.example"] = RecipientUnknown()
        self.converse(
            transport,
            script(
                RCPT,
                """
            C: RCPT TO:<x@mx.example>
            S: 550 5.1.1 No such mailbox here
            C: DATA
            S: 354...
            C: .
            S: 250...
        """,
            ),
        )
        self.assertEqual(len(self.delivery.delivered[0][0].recipients), 1)

    def test_replies_keep_the_order_of_commands_while_a_delivery_thinks(self) -> None:
        transport = self.connect()
        self.converse(transport, script(EHLO))
        for message in range(2):
            waiting = self.delivery.waiting = Deferred()
            transport.send(b"MAIL FROM:<>\r\nRCPT TO:<a@b>\r\nRSET\r\nNOOP\r\nFOO\r\n")
            self.assertEqual(transport.read(), b"")
            if message:
                waiting.errback(Refused(550, "5.7.1", "No"))
                expected = [b"550", b"503", b"250", b"250", b"500"]
            else:
                waiting.callback(None)
                expected = [b"250", b"250", b"250", b"250", b"500"]
            self.assertEqual([line[:3] for line in transport.read().splitlines()], expected)

    def test_a_delivery_may_give_deferreds(self) -> None:
        transport = self.connect()
        first: Deferred[None] = Deferred()
        second: Deferred[None] = Deferred()

        async def sender(*_: object) -> None:
            await first
            await second

        self.delivery.sender = sender  # type: ignore[assignment]
        transport.send(b"HELO a\r\nMAIL FROM:<>\r\n")
        first.callback(None)
        self.assertEqual(transport.read(), b"250 mx.example\r\n")
        second.callback(None)
        self.assertEqual(transport.read(), b"250 2.1.0 Sender OK\r\n")


class SmallCommandTests(DialogueTestCase):
    def test_noop_vrfy_help_and_the_unknown(self) -> None:
        self.assert_dialogue("""
            C: NOOP hello
            S: 250 2.0.0 OK
            C: VRFY alice
            S: 252 2.0.0 Cannot verify, but will take mail and try
            C: VRFY
            S: 501 5.5.4...
            C: HELP
            S: 214-2.0.0...
            S: 214 2.0.0...
            C: EXPN list
            S: 502 5.5.1...
            C: FOO
            S: 500 5.5.2...
            C: DATA x
            S: 501 5.5.4...
            C: STARTTLS
            S: 502 5.5.1...
            C: AUTH PLAIN
            S: 502 5.5.1...
        """)

    def test_nothing_is_heard_after_quit(self) -> None:
        transport = self.connect()
        self.converse(transport, "C: QUIT\nC: NOOP\nS: 221...\nS closes")
        self.assertFalse(transport.is_open)

    def test_a_web_browser_is_sent_away(self) -> None:
        transport = self.connect()
        transport.send(b"POST / HTTP/1.1\r\nHost: x\r\n\r\nEHLO a\r\nMAIL FROM:<>\r\n")
        self.assertEqual(transport.read(), b"421 4.7.0 This is no web server\r\n")
        self.assertFalse(transport.is_open)

    def test_postmaster_needs_no_domain(self) -> None:
        self.assert_dialogue(
            script(MAIL, "C: RCPT TO:<Postmaster>\nS: 250...\nC: DATA\nS: 354...\nC: .\nS: 250...")
        )
        self.assertEqual(self.delivery.delivered[0][0].recipients[0].address, Address("Postmaster", ""))

    def test_a_source_route_is_dropped(self) -> None:
        self.assert_dialogue(
            script(MAIL, "C: RCPT TO:<@x,@y:u@d>\nS: 250...\nC: DATA\nS: 354...\nC: .\nS: 250...")
        )
        self.assertEqual(self.delivery.delivered[0][0].recipients[0].address, Address("u", "d"))

    def test_an_overlong_line_leaves_the_transaction(self) -> None:
        self.assert_dialogue(script(RCPT, f"C: {'x' * 3000}\nS: 500 5.5.6 Line too long\nC: DATA\nS: 354..."))


class ParameterTests(DialogueTestCase):
    def test_known_ones(self) -> None:
        self.assert_dialogue(
            script(
                EHLO,
                """
            C: MAIL FROM:<a@b> SIZE=1000 BODY=8BITMIME
            S: 250...
            C: RSET
            S: 250...
            C: mail from:<a@b> body=7bit smtputf8
            S: 250...
        """,
            )
        )
        self.assertEqual(self.delivery.senders[0][2], {"SIZE": "1000", "BODY": "8BITMIME"})

    def test_unknown_ones_and_bad_values(self) -> None:
        for parameters, reply in (
            ("FOO=1", "555 5.5.4"), ("RET=HDRS", "555 5.5.4"), ("AUTH=<>", "555 5.5.4"),
            ("SIZE", "501 5.5.4"), ("SIZE=x", "501 5.5.4"), ("SIZE=-1", "501 5.5.4"),
            ("SIZE=" + "1" * 21, "501 5.5.4"),
            ("SIZE=٣", "501 5.5.4"), ("BODY=9BIT", "501 5.5.4"), ("BODY=BINARYMIME", "501 5.5.4"),
            ("BODY", "501 5.5.4"),
            ("SMTPUTF8=1", "501 5.5.4"), ("SIZE=52428801", "552 5.3.4"),
            ("SIZE=99999999999999999999", "552 5.3.4"),
        ):  # fmt: skip
            self.assert_dialogue(
                script(
                    EHLO,
                    f"""
                C: MAIL FROM:<a@b> {parameters}
                S: {reply}...
                C: RCPT TO:<a@b>
                S: 503...
            """,
                )
            )

    def test_rcpt_knows_none(self) -> None:
        self.assert_dialogue(script(MAIL, "C: RCPT TO:<a@b> NOTIFY=NEVER\nS: 555 5.5.4..."))

    def test_international_addresses_need_smtputf8(self) -> None:
        self.assert_dialogue(
            script(
                EHLO,
                """
            C: MAIL FROM:<é@b>
            S: 553 5.6.7...
            C: MAIL FROM:<a@b>
            S: 250...
            C: RCPT TO:<é@mx.example>
            S: 553 5.6.7...
        """,
            )
        )
        self.assert_dialogue(
            script(
                EHLO,
                """
            C: MAIL FROM:<é@b> SMTPUTF8
            S: 250...
            C: RCPT TO:<é@mx.example>
            S: 250...
            C: DATA
            S: 354...
            C: .
            S: 250...
        """,
            )
        )
        [(envelope, content)] = self.delivery.delivered
        self.assertEqual(envelope.sender, Address("é", "b"))
        self.assertIn(b"with UTF8SMTP\r\n", content)
        self.assertIn("for <é@mx.example>;".encode(), content)
