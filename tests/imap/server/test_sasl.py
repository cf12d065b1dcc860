"""AUTHENTICATE by the mechanisms that are more than a name and a password (RFC 9051 6.2.2)."""

from __future__ import annotations

from typing import Any

from twisted.cred.portal import Portal

from mailproto.auth._scram import _server
from mailproto.errors import AdministratorNeeded, CredentialsExpired, Unavailable
from mailproto.imap.limits import IMAPLimits
from mailproto.testing import ELSEWHERE
from tests.auth.exchanges import EXAMPLE, EXAMPLE_NONCE, ExampleChecker, b64
from tests.imap.server.dialogue import DialogueTestCase

CLIENT_FIRST, SERVER_FIRST, CLIENT_FINAL, SERVER_FINAL = EXAMPLE
SCRAM = f"""
C: a AUTHENTICATE SCRAM-SHA-256 {CLIENT_FIRST}
S: + {SERVER_FIRST}
C: {CLIENT_FINAL}
S: + {SERVER_FINAL}
"""
GOOD = b64("\0alice\0secret")
REFUSED_TOKEN = f"""
C: a AUTHENTICATE OAUTHBEARER {b64("n,a=alice,^Aauth=Bearer bad^A^A")}
S: + {b64('{"status":"invalid_token","schemes":"bearer"}')}
"""


class MechanismTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch(_server, "new_nonce", lambda: EXAMPLE_NONCE)
        self.checker = ExampleChecker()
        self.signed_out = 0
        portal: Portal = self.factory.portal
        request = portal.realm.requestAvatar

        def request_avatar(*arguments: Any) -> Any:
            return request(*arguments).addCallback(lambda avatar: (*avatar[:2], self.sign_out))

        self.patch(portal.realm, "requestAvatar", request_avatar)
        self.factory.portal = Portal(portal.realm, [self.checker])

    def sign_out(self) -> None:
        self.signed_out += 1

    def test_what_is_offered(self) -> None:
        for peer, offered in (
            ("127.0.0.1", "SCRAM-SHA-256 SCRAM-SHA-1 OAUTHBEARER XOAUTH2 CRAM-MD5 PLAIN LOGIN"),
            (ELSEWHERE, "SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5"),
        ):
            client = self.open(peer, peer)
            greeting = client.received().decode()
            names = " ".join(f"AUTH={name}" for name in offered.split())
            self.assertRegex(greeting, rf" SASL-IR {names}( LOGINDISABLED)?\] ")

    def test_scram(self) -> None:
        """The exchange of RFC 7677 3; the server's last word is a challenge."""
        self.connect()
        self.talk(SCRAM + "C:\nS: a OK [CAPABILITY ...] Logged in\nC: b NOOP\nS: b OK NOOP completed")
        self.assertEqual(self.signed_out, 0)

    def test_scram_that_the_client_does_not_end(self) -> None:
        for count, end in enumerate(
            (
                "C: *\nS: a BAD Authentication cancelled",
                "C: AAAA\nS: a BAD Malformed authentication response: nothing more was asked for",
                f"C: {'A' * 20000}\nS: a BAD ...",
            ),
            1,
        ):
            self.connect(str(count))
            who = f"{SCRAM}{end}\nC: b NAMESPACE\nS: b BAD [CLIENTBUG] Not valid in this state"
            self.talk(who.replace("C:", f"C{count}:").replace("S:", f"S{count}:"))
            self.assertEqual(self.signed_out, count)

    def test_a_client_that_goes_before_the_end_is_signed_out(self) -> None:
        client = self.connect()
        self.talk(SCRAM)
        self.assertEqual(self.signed_out, 0)
        client.transport.drop()
        self.assertEqual(self.signed_out, 1)

    def test_token_that_is_refused(self) -> None:
        """RFC 7628 4.3."""
        for answer in ("AQ==", "*"):
            client = self.connect()
            refusal = f"{REFUSED_TOKEN}C: {answer}\nS: a NO [AUTHENTICATIONFAILED] Authentication failed\n"
            self.talk(refusal * IMAPLimits().failed_logins + "S: * BYE Too many failed logins\nS closes")
            self.assertFalse(client.transport.is_open)

    def test_a_checker_that_cannot_tell(self) -> None:
        """RFC 5530 3: no fault of the client's, and not counted as one."""
        self.connect()
        self.checker.failure = Unavailable()
        temporary = "NO [UNAVAILABLE] Temporary authentication failure"
        attempt = f"""
C: a AUTHENTICATE PLAIN {GOOD}
S: a {temporary}
C: b AUTHENTICATE SCRAM-SHA-256 {CLIENT_FIRST}
S: b {temporary}
C: c LOGIN alice secret
S: c {temporary}
"""
        self.talk(attempt * IMAPLimits().failed_logins)
        self.checker.failure = None
        self.talk(f"C: d AUTHENTICATE PLAIN {GOOD}\nS: d OK [CAPABILITY ...] Logged in")

    def test_a_checker_with_a_fault(self) -> None:
        """It may fail for unknown names only, so its failures count."""
        self.connect()
        self.checker.failure = RuntimeError()
        attempt = "C: c LOGIN alice secret\nS: c NO [UNAVAILABLE] Temporary authentication failure\n"
        number = IMAPLimits().failed_logins
        self.talk(attempt * number + "S: * BYE Too many failed logins\nS closes")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), number)

    def test_somebody_elses_name(self) -> None:
        self.connect()
        other, guess = b64("bob\0alice\0secret"), b64("bob\0alice\0wrong")
        self.talk(
            f"""
            C: a AUTHENTICATE PLAIN {guess}
            S: a NO [AUTHENTICATIONFAILED] Authentication failed
            C: b AUTHENTICATE PLAIN {other}
            S: b NO [AUTHORIZATIONFAILED] Not allowed to act as that account
            C: c NAMESPACE
            S: c BAD [CLIENTBUG] Not valid in this state
            """
        )
        self.assertEqual(self.signed_out, 1)

    def test_a_checker_that_says_why(self) -> None:
        self.connect()
        for error, answer in (
            (CredentialsExpired(), "[EXPIRED] Credentials expired"),
            (AdministratorNeeded(), "[CONTACTADMIN] Ask the administrator of this server"),
        ):
            self.checker.failure = error
            self.talk(f"C: a LOGIN alice secret\nS: a NO {answer}")
