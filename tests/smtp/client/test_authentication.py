"""AUTH, as a client speaks it."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from mailproto.auth import Certificate, Password, Token
from mailproto.auth._scram import _client as scram_client
from mailproto.auth.sasl import ClientCredentials
from mailproto.client.errors import (
    AuthenticationRefused,
    AuthenticationUnavailable,
    ClientError,
    ConnectionLost,
    ProtocolViolation,
    ServerUntrusted,
    ServiceClosing,
)
from mailproto.smtp.errors import outcome_of
from mailproto.testing import LOOPBACK
from tests.smtp.client.dialogue import ALICE, SENDER, TEXT, TLS, ClientTestCase, LMTPClientTestCase, offering

TIM = Password("tim", "tanstaaftanstaaf")
USER = Password("user", "pencil")
CHALLENGE = b64encode(b"<1896.697170952@postoffice.reston.mci.net>").decode()
DIGEST = b64encode(b"tim b913a602c7eda7a495b4e6e7334d3890").decode()

SCRAM_FIRST = "biwsbj11c2VyLHI9ZnlrbytkMmxiYkZnT05Sdjlxa3hkYXdM"
SCRAM_CHALLENGE = (
    "cj1meWtvK2QybGJiRmdPTlJ2OXFreGRhd0wzcmZjTkhZSlkxWlZ2V1ZzN2oscz1RU1hDUitRNnNlazhiZjkyLGk9NDA5Ng=="
)
SCRAM_PROOF = (
    "Yz1iaXdzLHI9ZnlrbytkMmxiYkZnT05Sdjlxa3hkYXdMM3JmY05IWUpZMVpWdldWczdqLHA9djBYOHYzQnoyVDBDSkdiSlF5"
    "RjBYK0hJNFRzPQ=="
)
SCRAM_OUTCOME = "dj1ybUY5cHFWOFM3c3VBb1pXamE0ZEpSa0ZzS1E9"


class AuthenticationTestCase(ClientTestCase):
    """Plays AUTH with a server that offers some mechanisms."""

    def authenticate(
        self, mechanisms: str, transcript: str, credentials: ClientCredentials = TIM, **settings: Any
    ) -> Deferred[str]:
        self.connect(offering(f"AUTH {mechanisms}") if mechanisms else offering())
        signed_in = self.client.authenticate(credentials, **settings)
        self.converse(transcript)
        return signed_in

    def assert_signed_in(self, signed_in: Deferred[str], mechanism: str) -> None:
        self.assertEqual(self.result(signed_in), mechanism)
        self.assertEqual(self.client.authenticated_by, mechanism)
        self.assert_goes_on()

    def assert_goes_on(self) -> None:
        """The connection is in step."""
        noop = self.client.noop()
        self.converse("C: NOOP\nS: 250 OK")
        self.result(noop)


class DialogueTests(AuthenticationTestCase):
    def test_plain(self) -> None:
        """RFC 4954 4.1."""
        self.assert_signed_in(
            self.authenticate(
                "PLAIN LOGIN", "C: AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\nS: 235 2.7.0 Welcome"
            ),
            "PLAIN",
        )

    def test_login(self) -> None:
        self.assert_signed_in(
            self.authenticate(
                "LOGIN",
                """
                C: AUTH LOGIN
                S: 334 VXNlcm5hbWU6
                C: dGlt
                S: 334 UGFzc3dvcmQ6
                C: dGFuc3RhYWZ0YW5zdGFhZg==
                S: 235 2.7.0 Welcome
                """,
            ),
            "LOGIN",
        )

    def test_login_whatever_the_prompts_are(self) -> None:
        """Some old servers ask in clear."""
        said = f"C: AUTH LOGIN\nS: 334 Username:\nC: {LOGIN[0]}\nS: 334\nC: {LOGIN[1]}\nS: 235 OK"
        self.assert_signed_in(self.authenticate("LOGIN", said), "LOGIN")

    def test_cram_md5(self) -> None:
        self.assert_signed_in(
            self.authenticate(
                "LOGIN PLAIN CRAM-MD5", f"C: AUTH CRAM-MD5\nS: 334 {CHALLENGE}\nC: {DIGEST}\nS: 235 OK"
            ),
            "CRAM-MD5",
        )

    def test_scram(self) -> None:
        """RFC 5802 5; what the server says last needs an answer, which is an empty line."""
        self.patch(scram_client, "new_nonce", lambda: "fyko+d2lbbFgONRv9qkxdawL")
        self.assertEqual(b64decode(SCRAM_FIRST), b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL")
        self.assert_signed_in(
            self.authenticate(
                "PLAIN SCRAM-SHA-1",
                f"C: AUTH SCRAM-SHA-1 {SCRAM_FIRST}\nS: 334 {SCRAM_CHALLENGE}\nC: {SCRAM_PROOF}\n"
                f"S: 334 {SCRAM_OUTCOME}\nC:\nS: 235 2.7.0 Welcome",
                USER,
            ),
            "SCRAM-SHA-1",
        )

    def test_oauthbearer(self) -> None:
        self.assert_signed_in(
            self.authenticate(
                "PLAIN OAUTHBEARER",
                "C: AUTH OAUTHBEARER bixhPXRpbSwBYXV0aD1CZWFyZXIgeAEB\nS: 235 OK",
                Token("tim", "x"),
            ),
            "OAUTHBEARER",
        )

    def test_token_is_refused(self) -> None:
        """The error in JSON first, then the reply."""
        signed_in = self.authenticate(
            "XOAUTH2",
            """
            C: AUTH XOAUTH2 dXNlcj10aW0BYXV0aD1CZWFyZXIgeAEB
            S: 334 eyJzdGF0dXMiOiI0MDEifQ==
            C:
            S: 535 5.7.8 Token expired
            """,
            Token("tim", "x"),
        )
        self.assertEqual(self.error(signed_in, AuthenticationRefused).reply.text, "Token expired")
        self.assert_goes_on()

    def test_initial_response_is_empty(self) -> None:
        """RFC 4954 4: a single = is not the same as no response."""
        self.connect(offering("STARTTLS"))
        self.client.starttls(TLS)
        self.converse("C: STARTTLS\nS: 220 Go ahead")
        self.read()
        self.client.protocol.handshakeCompleted()
        signed_in = self.client.authenticate(Certificate())
        self.converse(
            """
            C: EHLO client.example
            S: 250-mx.example
            S: 250 AUTH EXTERNAL
            C: AUTH EXTERNAL =
            S: 235 OK
            """
        )
        self.assertEqual(self.result(signed_in), "EXTERNAL")

    def test_initial_response_that_makes_the_line_too_long(self) -> None:
        """512 octets with CRLF (RFC 4954 4); a longer one is given when it is asked for."""
        for length, fits in ((367, True), (368, False)):
            with self.subTest(length=length):
                credentials = Password("tim", "x" * length)
                response = b64encode(b"\0tim\0" + b"x" * length).decode()
                line = f"AUTH PLAIN {response}"
                self.assertEqual(len(line) + 2 <= 512, fits)
                said = f"C: {line}\n" if fits else f"C: AUTH PLAIN\nS: 334 \nC: {response}\n"
                self.assert_signed_in(self.authenticate("PLAIN", said + "S: 235 OK", credentials), "PLAIN")


class RefusalTests(AuthenticationTestCase):
    def test_credentials(self) -> None:
        """No other mechanism is tried: each failure counts for those who look for guessers."""
        for reply, permanent in (
            ("535 5.7.8 No", True),
            ("454 4.7.0 Later", False),
            ("500 5.5.6 Long", True),
        ):
            with self.subTest(reply=reply):
                signed_in = self.authenticate(
                    "PLAIN LOGIN CRAM-MD5",
                    f"C: AUTH CRAM-MD5\nS: 334 {CHALLENGE}\nC: {DIGEST}\nS: {reply}",
                )
                error = self.error(signed_in, AuthenticationRefused)
                self.assertEqual((error.reply.code, error.is_permanent), (int(reply[:3]), permanent))
                self.assertEqual(self.client.authenticated_by, "")
                self.assert_goes_on()

    def test_mechanism(self) -> None:
        """The next one is tried: 504, 502, 500 not known, 534 too weak, 538, 530 only in TLS."""
        for reply in (
            "504 5.5.4 What?",
            "534 5.7.9 Too weak",
            "538 5.7.11 Encrypt",
            "530 5.7.0 Must issue STARTTLS",
            "502 5.5.2 What?",
            "500 What?",
        ):
            with self.subTest(reply=reply):
                self.assert_signed_in(
                    self.authenticate(
                        "PLAIN LOGIN",
                        f"C: AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\nS: {reply}\n"
                        "C: AUTH LOGIN\nS: 334 \nC: dGlt\nS: 334 \nC: dGFuc3RhYWZ0YW5zdGFhZg==\nS: 235 OK",
                    ),
                    "LOGIN",
                )

    def test_every_mechanism(self) -> None:
        signed_in = self.authenticate("PLAIN", "C: AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\nS: 504 5.5.4 No")
        self.assertEqual(self.error(signed_in, AuthenticationUnavailable).reply.code, 504)
        self.assert_goes_on()

    def test_connection(self) -> None:
        said = "C: AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\nS: 421 Bye\nC closes"
        signed_in = self.authenticate("PLAIN", said)
        self.error(signed_in, ServiceClosing)

    def test_lost(self) -> None:
        signed_in = self.authenticate("LOGIN", "C: AUTH LOGIN\nS: 334 \nC: dGlt")
        self.transport.drop()
        self.error(signed_in, ConnectionLost)

    def test_silence(self) -> None:
        signed_in = self.authenticate("LOGIN", "C: AUTH LOGIN\nS: 334 \nC: dGlt")
        self.clock.advance(300)
        self.error(signed_in, ConnectionLost)


class UnavailableTests(AuthenticationTestCase):
    def test_nothing_is_said(self) -> None:
        for mechanisms, credentials, text in (
            ("", TIM, "Authentication is not offered"),
            ("GSSAPI", TIM, "No authentication mechanism that can be used"),
            ("PLAIN", Token("tim", "x"), "No authentication mechanism that can be used"),
            ("EXTERNAL", Certificate(), "No authentication mechanism that can be used"),
        ):
            with self.subTest(mechanisms=mechanisms):
                error = self.error(self.authenticate(mechanisms, "", credentials), AuthenticationUnavailable)
                self.assertEqual((str(error), error.is_permanent), (text, False))
                self.assertEqual(self.read(), b"")
                self.assert_goes_on()

    def test_one_that_is_asked_for(self) -> None:
        self.error(self.authenticate("PLAIN", "", mechanism="LOGIN"), AuthenticationUnavailable)
        self.assert_signed_in(
            self.authenticate(
                "CRAM-MD5 PLAIN",
                "C: AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\nS: 235 OK",
                mechanism="PLAIN",
            ),
            "PLAIN",
        )

    def test_twice(self) -> None:
        """RFC 4954 4: there is no second AUTH."""
        self.authenticate("PLAIN", "C: AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\nS: 235 OK")
        self.error(self.client.authenticate(TIM), AuthenticationUnavailable)
        self.assert_goes_on()


class ElsewhereTests(AuthenticationTestCase):
    """A server on another machine, without TLS."""

    peer = "192.0.2.1"

    def test_secret_is_not_sent_in_clear(self) -> None:
        for mechanisms, credentials in (("PLAIN LOGIN", TIM), ("XOAUTH2", Token("tim", "x"))):
            error = self.error(self.authenticate(mechanisms, "", credentials), AuthenticationUnavailable)
            self.assertIn("in clear", str(error))
            self.assertEqual(self.read(), b"")

    def test_unless_that_is_wanted(self) -> None:
        self.assert_signed_in(
            self.authenticate(
                "PLAIN", "C: AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\nS: 235 OK", allow_clear=True
            ),
            "PLAIN",
        )

    def test_proxy_of_this_machine_is_not_the_server(self) -> None:
        self.peer = LOOPBACK
        self.connect(offering("AUTH PLAIN LOGIN"), is_remote=True)
        error = self.error(self.client.authenticate(TIM), AuthenticationUnavailable)
        self.assertIn("in clear", str(error))
        self.assertEqual(self.read(), b"")

    def test_other_mechanisms_can_be_used(self) -> None:
        self.assert_signed_in(
            self.authenticate(
                "LOGIN PLAIN CRAM-MD5", f"C: AUTH CRAM-MD5\nS: 334 {CHALLENGE}\nC: {DIGEST}\nS: 235 OK"
            ),
            "CRAM-MD5",
        )


class UntrustedTests(AuthenticationTestCase):
    def assert_untrusted(self, signed_in: Deferred[str]) -> None:
        noop = self.client.noop()
        self.assertEqual(outcome_of(self.error(signed_in, ServerUntrusted)).enhanced, "4.7.0")
        self.error(noop, ServerUntrusted)
        self.assertTrue(self.transport.was_aborted)
        self.assertEqual(self.client.authenticated_by, "")

    def test_success_without_proof(self) -> None:
        """Whoever answers yes to everything is not the server."""
        self.patch(scram_client, "new_nonce", lambda: "fyko+d2lbbFgONRv9qkxdawL")
        for rest in (
            "S: 235 Welcome",
            f"S: 334 {SCRAM_CHALLENGE}\nC: {SCRAM_PROOF}\nS: 235 Welcome",
            f"S: 334 {SCRAM_CHALLENGE}\nC: {SCRAM_PROOF}\nS: 334 ZT1vdGhlci1lcnJvcg==\nC:\nS: 235 Welcome",
        ):
            with self.subTest(rest=rest):
                said = f"C: AUTH SCRAM-SHA-1 {SCRAM_FIRST}\n{rest}\nC closes"
                self.assert_untrusted(self.authenticate("SCRAM-SHA-1", said, USER))

    def test_wrong_proof_is_cancelled(self) -> None:
        self.patch(scram_client, "new_nonce", lambda: "fyko+d2lbbFgONRv9qkxdawL")
        self.assert_untrusted(
            self.authenticate(
                "SCRAM-SHA-1",
                f"C: AUTH SCRAM-SHA-1 {SCRAM_FIRST}\nS: 334 {SCRAM_CHALLENGE}\nC: {SCRAM_PROOF}\n"
                f"S: 334 {b64encode(b'v=' + b'A' * 27 + b'=').decode()}\n"
                "C: *\nS: 501 5.7.0 Cancelled\nC closes",
                USER,
            )
        )

    def test_refused_after_an_error(self) -> None:
        """The server says why in SCRAM's words first, and then in SMTP's."""
        self.patch(scram_client, "new_nonce", lambda: "fyko+d2lbbFgONRv9qkxdawL")
        signed_in = self.authenticate(
            "SCRAM-SHA-1",
            f"C: AUTH SCRAM-SHA-1 {SCRAM_FIRST}\nS: 334 {SCRAM_CHALLENGE}\nC: {SCRAM_PROOF}\n"
            "S: 334 ZT1pbnZhbGlkLXByb29m\nC:\nS: 535 5.7.8 No",
            USER,
        )
        self.error(signed_in, AuthenticationRefused)

    def test_challenges_that_make_no_sense(self) -> None:
        for mechanisms, said in (
            ("CRAM-MD5", "C: AUTH CRAM-MD5\nS: 334 not base64\n"),
            ("CRAM-MD5", "C: AUTH CRAM-MD5\nS: 334\n"),
            ("PLAIN", "C: AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\nS: 334 \n"),
            ("LOGIN", "C: AUTH LOGIN\n" + "".join(f"S: 334 \nC: {each}\n" for each in LOGIN) + "S: 334 \n"),
        ):
            with self.subTest(said=said):
                said += "C: *\nS: 501 Cancelled\nC closes"
                self.assert_untrusted(self.authenticate(mechanisms, said))

    def test_reply_that_is_none(self) -> None:
        for code in (250, 354):
            signed_in = self.authenticate(
                "PLAIN", f"C: AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\nS: {code} Hm\nC closes"
            )
            self.error(signed_in, ProtocolViolation)
            self.assertTrue(self.transport.was_aborted)


LOGIN = ("dGlt", "dGFuc3RhYWZ0YW5zdGFhZg==")


class AnyServerTests(AuthenticationTestCase):
    CREDENTIALS = (USER, Token("user", "x"), Certificate())
    LINES = st.one_of(
        st.sampled_from(
            [
                b"334 ",
                b"334",
                b"334-",
                b"235 OK",
                b"250 OK",
                b"354 Go",
                b"501 No",
                b"504 No",
                b"535 No",
                b"421 Bye",
            ]
        ),
        st.binary(max_size=20).map(lambda octets: b"334 " + octets),
        st.binary(max_size=40).map(lambda octets: b"334 " + b64encode(octets)),
    )

    @settings(max_examples=300, deadline=None)
    @example(USER, [b"235 OK"], False)
    @example(USER, [b"504 No"] * 3 + [b"235 OK"], False)
    @given(st.sampled_from(CREDENTIALS), st.lists(LINES, max_size=8), st.booleans())
    def test_anything(self, credentials: ClientCredentials, lines: list[bytes], offers_clear: bool) -> None:
        """It is one of the documented errors, or waits for more; and nobody is taken for the server."""
        names = "SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 OAUTHBEARER XOAUTH2 EXTERNAL"
        self.connect(offering(f"AUTH {names}{' PLAIN LOGIN' if offers_clear else ''}"))
        signed_in = self.client.authenticate(credentials)
        for line in lines:
            self.transport.send(line + b"\r\n")
        found: list[Any] = []
        signed_in.addBoth(found.append)
        for result in found:
            if isinstance(result, Failure):
                self.assertIsInstance(result.value, ClientError)
            else:
                self.assertFalse(result.startswith("SCRAM"))
        self.client.abort()


class OrderTests(AuthenticationTestCase):
    def test_nothing_else_is_said_meanwhile(self) -> None:
        self.connect(offering("AUTH LOGIN"))
        self.client.authenticate(TIM)
        self.client.send(SENDER, [ALICE], TEXT)
        self.converse(
            """
            C: AUTH LOGIN
            S: 334 VXNlcm5hbWU6
            C: dGlt
            S: 334 UGFzc3dvcmQ6
            C: dGFuc3RhYWZ0YW5zdGFhZg==
            S: 235 2.7.0 Welcome
            C: MAIL FROM:<me@client.example>
            C: RCPT TO:<alice@mx.example>
            C: DATA
            """
        )

    def test_not_in_a_transaction(self) -> None:
        """RFC 4954 4: one that was given up is ended first."""
        self.connect(offering("AUTH PLAIN"))
        self.client.send(SENDER, [ALICE], TEXT)
        self.converse(
            """
            C: MAIL FROM:<me@client.example>
            C: RCPT TO:<alice@mx.example>
            C: DATA
            S: 250 OK
            S: 550 No
            S: 503 No
            """
        )
        self.assertTrue(self.client._session.has_transaction)
        self.client.authenticate(TIM)
        self.converse("C: RSET\nS: 250 OK\nC: AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm")

    def test_forgotten_in_tls(self) -> None:
        """RFC 3207 4.2: it is the beginning again."""
        self.connect(offering("STARTTLS", "AUTH PLAIN"))
        self.client.authenticate(TIM)
        self.client.starttls(TLS)
        self.converse("C: AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\nS: 235 OK\nC: STARTTLS\nS: 220 Go")
        self.client.protocol.handshakeCompleted()
        self.converse("C: EHLO client.example\nS: 250-mx.example\nS: 250 AUTH PLAIN")
        self.assertEqual(self.client.authenticated_by, "")
        self.client.authenticate(TIM)
        self.converse("C: AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm")

    def test_no_secret_in_an_error(self) -> None:
        signed_in = self.authenticate("PLAIN", "C: AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\nS: 535 No")
        self.assertNotIn("tanstaaf", str(self.error(signed_in, AuthenticationRefused)))


class LMTPTests(LMTPClientTestCase):
    def test_the_same(self) -> None:
        self.connect()
        self.client.ehlo()
        signed_in = self.client.authenticate(TIM)
        self.converse(
            """
            S: 220 mx.example
            C: LHLO client.example
            S: 250-mx.example
            S: 250 AUTH PLAIN
            C: AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm
            S: 235 OK
            """
        )
        self.assertEqual(self.result(signed_in), "PLAIN")
