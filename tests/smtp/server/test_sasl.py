"""AUTH by the mechanisms that are more than a name and a password (RFC 4954 4)."""

from __future__ import annotations

from typing import Any

from twisted.cred.portal import Portal
from twisted.internet.ssl import CertificateOptions

from mailproto.auth._scram import _server
from mailproto.errors import Unavailable
from mailproto.testing import ELSEWHERE, FEEDS, MemoryTransport
from tests.auth.exchanges import EXAMPLE, EXAMPLE_NONCE, ExampleChecker, b64
from tests.smtp.server.dialogue import DialogueTestCase
from tests.smtp.server.test_server import script

CLIENT_FIRST, SERVER_FIRST, CLIENT_FINAL, SERVER_FINAL = EXAMPLE
EHLO = "C: EHLO client.example\n" + "S: 250-...\n" * 8 + "S: 250-AUTH {mechanisms}\nS: 250 HELP\n"
HERE = "SCRAM-SHA-256 SCRAM-SHA-1 OAUTHBEARER XOAUTH2 CRAM-MD5 PLAIN LOGIN"
HELLO = EHLO.format(mechanisms=HERE)
SCRAM = f"""
C: AUTH SCRAM-SHA-256 {CLIENT_FIRST}
S: 334 {SERVER_FIRST}
C: {CLIENT_FINAL}
S: 334 {SERVER_FINAL}
"""
SOMEBODY_ELSE = b64("bob\0alice\0secret")
GOOD = b64("\0alice\0secret")
BAD_TOKEN = b64("n,a=alice,^Aauth=Bearer bad^A^A")
REFUSED_TOKEN = f"""
C: AUTH OAUTHBEARER {BAD_TOKEN}
S: 334 {b64('{"status":"invalid_token","schemes":"bearer"}')}
"""


class MechanismTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch(_server, "new_nonce", lambda: EXAMPLE_NONCE)
        self.checker = ExampleChecker()
        self.portal = Portal(self.realm, [self.checker])

    def connect(self, **settings: Any) -> MemoryTransport:
        return super().connect(portal=self.portal, **settings)

    def assert_alice(self, exchange: str) -> None:
        self.assert_dialogue(script(HELLO, exchange, "C: MAIL FROM:<a@b>\nS: 250..."))
        self.assertEqual(self.delivery.senders[0][0].account, "alice")

    def assert_in_step(self, exchange: str) -> None:
        """Afterwards commands are commands, and nobody is signed in until somebody is."""
        self.assert_dialogue(
            script(HELLO, exchange, "C: NOOP\nS: 250 2.0.0 OK", f"C: AUTH PLAIN {GOOD}\nS: 235...")
        )

    def test_scram(self) -> None:
        """The exchange of RFC 7677 3; the server's last word is a challenge (RFC 4954 4)."""
        self.assert_alice(SCRAM + "C:\nS: 235 2.7.0 Authentication successful")
        without_initial = SCRAM.replace(f" {CLIENT_FIRST}", f"\nS: 334 \nC: {CLIENT_FIRST}", 1)
        self.assert_alice(without_initial.replace("334 \n", "334...\n") + "C:\nS: 235...")

    def test_scram_that_the_client_does_not_end(self) -> None:
        overlong = f"C: {'A' * 13000}\nS: 500 5.5.6..."
        for count, end in enumerate(("C: *\nS: 501 5.7.0...", "C: AAAA\nS: 501 5.5.2...", overlong), 1):
            transport = self.connect()
            self.converse(transport, script(HELLO, SCRAM, end))
            self.assertEqual(self.realm.log_outs, count)
            self.converse(transport, f"C: NOOP\nS: 250 2.0.0 OK\nC: AUTH PLAIN {GOOD}\nS: 235...")

    def test_a_client_that_goes_before_the_end_is_signed_out(self) -> None:
        transport = self.connect()
        self.converse(transport, script(HELLO, SCRAM))
        self.assertEqual(self.realm.log_outs, 0)
        transport.drop()
        self.assertEqual(self.realm.log_outs, 1)

    def test_scram_with_a_wrong_password(self) -> None:
        forged = b64("c=biws,r=rOprNGfwEbeRWgbNEkqO" + EXAMPLE_NONCE + ",p=" + "A" * 43 + "=")
        self.assert_in_step(
            f"C: AUTH SCRAM-SHA-256 {CLIENT_FIRST}\nS: 334 {SERVER_FIRST}\nC: {forged}\nS: 535 5.7.8..."
        )

    def test_token(self) -> None:
        self.assert_alice(f"C: AUTH XOAUTH2 {b64('user=alice^Aauth=Bearer good==^A^A')}\nS: 235 2.7.0...")
        self.assert_in_step(f"C: AUTH OAUTHBEARER {b64('n,,^Ahost=x^A')}\nS: 501 5.5.2...")

    def test_no_token(self) -> None:
        """RFC 7628 4.3: it is how a client asks what it needs."""
        updates = b64('{"status":"invalid_token","schemes":"bearer"}')
        for message in ("n,,^Ahost=x^A^A", "n,a=alice,^Aauth=^A^A"):
            self.assert_in_step(
                f"C: AUTH OAUTHBEARER {b64(message)}\nS: 334 {updates}\nC: AQ==\nS: 535 5.7.8..."
            )

    def test_token_that_is_refused(self) -> None:
        """RFC 7628 4.4."""
        for answer in ("AQ==", "*"):
            self.assert_in_step(f"{REFUSED_TOKEN}C: {answer}\nS: 535 5.7.8 Authentication failed")

    def test_tokens_are_counted(self) -> None:
        """Also those whose refusal the client calls its own wish."""
        refusal = f"{REFUSED_TOKEN}C: *\nS: 535 5.7.8...\n"
        end = "S: 421 4.7.0 Too many errors...\nS closes"
        self.assert_dialogue(script(HELLO, refusal * 3, end))

    def test_somebody_elses_name(self) -> None:
        """RFC 4616 2: not permitted is not malformed."""
        self.assert_in_step(f"C: AUTH PLAIN {SOMEBODY_ELSE}\nS: 535 5.7.8...")

    def test_initial_response_where_the_server_begins(self) -> None:
        """RFC 4954 4."""
        self.assert_in_step(f"C: AUTH CRAM-MD5 {b64('alice')}\nS: 501 5.7.0...")

    TEMPORARY = f"C: AUTH PLAIN {GOOD}\nS: 454 4.7.0 Temporary authentication failure\n"

    def test_a_checker_that_cannot_tell(self) -> None:
        """RFC 4954 6: 454 4.7.0, and nobody has guessed anything."""
        self.checker.failure = Unavailable()
        scram = f"C: AUTH SCRAM-SHA-256 {CLIENT_FIRST}\nS: 454 4.7.0...\n"
        transport = self.assert_dialogue(script(HELLO, self.TEMPORARY * 5, scram, "C: NOOP\nS: 250..."))
        self.assertTrue(transport.is_open)

    def test_a_checker_with_a_fault(self) -> None:
        """It may fail for unknown names only, so its failures count."""
        self.checker.failure = RuntimeError("secret")
        end = "S: 421 4.7.0 Too many errors...\nS closes"
        self.assert_dialogue(script(HELLO, self.TEMPORARY * 3, end))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 3 * len(FEEDS))

    def test_what_is_offered_changes_with_tls(self) -> None:
        """RFC 4954 4: a client asks again, and forgets what it knew."""
        self.peer = ELSEWHERE
        there = EHLO.format(mechanisms="SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5")
        there = there.replace("S: 250-AUTH", "S: 250-STARTTLS\nS: 250-AUTH")
        self.assert_dialogue(
            script(
                there,
                f"C: AUTH XOAUTH2 {BAD_TOKEN}\nS: 538 5.7.11...",
                "C: AUTH EXTERNAL =\nS: 504 5.5.4...\nC: AUTH SCRAM-SHA-256-PLUS\nS: 504 5.5.4...",
                "C: STARTTLS\nS: 220...\nC starts TLS",
                HELLO,
                f"C: AUTH PLAIN {GOOD}\nS: 235...",
            ),
            tls=CertificateOptions(),
        )
