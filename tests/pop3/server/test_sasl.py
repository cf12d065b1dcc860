"""AUTH by the mechanisms that are more than a name and a password (RFC 5034 4)."""

from __future__ import annotations

from mailproto.auth._scram import _server
from mailproto.errors import Unavailable
from mailproto.pop3.limits import POP3Limits
from tests.auth.exchanges import EXAMPLE, EXAMPLE_NONCE, ExampleChecker, b64
from tests.pop3.server.session import SessionTestCase

CLIENT_FIRST, SERVER_FIRST, CLIENT_FINAL, SERVER_FINAL = EXAMPLE
SCRAM = f"""
C: AUTH SCRAM-SHA-256 {CLIENT_FIRST}
S: + {SERVER_FIRST}
C: {CLIENT_FINAL}
S: + {SERVER_FINAL}
"""
GOOD = b64("\0alice\0secret")
REFUSED_TOKEN = f"""
C: AUTH OAUTHBEARER {b64("n,a=alice,^Aauth=Bearer bad^A^A")}
S: + {b64('{"status":"invalid_token","schemes":"bearer"}')}
"""


class MechanismTests(SessionTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch(_server, "new_nonce", lambda: EXAMPLE_NONCE)
        self.example = ExampleChecker()
        self.checker = self.example  # type: ignore[assignment]
        self.factory = self.make_factory()

    def test_what_is_offered(self) -> None:
        transport = self.connect()
        transport.send(b"CAPA\r\n")
        self.assertIn(
            b"\r\nSASL SCRAM-SHA-256 SCRAM-SHA-1 OAUTHBEARER XOAUTH2 CRAM-MD5 PLAIN LOGIN\r\n",
            transport.read(),
        )

    def test_scram(self) -> None:
        """The exchange of RFC 7677 3; the server's last word is a challenge."""
        self.play(SCRAM + "C:\nS: +OK 0 messages (0 octets)\nC: NOOP\nS: +OK")
        self.assertEqual(self.realm.signed_in, 1)

    def test_scram_that_the_client_does_not_end(self) -> None:
        for end in (
            "C: *\nS: -ERR Authentication cancelled",
            "C: AAAA\nS: -ERR Malformed authentication response: nothing more was asked for",
            f"C: {'A' * 13000}\nS: -ERR Line too long",
        ):
            transport = self.play(f"{SCRAM}{end}\nC: NOOP\nS: -ERR Unknown command, or not before login")
            self.assertEqual(self.realm.signed_in, 0)
            self.play(f"C: AUTH PLAIN {GOOD}\nS: +OK 0 messages (0 octets)", transport)
            transport.drop()

    def test_a_client_that_goes_before_the_end_is_signed_out(self) -> None:
        transport = self.play(SCRAM)
        self.assertEqual(self.realm.signed_in, 1)
        transport.drop()
        self.assertEqual(self.realm.signed_in, 0)

    def test_token_that_is_refused(self) -> None:
        for answer in ("AQ==", "*"):
            refusal = f"{REFUSED_TOKEN}C: {answer}\nS: -ERR [AUTH] Authentication failed\n"
            self.play(refusal * POP3Limits().failed_logins + "S closes")

    def test_a_checker_that_cannot_tell(self) -> None:
        """RFC 3206 4: no fault of the client's, and not counted as one."""
        self.example.failure = Unavailable()
        temporary = "-ERR [SYS/TEMP] Temporary authentication failure"
        attempts = f"""
            C: AUTH PLAIN {GOOD}
            S: {temporary}
            C: AUTH SCRAM-SHA-256 {CLIENT_FIRST}
            S: {temporary}
            C: USER alice
            S: +OK Password, please
            C: PASS secret
            S: {temporary}
        """
        transport = self.play(attempts * POP3Limits().failed_logins)
        self.example.failure = None
        self.play(f"C: AUTH PLAIN {GOOD}\nS: +OK...", transport)

    def test_a_checker_with_a_fault(self) -> None:
        """It may fail for unknown names only, so its failures count."""
        self.example.failure = RuntimeError()
        attempt = f"C: AUTH PLAIN {GOOD}\nS: -ERR [SYS/TEMP] Temporary authentication failure\n"
        self.play(attempt * POP3Limits().failed_logins + "S closes")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), POP3Limits().failed_logins)

    def test_somebody_elses_name(self) -> None:
        other = b64("bob\0alice\0secret")
        self.play(f"C: AUTH PLAIN {other}\nS: -ERR [AUTH] Not allowed to act as that account")


class OctetByOctetTests(MechanismTests):
    feed = "octets"


class SpareOctetTests(MechanismTests):
    feed = "spare"


class PipelinedTests(MechanismTests):
    feed = "together"
