"""Rows 6, 7, 9, 10, 36: STARTTLS (RFC 3207) and AUTH (RFC 4954); row 38: LMTP (RFC 2033)."""

from __future__ import annotations

import base64
import re
from typing import Any

from twisted.internet.ssl import CertificateOptions

from mailproto.errors import RecipientUnknown
from mailproto.model import Outcome
from mailproto.smtp.limits import SMTPLimits
from mailproto.testing import ELSEWHERE, MemoryTransport
from tests.smtp.server.corner_cases.test_commands import HELLO, MAIL
from tests.smtp.server.corner_cases.transcript import LMTPTranscriptTestCase, TranscriptTestCase
from tests.smtp.server.dialogue import TAKEN


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


GOOD, BAD = b64("\0alice\0secret"), b64("\0alice\0wrong")
SIGN_IN = f"C: AUTH PLAIN {GOOD}\nS: 235 2.7.0...\n"


class TLSTestCase(TranscriptTestCase):
    """TLS without cryptography: the transport says that it is on."""

    def connect(self, **settings: Any) -> MemoryTransport:
        return super().connect(**{"tls": CertificateOptions(), "portal": self.portal, **settings})

    def offered(self, transport: MemoryTransport) -> set[str]:
        transport.send(b"EHLO client.example\r\n")
        return {line[4:].split()[0] for line in transport.read().decode().splitlines()[1:]}

    def mechanisms(self, transport: MemoryTransport) -> set[str]:
        transport.send(b"EHLO client.example\r\n")
        [offer] = re.findall("AUTH (.*)\r\n", transport.read().decode())
        return set(offer.split())


class StartTLSTests(TLSTestCase):
    def test_06_plaintext_behind_starttls(self) -> None:
        """RFC 3207 4.2 and 6 (CVE-2011-0411): it is never heard, whatever it is."""
        for smuggled in (b"EHLO evil\r\n", b"NOOP", b"\r\n", b"\x17\x03\x01", b"RSET\r\nEHLO evil\r\n"):
            transport = self.connect()
            transport.send(b"EHLO a\r\n")
            transport.read()
            transport.send(b"STARTTLS\r\n" + smuggled)
            self.assertRegex(transport.read(), rb"\A421 4\.7\.0 [^\r\n]+\r\n\Z")
            self.assertFalse(transport.is_open)
            self.assertFalse(transport.was_aborted)
            self.assertIsNone(transport.tls)
            self.assertEqual(self.delivery.senders, [])

    def test_07_what_was_learnt_in_plaintext_is_forgotten(self) -> None:
        """RFC 3207 4.2: the greeting, the transaction, and who it was."""
        for before in (HELLO, MAIL, HELLO + SIGN_IN, HELLO + SIGN_IN + "C: MAIL FROM:<a@b>\nS: 250...\n"):
            self.play(
                before + "C: STARTTLS\nS: 220 2.0.0...\nC starts TLS\n"
                "C: RCPT TO:<a@b>\nS: 503...\nC: MAIL FROM:<a@b>\nS: 503...\n"
                f"C: AUTH PLAIN {GOOD}\nS: 503...\n" + HELLO + SIGN_IN + "C: MAIL FROM:<a@b>\nS: 250...",
            )

    def test_09_not_with_an_argument_and_not_twice(self) -> None:
        """RFC 3207 4."""
        self.play(
            HELLO + "C: STARTTLS x\nS: 501 5.5.4...\nC: STARTTLS\nS: 220...\nC starts TLS\n"
            "C: STARTTLS\nS: 503 5.5.1...\n" + HELLO + "C: STARTTLS\nS: 503 5.5.1...",
        )

    def test_09_no_longer_announced(self) -> None:
        """RFC 3207 4.2."""
        transport = self.connect()
        self.assertIn("STARTTLS", self.offered(transport))
        transport.send(b"STARTTLS\r\n")
        transport.read()
        self.assertNotIn("STARTTLS", self.offered(transport))

    def test_09_where_there_is_no_tls(self) -> None:
        """RFC 5321 4.2.4: known, and not implemented."""
        self.play(HELLO + "C: STARTTLS\nS: 502 5.5.1...\nC: NOOP\nS: 250...", tls=None)

    def test_10_where_tls_is_required(self) -> None:
        """RFC 3207 4: 530 5.7.0, but for NOOP, EHLO, STARTTLS and QUIT; RFC 4954 4: no AUTH before it."""
        first = "S: 530 5.7.0 Must issue a STARTTLS command first\n"
        self.play(
            f"C: MAIL FROM:<a@b>\n{first}{HELLO}C: MAIL FROM:<a@b>\n{first}C: RCPT TO:<a@b>\n{first}"
            f"C: DATA\n{first}C: VRFY a\n{first}C: AUTH PLAIN {GOOD}\n{first}C: NOOP\nS: 250...\n"
            f"C: RSET\n{first}C: HELP\n{first}C: HELO a\n{first}C: EXPN a\n{first}C: ETRN a\n{first}"
            f"C: BDAT 6\nC~: NOOP␍␊\n{first}C: XCLIENT ADDR=192.0.2.1\n{first}"
            f"C: FOO\n{first}C: TURN\n{first}C: MAIL\n{first}C: RSET x\n{first}C: AUTH *\n{first}"
            "C: EHLO\nS: 501...\nC: STARTTLS x\nS: 501...\nC: QUIT x\nS: 501...\n"
            f"{HELLO}C: STARTTLS\nS: 220...\nC starts TLS\n{HELLO}{SIGN_IN}C: MAIL FROM:<a@b>\nS: 250...\n"
            "C: QUIT\nS: 221...\nS closes",
            require_tls=True,
            limits=SMTPLimits(greeting_wait=0, errors=100),
        )

    def test_10_what_is_no_command_may_not_go_on_there(self) -> None:
        """RFC 3207 4: each counts as an error, and a web browser is sent away at once."""
        first = "S: 530 5.7.0...\n"
        self.play(
            f"C: FOO\n{first}" * 20 + "C: RSET\n" + first + "S: 421 4.7.0...\nS closes", require_tls=True
        )
        self.play("C: GET / HTTP/1.1\nS: 421 4.7.0...\nS closes", require_tls=True)

    def test_10_a_mechanism_is_hidden_where_a_password_would_be_seen(self) -> None:
        """RFC 4954 4: neither offered nor taken in clear across a network."""
        self.peer = ELSEWHERE
        transport = self.connect()
        self.assertEqual(self.mechanisms(transport), {"CRAM-MD5"})
        transport.send(b"STARTTLS\r\n")
        transport.read()
        self.assertEqual(self.mechanisms(transport), {"CRAM-MD5", "PLAIN", "LOGIN"})
        self.play(HELLO + f"C: AUTH PLAIN {GOOD}\nS: 538 5.7.11...\nC: AUTH LOGIN\nS: 538 5.7.11...")


class AuthTests(TLSTestCase):
    def play_auth(self, transcript: str) -> None:
        self.play(HELLO + transcript + "\nC: NOOP\nS: 250 2.0.0 OK", tls=None)

    def test_36_when(self) -> None:
        """RFC 4954 4: behind EHLO, outside a transaction, once."""
        self.play(f"C: AUTH PLAIN {GOOD}\nS: 503 5.5.1...", tls=None)
        self.play_auth(f"C: MAIL FROM:<a@b>\nS: 250...\nC: AUTH PLAIN {GOOD}\nS: 503 5.5.1...")
        self.play_auth(SIGN_IN + f"C: AUTH PLAIN {GOOD}\nS: 503 5.5.1...")

    def test_36_which(self) -> None:
        """RFC 4954 4: 501 without a mechanism, 504 5.5.4 for one that is not there."""
        self.play_auth("C: AUTH\nS: 501 5.5.4...")
        self.play_auth("C: AUTH NONSENSE\nS: 504 5.5.4...")
        self.play_auth("C: AUTH NONSENSE =\nS: 504 5.5.4...")
        self.play_auth("C: AUTH PLAIN a b\nS: 501 5.5.4...")

    def test_36_base64(self) -> None:
        """RFC 4954 4: 501 5.5.2 for what is none; ``=`` is an empty response, and PLAIN has none."""
        for response in ("!!!!", "AGE", "AGFsaWNl=AHNlY3JldA==", "====", "AGEAYg==x", "é"):
            with self.subTest(response):
                if response.isascii():
                    self.play_auth(f"C: AUTH PLAIN {response}\nS: 501 5.5.2...")
                self.play_auth(f"C: AUTH PLAIN\nS: 334...\nC: {response}\nS: 501 5.5.2...")
        self.play_auth("C: AUTH PLAIN =\nS: 501 5.5.2...")
        self.play_auth("C: AUTH PLAIN\nS: 334...\nC:\nS: 501 5.5.2...")

    def test_36_cancelled(self) -> None:
        """RFC 4954 4: ``*`` is 501, and another try is free."""
        self.play_auth("C: AUTH PLAIN\nS: 334...\nC: *\nS: 501 5.7.0...\n" + SIGN_IN)
        self.play_auth(
            f"C: AUTH LOGIN\nS: 334...\nC: {b64('alice')}\nS: 334...\nC: *\nS: 501 5.7.0...\n" + SIGN_IN
        )

    def test_36_overlong(self) -> None:
        """RFC 4954 4: 12288 octets are taken, more are 500 5.5.6, and no command."""
        self.play_auth(f"C: AUTH PLAIN\nS: 334...\nC: {'A' * 12289}\nS: 500 5.5.6...\n" + SIGN_IN)
        self.play_auth(f"C: AUTH PLAIN {'A' * 13000}\nS: 500 5.5.6...\n" + SIGN_IN)
        self.play_auth(f"C: AUTH PLAIN {b64(chr(0) + 'a' * 9000 + chr(0) + 'b')}\nS: 5...")

    def test_36_a_response_is_no_command(self) -> None:
        """RFC 4954 4: until the exchange is over."""
        self.play_auth("C: AUTH PLAIN\nS: 334...\nC: QUIT!\nS: 501 5.5.2...")
        self.play_auth("C: AUTH PLAIN\nS: 334...\nC: NOOP␊QUIT\nS: 500 5.5.2...\nS: 500 5.5.2...")

    def test_36_wrong(self) -> None:
        """RFC 4954 6: 535 5.7.8, whoever it was."""
        for response in (BAD, b64("\0nobody\0secret")):
            self.play_auth(f"C: AUTH PLAIN {response}\nS: 535 5.7.8 Authentication failed")

    def test_19_rset_keeps_who_it_is(self) -> None:
        """RFC 5321 4.1.1.5."""
        self.play_auth(SIGN_IN + "C: MAIL FROM:<a@b>\nS: 250...\nC: RSET\nS: 250...\n"
                       f"C: AUTH PLAIN {GOOD}\nS: 503 5.5.1...")  # fmt: skip


class LMTPTests(LMTPTranscriptTestCase):
    TWO = (
        "C: LHLO client.example\nS: 250...\nC: MAIL FROM:<a@b>\nS: 250...\n"
        "C: RCPT TO:<c@d>\nS: 250...\nC: RCPT TO:<x@y>\nS: 550 5.1.1...\n"
        "C: RCPT TO:<c@d>\nS: 250...\nC: RCPT TO:<e@f>\nS: 250...\n"
    )

    def test_38_a_reply_for_each_recipient_that_was_taken(self) -> None:
        """RFC 2033 4.2: in order, duplicates too, none for those that were refused."""

        def prepare(delivery: Any) -> None:
            delivery.refusals["x@y"] = RecipientUnknown()
            delivery.outcomes = [TAKEN, Outcome(452, "4.2.2", "Full"), Outcome(550, "5.2.1", "Off")]

        [message] = self.play(
            self.TWO + "C: DATA\nS: 354...\nC: x\nC: .\n"
            "S: 250 2.1.5 Kept...\nS: 452 4.2.2 Full\nS: 550 5.2.1 Off\nC: NOOP\nS: 250 2.0.0 OK",
            prepare=prepare,
        )
        self.assertEqual(message.recipients, ["c@d", "c@d", "e@f"])

    def test_38_content_that_is_refused_is_refused_for_each(self) -> None:
        """RFC 2033 4.2: as many replies, whatever they say."""
        self.play(
            self.TWO.replace("550 5.1.1", "250 2.1.5")
            + "C: DATA\nS: 354...\nC: a␊b\nC: .\n"
            + "S: 550 5.6.11...\n" * 4
            + "C: NOOP\nS: 250 2.0.0 OK"
        )

    def test_38_data_without_recipients(self) -> None:
        """RFC 2033 4.2: 503, so that there is no message without a reply."""
        self.play(
            "C: LHLO a\nS: 250...\nC: MAIL FROM:<a@b>\nS: 250...\nC: DATA\nS: 503 5.5.1...\nC: NOOP\n"
            "S: 250..."
        )
