"""APOP (RFC 1939 7), where a checker can compare its digests."""

from __future__ import annotations

import hashlib
import re

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal

from mailproto.auth import password_portal
from mailproto.auth.credentials import ApopDigest, IApopDigest
from mailproto.pop3 import POP3ServerFactory
from mailproto.pop3.limits import POP3Limits
from mailproto.testing import ELSEWHERE, MemoryTransport
from tests.pop3.server.session import SessionTestCase

TIMESTAMP = re.compile(rb"\+OK mail\.test POP3 ready (<[!-;=?-~]+@mail\.test>)\r\n")


def digest(timestamp: bytes, password: str) -> str:
    return hashlib.md5(timestamp + password.encode(), usedforsecurity=False).hexdigest()


class ApopTests(SessionTestCase):
    passwords = {"alice": "secret word", "Jörg": "Straße\N{SOFT HYPHEN}"}

    def make_factory(self, **more: object) -> POP3ServerFactory:
        portal = password_portal(self.passwords, ["PLAIN", "apop"], account=lambda name: self.account)
        return POP3ServerFactory(
            portal,
            clock=self.clock,
            hostname="mail.test",
            limits=POP3Limits(failure_delay=0),
            **more,  # type: ignore[arg-type]
        )

    def greeted(self, peer: str = ELSEWHERE) -> tuple[MemoryTransport, bytes]:
        transport = self.connect(peer)
        match = TIMESTAMP.fullmatch(transport.read())
        assert match is not None
        return transport, match[1]

    def test_signing_in(self) -> None:
        """From elsewhere without TLS, too: no password is sent."""
        transport, timestamp = self.greeted()
        self.play(
            f"C: apop alice {digest(timestamp, 'secret word')}\nS: +OK 0 messages (0 octets)", transport
        )
        self.assertEqual(transport.protocol.account, "alice")  # type: ignore[attr-defined]

    def test_the_digest_may_be_in_upper_case(self) -> None:
        transport, timestamp = self.greeted()
        self.play(f"C: APOP alice {digest(timestamp, 'secret word').upper()}\nS: +OK...", transport)

    def test_each_timestamp_is_another(self) -> None:
        (_, first), (transport, second) = self.greeted(), self.greeted()
        self.assertNotEqual(first, second)
        self.play(
            f"C: APOP alice {digest(first, 'secret word')}\nS: -ERR [AUTH] Authentication failed", transport
        )

    def test_a_password_that_is_not_ascii(self) -> None:
        """RFC 6856 2.2: prepared by SASLprep; older clients send it as it is."""
        for form in ("Straße", "Straße\N{SOFT HYPHEN}"):
            transport, timestamp = self.greeted()
            self.play(f"C: APOP Jörg {digest(timestamp, form)}\nS: +OK 0 messages (0 octets)", transport)

    def test_refusals(self) -> None:
        transport, timestamp = self.greeted()
        good = digest(timestamp, "secret word")
        self.play(
            f"""
            C: APOP alice {digest(timestamp, "wrong")}
            S: -ERR [AUTH] Authentication failed
            C: APOP nobody {good}
            S: -ERR [AUTH] Authentication failed
            C: APOP alice
            S: -ERR APOP name digest
            C: APOP alice {good[:-1]}
            S: -ERR APOP name digest
            C: APOP alice {good} more
            S: -ERR APOP name digest
            C: APOP alice {"z" * 32}
            S: -ERR [AUTH] Authentication failed
            C: APOP alice {good}
            S: +OK 0 messages (0 octets)
            C: APOP alice {good}
            S: -ERR Unknown command, or not after login
            """,
            transport,
        )

    def test_guesses_end_the_connection(self) -> None:
        transport, _ = self.greeted()
        guess = f"C: APOP alice {'0' * 32}\nS: -ERR [AUTH] Authentication failed\n"
        self.play(guess * POP3Limits().failed_logins + "S closes", transport)

    def test_commands_in_one_packet(self) -> None:
        transport, timestamp = self.greeted()
        transport.send(f"APOP alice {digest(timestamp, 'secret word')}\r\nSTAT\r\nQUIT\r\n".encode())
        self.assertEqual(transport.read(), b"+OK 0 messages (0 octets)\r\n+OK 0 0\r\n+OK Bye\r\n")


class ChoiceTests(SessionTestCase):
    def test_it_is_not_offered_unless_a_checker_names_it(self) -> None:
        """A checker for CRAM-MD5 alone does not count."""
        self.play(f"C: APOP alice {'0' * 32}\nS: -ERR APOP is not offered here")

    def test_a_checker_of_twisteds_own(self) -> None:
        portal = Portal(self.realm)
        checker = InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret word")
        portal.registerChecker(checker, IApopDigest)
        self.factory = POP3ServerFactory(portal, clock=self.clock, hostname="mail.test")
        transport = self.connect()
        match = TIMESTAMP.fullmatch(transport.read())
        assert match is not None
        self.play(f"C: APOP alice {digest(match[1], 'secret word')}\nS: +OK...", transport)

    def test_a_function_cannot_check_it(self) -> None:
        with self.assertRaisesRegex(ValueError, "APOP needs the passwords themselves"):
            password_portal(lambda name, password: True, ["APOP"])

    def test_it_may_be_all_that_is_offered(self) -> None:
        portal = password_portal({"alice": "secret"}, ["APOP"], account=lambda name: self.account)
        self.factory = POP3ServerFactory(portal, clock=self.clock, hostname="mail.test")
        transport = self.connect()
        self.assertRegex(transport.read(), TIMESTAMP)
        self.play("C: AUTH\nS: +OK Mechanisms\nS: .\nC: USER alice\nS: -ERR...", transport)


class DigestTests(SessionTestCase):
    def test_the_example_of_the_rfc(self) -> None:
        timestamp = b"<1896.697170952@dbc.mtview.ca.us>"
        given = ApopDigest(b"mrose", timestamp, b"c4c9334bac560ecc979e58001b3e22fb")
        self.assertTrue(given.checkPassword(b"tanstaaf"))
        self.assertFalse(given.checkPassword(b"tanstaafl"))
        self.assertNotIn("c4c9", repr(given))

    def test_octets_that_are_no_text(self) -> None:
        self.assertFalse(ApopDigest(b"a", b"<>", b"0" * 32).checkPassword(b"\xff"))
        self.assertFalse(ApopDigest(b"a", b"<>", b"\xff" * 32).checkPassword(b"\0"))
