"""Failed logins of a connection: one password that is tried in several ways counts once."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from typing import Any

from twisted.internet.ssl import CertificateOptions

from mailproto.smtp.limits import SMTPLimits
from mailproto.testing import MemoryTransport
from tests.smtp.server.dialogue import DialogueTestCase
from tests.smtp.server.test_authentication import EHLO, b64
from tests.smtp.server.test_server import script

TOLD = "S: 535 5.7.8...\n"
END = "S: 421 4.7.0 Too many errors...\nS closes\n"


def plain(password: str, name: str = "alice") -> str:
    response = b64(f"\0{name}\0{password}")
    return f"C: AUTH PLAIN {response}\n{TOLD}"


def login(password: str, name: str = "alice") -> str:
    return f"C: AUTH LOGIN {b64(name)}\nS: 334...\nC: {b64(password)}\n{TOLD}"


def cram(password: str, name: str = "alice") -> str:
    challenge = f"<{'5a' * 16}.1000000000@mailproto>"
    digest = hmac.new(password.encode(), challenge.encode(), hashlib.md5).hexdigest()
    return f"C: AUTH CRAM-MD5\nS: 334 {b64(challenge)}\nC: {b64(f'{name} {digest}')}\n{TOLD}"


class CountTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch(secrets, "token_hex", lambda size: "5a" * size)
        self.patch(time, "time", lambda: 1_000_000_000)

    def connect(self, **settings: Any) -> MemoryTransport:
        return super().connect(portal=self.portal, **settings)

    def test_one_password_in_all_ways(self) -> None:
        """As smtplib and Thunderbird try it: three times, until the third failure."""
        attempt = cram("wrong") + plain("wrong") + login("wrong")
        good = f"C: AUTH PLAIN {b64(chr(0) + 'alice' + chr(0) + 'secret')}\nS: 235..."
        self.assert_dialogue(script(EHLO, attempt * 2, good))
        self.assert_dialogue(script(EHLO, attempt * 2, cram("wrong"), END))

    def test_guesses_in_all_ways(self) -> None:
        for attempts in (
            plain("1") + login("2") + plain("3"),
            plain("1") + plain("1") + plain("1"),
            cram("1") + plain("2") + login("3"),
            cram("1") + cram("2") + cram("3"),
            plain("1", "alice") + login("1", "bob") + plain("1", "carol"),
        ):
            self.assert_dialogue(script(EHLO, attempts, END))

    def test_a_setting(self) -> None:
        for number in (1, 2):
            limits = SMTPLimits(authentication_failures=number, failure_delay=0)
            attempts = "".join(login(str(guess)) for guess in range(number))
            self.assert_dialogue(script(EHLO, attempts, END), limits=limits)

    def test_counted_across_starttls(self) -> None:
        before = EHLO.replace("S: 250-AUTH", "S: 250-STARTTLS\nS: 250-AUTH")
        start = "C: STARTTLS\nS: 220...\nC starts TLS\n"
        self.assert_dialogue(
            script(before, plain("1"), plain("2"), start, EHLO, plain("3"), END), tls=CertificateOptions()
        )
