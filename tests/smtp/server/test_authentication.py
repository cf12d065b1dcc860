"""AUTH (RFC 4954), submission (RFC 6409) and STARTTLS (RFC 3207)."""

from __future__ import annotations

import base64
from typing import Any

from twisted.internet.ssl import CertificateOptions

from mailproto.smtp.limits import SMTPLimits
from mailproto.testing import ELSEWHERE, MemoryTransport
from tests.smtp.server.dialogue import DialogueTestCase
from tests.smtp.server.test_server import script


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


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
S: 250-AUTH CRAM-MD5 PLAIN LOGIN
S: 250 HELP
"""
GOOD, BAD = b64("\0alice\0secret"), b64("\0alice\0wrong")
SIGNED_IN = EHLO + f"C: AUTH PLAIN {GOOD}\nS: 235 2.7.0 Authentication successful\n"
MESSAGE = """
C: MAIL FROM:<alice@mx.example>
S: 250...
C: RCPT TO:<bob@example.org>
S: 250...
C: DATA
S: 354...
"""


class AuthTests(DialogueTestCase):
    def connect(self, **settings: Any) -> MemoryTransport:
        return super().connect(portal=self.portal, **settings)

    def test_plain_and_login(self) -> None:
        for exchange in (
            f"C: AUTH PLAIN {GOOD}",
            f"C: auth plain\nS: 334...\nC: {GOOD}",
            f"C: AUTH LOGIN\nS: 334 {b64('Username:')}\nC: {b64('alice')}\n"
            f"S: 334 {b64('Password:')}\nC: {b64('secret')}",
            f"C: AUTH LOGIN {b64('alice')}\nS: 334 {b64('Password:')}\nC: {b64('secret')}",
        ):  # fmt: skip
            self.assert_dialogue(
                script(EHLO, exchange, "S: 235 2.7.0...\nC: MAIL FROM:<a@b> AUTH=a+2Bb@c\nS: 250...")
            )
            self.assertEqual(self.delivery.senders[0][0].account, "alice")

    def test_what_can_go_wrong(self) -> None:
        for exchange in (
            f"C: AUTH PLAIN {BAD}\nS: 535 5.7.8 Authentication failed",
            "C: AUTH\nS: 501 5.5.4...",
            "C: AUTH FOO\nS: 504 5.5.4...",
            "C: AUTH PLAIN !!!\nS: 501 5.5.2 Malformed authentication response: not base64",
            "C: AUTH PLAIN =\nS: 501 5.5.2 Malformed authentication response: PLAIN needs three parts",
            "C: AUTH PLAIN\nS: 334...\nC: *\nS: 501 5.7.0 Authentication cancelled",
            "C: AUTH PLAIN\nS: 334...\nC: NOOP!\nS: 501 5.5.2...",
            "C: AUTH PLAIN\nS: 334...\nC: " + "A" * 12292 + "\nS: 500 5.5.6 Line too long",
        ):
            self.assert_dialogue(
                script(EHLO, exchange, "C: NOOP\nS: 250...", f"C: AUTH PLAIN {GOOD}\nS: 235...")
            )

    def test_when_it_may_not_come(self) -> None:
        self.assert_dialogue(f"C: AUTH PLAIN {GOOD}\nS: 503 5.5.1 Say EHLO first")
        self.assert_dialogue(f"C: HELO a\nS: 250...\nC: AUTH PLAIN {GOOD}\nS: 503 5.5.1 Say EHLO first")
        self.assert_dialogue(script(SIGNED_IN, f"C: AUTH PLAIN {GOOD}\nS: 503 5.5.1 Already authenticated"))
        self.assert_dialogue(
            script(EHLO, f"C: MAIL FROM:<>\nS: 250...\nC: AUTH PLAIN {GOOD}\nS: 503 5.5.1 Not...")
        )

    def test_guessing_ends_the_connection(self) -> None:
        attempt = f"C: AUTH PLAIN {BAD}\nS: 535...\n"
        self.assert_dialogue(script(EHLO, attempt * 3, "S: 421 4.7.0 Too many errors...\nS closes"))

    def test_how_often_one_may_guess_is_a_setting(self) -> None:
        attempt = f"C: AUTH PLAIN {BAD}\nS: 535...\n"
        self.assert_dialogue(
            script(EHLO, attempt, "S: 421 4.7.0 Too many errors...\nS closes"),
            limits=SMTPLimits(authentication_failures=1, failure_delay=0),
        )

    def test_rset_keeps_who_it_is(self) -> None:
        self.assert_dialogue(script(SIGNED_IN, "C: RSET\nS: 250...\nC: MAIL FROM:<>\nS: 250..."))
        self.assertEqual(self.delivery.senders[0][0].account, "alice")

    def test_the_end_signs_out(self) -> None:
        transport = self.connect()
        self.converse(transport, script(SIGNED_IN))
        self.assertEqual(self.realm.log_outs, 0)
        transport.drop()
        self.assertEqual(self.realm.log_outs, 1)

    def test_no_password_in_clear_across_a_network(self) -> None:
        self.peer = ELSEWHERE
        self.assert_dialogue(
            script(
                EHLO.replace("S: 250-AUTH CRAM-MD5 PLAIN LOGIN", "S: 250-AUTH CRAM-MD5"),
                f"C: AUTH PLAIN {GOOD}\nS: 538 5.7.11 Encryption required for this authentication mechanism",
            )
        )


class SubmissionTests(DialogueTestCase):
    def connect(self, **settings: Any) -> MemoryTransport:
        return super().connect(portal=self.portal, submission=True, **settings)

    def submit(self, *content: str, **settings: Any) -> bytes:
        self.assert_dialogue(
            script(SIGNED_IN, MESSAGE, *(f"C: {line}" for line in content), "C: .\nS: 250..."), **settings
        )
        [(self.envelope, octets)] = self.delivery.delivered
        return octets.partition(b"Sun, 9 Sep 2001 01:46:40 +0000\r\n")[2]

    def test_authentication_is_required(self) -> None:
        self.assert_dialogue(
            script(
                EHLO,
                "C: MAIL FROM:<a@b>\nS: 530 5.7.0 Authentication required",
                "C: RCPT TO:<a@b>\nS: 530 5.7.0...\nC: DATA\nS: 530 5.7.0...\nC: VRFY a\nS: 530 5.7.0...",
                "C: NOOP\nS: 250...\nC: RSET\nS: 250...",
            )
        )

    def test_the_session_says_so(self) -> None:
        self.submit("")
        session = self.envelope.session
        self.assertEqual((session.submission, session.account), (True, "alice"))
        self.assertIn(b"with ESMTPA\r\n", self.delivery.delivered[0][1])

    def test_date_and_message_id_are_added(self) -> None:
        content = self.submit("Subject: x", "", "Date: not a field")
        expected = (
            "Date: Sun, 9 Sep 2001 01:46:40 +0000\r\n"
            f"Message-ID: <{self.envelope.id}@mx.example>\r\n"
            "Subject: x\r\n\r\nDate: not a field\r\n"
        )
        self.assertEqual(content, expected.encode())

    def test_what_is_there_stays(self) -> None:
        lines = ("DATE: today", "X: y", "message-id : <a@b>", "", "text")
        self.assertEqual(self.submit(*lines), "".join(f"{line}\r\n" for line in lines).encode())

    def test_bcc_goes(self) -> None:
        content = self.submit(
            "Bcc: a@b",
            "Date: x",
            "bcc:",
            " c@d,",
            "\te@f",
            "Message-ID: x",
            "X-Bcc: y",
            "BCC: z",
            "",
            "Bcc: text",
        )
        self.assertEqual(content, b"Date: x\r\nMessage-ID: x\r\nX-Bcc: y\r\n\r\nBcc: text\r\n")

    def test_so_does_resent_bcc(self) -> None:
        lines = ("Resent-Bcc: a@b", "Date: x", "RESENT-BCC :", "\tc@d", "Resent-Cc: e@f", "Message-ID: x", "")
        self.assertEqual(self.submit(*lines), b"Date: x\r\nResent-Cc: e@f\r\nMessage-ID: x\r\n\r\n")

    def test_text_without_a_header_section_stays_text(self) -> None:
        content = self.submit("hello", "Bcc: this is text")
        self.assertTrue(content.startswith(b"Date: "))
        self.assertTrue(content.endswith(b"@mx.example>\r\n\r\nhello\r\nBcc: this is text\r\n"))

    def test_large_messages_too(self) -> None:
        content = self.submit("Bcc: a@b", "", *["x" * 70] * 20, limits=SMTPLimits(memory=1000))
        self.assertTrue(content.startswith(b"Date: "))
        self.assertNotIn(b"Bcc", content)
        self.assertTrue(content.endswith(b"\r\n\r\n" + (b"x" * 70 + b"\r\n") * 20))


class StartTLSTests(DialogueTestCase):
    """The state machine; real TLS is in test_starttls."""

    tls = CertificateOptions()

    def connect(self, **settings: Any) -> MemoryTransport:
        return super().connect(tls=self.tls, portal=self.portal, **settings)

    START = EHLO.replace("S: 250-AUTH", "S: 250-STARTTLS\nS: 250-AUTH")
    BEFORE = START + "C: STARTTLS\nS: 220 2.0.0 Ready to start TLS\nC starts TLS\n"

    def test_everything_is_forgotten(self) -> None:
        transport = self.assert_dialogue(
            script(
                self.START,
                f"C: AUTH PLAIN {GOOD}\nS: 235...\nC: MAIL FROM:<a@b>\nS: 250...",
                "C: STARTTLS\nS: 220 2.0.0 Ready to start TLS\nC starts TLS",
                "C: RCPT TO:<a@b>\nS: 503...\nC: MAIL FROM:<a@b>\nS: 503 5.5.1 Say EHLO first",
                EHLO,
                "C: MAIL FROM:<a@b>\nS: 250...",
            )
        )
        self.assertIs(transport.tls, self.tls)
        session = self.delivery.senders[-1][0]
        self.assertIsNone(session.account)
        self.assertEqual(session.tls.version if session.tls else "", "TLSv1.2")

    def test_the_trace_says_so(self) -> None:
        self.assert_dialogue(
            script(self.BEFORE, SIGNED_IN, MESSAGE, "C: .\nS: 250..."),
        )
        self.assertIn(b"with ESMTPSA\r\n\t(TLSv1.2 TLS_FAKE)\r\n\tid ", self.delivery.delivered[0][1])

    def test_not_twice_and_not_with_an_argument(self) -> None:
        self.assert_dialogue(
            script(
                self.START,
                "C: STARTTLS x\nS: 501 5.5.4...",
                "C: STARTTLS\nS: 220...\nC starts TLS\nC: STARTTLS\nS: 503 5.5.1...",
            )
        )

    def test_plaintext_behind_it_closes_the_connection(self) -> None:
        transport = self.connect()
        transport.send(b"EHLO a\r\nSTARTTLS\r\nMAIL FROM:<evil@x>\r\n")
        self.assertTrue(
            transport.read().endswith(b" plaintext where TLS was to begin, closing connection\r\n")
        )
        self.assertEqual((transport.is_open, transport.tls), (False, None))
        self.assertEqual(self.delivery.senders, [])

    def test_a_password_may_cross_the_network_in_tls(self) -> None:
        self.peer = ELSEWHERE
        self.assert_dialogue(
            script(
                self.BEFORE.replace("S: 250-AUTH CRAM-MD5 PLAIN LOGIN", "S: 250-AUTH CRAM-MD5"), SIGNED_IN
            ),
        )

    def test_where_tls_is_required(self) -> None:
        first = "530 5.7.0 Must issue a STARTTLS command first"
        self.assert_dialogue(
            script(
                self.START.replace("S: 250-AUTH CRAM-MD5 PLAIN LOGIN\n", ""),
                f"C: MAIL FROM:<a@b>\nS: {first}\nC: AUTH PLAIN {GOOD}\nS: {first}\nC: VRFY a\nS: {first}",
                "C: NOOP\nS: 250...\nC: STARTTLS\nS: 220...\nC starts TLS",
                SIGNED_IN,
            ),
            require_tls=True,
        )
