"""Signing in: SASL, USER and PASS, APOP; and STLS before it."""

from __future__ import annotations

import hashlib
from typing import Any

from twisted.internet.ssl import CertificateOptions

from mailproto.auth import Password, Token
from mailproto.client.errors import (
    AuthenticationRefused,
    AuthenticationUnavailable,
    ProtocolViolation,
    TLSUnavailable,
)
from mailproto.testing import ELSEWHERE
from tests.auth.exchanges import b64
from tests.pop3.client.dialogue import PLAIN, ClientTestCase, offering

ALICE = Password("alice", "secret")
TIMESTAMP = "<1896.697170952@dbc.mtview.ca.us>"
DIGEST = hashlib.md5(f"{TIMESTAMP}secret".encode(), usedforsecurity=False).hexdigest()
PLAIN_RESPONSE = b64("\0alice\0secret")


class ChoiceTests(ClientTestCase):
    def signs_in(self, server: str, dialogue: str, credentials: Any = ALICE, **more: Any) -> str:
        client = self.connect(server)
        result = client.authenticate(credentials, **more)
        self.converse(dialogue)
        used: str = self.result(result)
        self.assertEqual(client.authenticated_by, used)
        return used

    def refuses(self, server: str, credentials: Any = ALICE, **more: Any) -> str:
        """Nothing is said."""
        client = self.connect(server)
        error = self.error(client.authenticate(credentials, **more), AuthenticationUnavailable)
        self.assertEqual(self.transport.read(), b"")
        self.assertTrue(client.is_usable)
        return str(error)

    def test_sasl(self) -> None:
        server = offering("SASL PLAIN LOGIN", "USER")
        self.assertEqual(self.signs_in(server, f"C: AUTH PLAIN {PLAIN_RESPONSE}\nS: +OK"), "PLAIN")

    def test_a_long_response_has_a_line_of_its_own(self) -> None:
        """RFC 5034 4: an initial response only within 255 octets."""
        token = Token("alice", "t" * 300)
        response = b64(f"n,a=alice,\x01auth=Bearer {token.token}\x01\x01")
        self.signs_in(
            offering("SASL OAUTHBEARER"), f"C: AUTH OAUTHBEARER\nS: +\nC: {response}\nS: +OK", token
        )

    def test_user(self) -> None:
        dialogue = "C: USER alice\nS: +OK\nC: PASS secret\nS: +OK 3 messages"
        for server in (PLAIN, offering("USER"), offering("TOP"), offering("SASL GSSAPI")):
            self.assertEqual(self.signs_in(server, dialogue), "USER")
        self.assertEqual(self.signs_in(offering("SASL PLAIN"), dialogue, mechanism="user"), "USER")

    def test_pass_with_spaces(self) -> None:
        self.signs_in(PLAIN, "C: USER alice\nS: +OK\nC: PASS  a b \nS: +OK", Password("alice", " a b "))

    def test_apop(self) -> None:
        server = PLAIN.replace("ready", f"POP3 server ready {TIMESTAMP}")
        apop = f"C: APOP alice {DIGEST}\nS: +OK"
        self.assertEqual(self.signs_in(server, apop, mechanism="APOP"), "APOP")
        self.peer = ELSEWHERE
        self.assertEqual(self.signs_in(server, apop), "APOP")

    def test_timestamps_that_are_none(self) -> None:
        """CVE-2007-1558: only a msg-id, or a server in between learns the password bit by bit."""
        self.peer = ELSEWHERE
        for stamp in (
            "<>",
            "<a>",
            "<a@b",
            "a@b",
            "<a@b c>",
            "<a@\x01b>",
            "<\xe4@b>",
            "<a@b>>"[:-2],
            f"<{'a' * 300}@b>",
        ):
            self.refuses(PLAIN.replace("ready", f"ready {stamp}"), mechanism="APOP")

    def test_nothing_is_shown_to_strangers(self) -> None:
        self.peer = ELSEWHERE
        for server in (PLAIN, offering("SASL PLAIN LOGIN", "USER")):
            self.refuses(server)
            self.refuses(server, mechanism="USER")
            self.refuses(server, mechanism="PLAIN")
        self.refuses(offering("SASL XOAUTH2"), Token("alice", "t"))
        self.signs_in(PLAIN, "C: USER alice\nS: +OK\nC: PASS secret\nS: +OK", allow_clear=True)

    def test_what_user_cannot_send(self) -> None:
        for credentials in (
            Password("a\r\nDELE 1", "b"),
            Password("a", "b\nc"),
            Password("a b", "c"),
            Password("a", "b", "c"),
        ):
            self.refuses(PLAIN, credentials)
        self.refuses(PLAIN, Password("jörg", "b"))
        self.refuses(PLAIN, Token("a", "b"), mechanism="USER")
        self.signs_in(offering("UTF8 USER"), "C: USER jörg\nS: +OK\nC: PASS ü\nS: +OK", Password("jörg", "ü"))


class RefusalTests(ClientTestCase):
    def refused(self, server: str, dialogue: str, **more: Any) -> Any:
        client = self.connect(server)
        result = client.authenticate(ALICE, **more)
        self.converse(dialogue)
        self.assertEqual(client.authenticated_by, "")
        return self.error(result, AuthenticationRefused)

    def test_a_wrong_password_is_tried_once(self) -> None:
        sasl = offering("SASL PLAIN LOGIN", "USER", "AUTH-RESP-CODE")
        for said in ("-ERR [AUTH] no", "-ERR [SYS/TEMP] later", "-ERR [IN-USE] locked"):
            error = self.refused(sasl, f"C: AUTH PLAIN {PLAIN_RESPONSE}\nS: {said}")
            self.assertEqual(error.is_permanent, "AUTH" in said)
        self.refused(offering("SASL PLAIN LOGIN"), f"C: AUTH PLAIN {PLAIN_RESPONSE}\nS: -ERR no")
        self.refused(PLAIN, "C: USER alice\nS: +OK\nC: PASS secret\nS: -ERR")
        self.refused(PLAIN, "C: USER alice\nS: -ERR no such user")

    def test_a_mechanism_that_does_not_work(self) -> None:
        """A server with AUTH-RESP-CODE says AUTH if it looked at the credentials (RFC 3206)."""
        client = self.connect(offering("SASL PLAIN LOGIN", "AUTH-RESP-CODE"))
        result = client.authenticate(ALICE)
        self.converse(
            f"""
            C: AUTH PLAIN {PLAIN_RESPONSE}
            S: -ERR not today
            C: AUTH LOGIN
            S: -ERR not today
            C: USER alice
            S: +OK
            C: PASS secret
            S: +OK
            """
        )
        self.assertEqual(self.result(result), "USER")


class StlsTests(ClientTestCase):
    def test_it_asks_again(self) -> None:
        client = self.connect(offering("STLS", "SASL PLAIN"))
        tls = CertificateOptions()
        result = client.starttls(tls)
        self.converse("C: STLS\nS: +OK begin\nC starts TLS")
        client.protocol.handshakeCompleted()
        self.converse("C: CAPA\nS: +OK\nS: TOP\nS: .")
        self.assertEqual(self.result(result), {"TOP": ()})
        self.assertEqual(client.capabilities, {"TOP": ()})

    def test_a_server_without_capa(self) -> None:
        client = self.connect(PLAIN)
        result = client.starttls(CertificateOptions())
        self.converse("C: STLS\nS: -ERR what?")
        self.error(result, TLSUnavailable)
        self.assertTrue(client.is_usable)

    def test_not_offered(self) -> None:
        client = self.connect(offering("TOP"))
        self.error(client.starttls(CertificateOptions()), TLSUnavailable)
        self.assertEqual(self.transport.read(), b"")

    def test_plaintext_behind_the_go_ahead(self) -> None:
        client = self.connect(offering("STLS"))
        result = client.starttls(CertificateOptions())
        self.transport.send(b"+OK begin\r\n+OK injected\r\n")
        self.error(result, ProtocolViolation)
        self.assertFalse(client.is_usable)
