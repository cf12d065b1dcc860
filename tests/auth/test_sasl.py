from __future__ import annotations

import base64
import time

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.cred.credentials import IUsernamePassword
from twisted.trial.unittest import SynchronousTestCase

from mailproto.auth import (
    MAX_RESPONSE,
    MECHANISMS,
    Challenge,
    SASLError,
    decode_base64,
    server_mechanism,
)


class Dialogue(SynchronousTestCase):
    """Helpers that speak one exchange."""

    def talk(self, name: str, *responses: bytes | None) -> object:
        """The last answer of the mechanism."""
        mechanism = server_mechanism(name)
        assert mechanism is not None
        answer: object = None
        for response in responses:
            answer = mechanism.step(response)
        return answer

    def assert_signs_in(self, answer: object, username: bytes, password: bytes) -> None:
        self.assertTrue(IUsernamePassword.providedBy(answer), answer)
        self.assertEqual((answer.username, answer.password), (username, password))  # type: ignore[attr-defined]


class PlainTests(Dialogue):
    def test_initial_response(self) -> None:
        """C: AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm"""
        self.assert_signs_in(self.talk("PLAIN", b"\0tim\0tanstaaftanstaaf"), b"tim", b"tanstaaftanstaaf")

    def test_empty_challenge_first(self) -> None:
        """C: AUTH PLAIN / S: 334 / C: AHRpbQBwdw=="""
        self.assertEqual(self.talk("PLAIN", None), Challenge(b""))
        self.assert_signs_in(self.talk("PLAIN", None, b"\0tim\0pw"), b"tim", b"pw")

    def test_acting_as_oneself(self) -> None:
        self.assert_signs_in(self.talk("PLAIN", b"tim\0tim\0pw"), b"tim", b"pw")

    def test_acting_as_somebody_else_is_refused(self) -> None:
        self.assertRaises(SASLError, self.talk, "PLAIN", b"Ursel\0Kurt\0xipj3plmq")

    def test_malformed(self) -> None:
        for message in (b"", b"tim", b"tim\0pw", b"\0tim\0p\0w", b"\0\0pw", b"\0tim\0", b"\0\0\0"):
            with self.subTest(message=message):
                self.assertRaises(SASLError, self.talk, "PLAIN", message)

    def test_no_secret_in_an_error(self) -> None:
        error = self.assertRaises(SASLError, self.talk, "PLAIN", b"\0tim\0sec\0ret")
        self.assertNotIn("sec", str(error))

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=40))
    def test_anything(self, message: bytes) -> None:
        """Whatever comes is credentials or a SASLError."""
        try:
            answer = self.talk("PLAIN", message)
        except SASLError:
            return
        self.assertIn(answer.username + b"\0" + answer.password, message)  # type: ignore[attr-defined]


class LoginTests(Dialogue):
    def test_two_challenges(self) -> None:
        """S: 334 VXNlcm5hbWU6 / S: 334 UGFzc3dvcmQ6"""
        self.assertEqual(self.talk("LOGIN", None), Challenge(b"Username:"))
        self.assertEqual(self.talk("LOGIN", None, b"tim"), Challenge(b"Password:"))
        self.assert_signs_in(self.talk("LOGIN", None, b"tim", b"pw"), b"tim", b"pw")

    def test_name_as_initial_response(self) -> None:
        self.assertEqual(self.talk("LOGIN", b"tim"), Challenge(b"Password:"))
        self.assert_signs_in(self.talk("LOGIN", b"tim", b"pw"), b"tim", b"pw")

    def test_malformed(self) -> None:
        for responses in ((None, b""), (b"",), (None, b"t\0m"), (None, b"tim", b""), (None, b"tim", b"p\0")):
            with self.subTest(responses=responses):
                self.assertRaises(SASLError, self.talk, "LOGIN", *responses)


class TableTests(Dialogue):
    def test_names(self) -> None:
        self.assertEqual(MECHANISMS, ("PLAIN", "LOGIN"))

    def test_any_case(self) -> None:
        self.assertEqual(server_mechanism("plain").name, "PLAIN")  # type: ignore[union-attr]

    def test_unknown(self) -> None:
        for name in ("SCRAM-MD5", "", "PLAIN "):
            self.assertIsNone(server_mechanism(name))

    def test_passwords_in_clear_are_marked(self) -> None:
        for name in MECHANISMS:
            self.assertTrue(server_mechanism(name).plaintext)  # type: ignore[union-attr]

    def test_exchanges_share_nothing(self) -> None:
        first, second = server_mechanism("LOGIN"), server_mechanism("LOGIN")
        first.step(b"tim")  # type: ignore[union-attr]
        self.assertEqual(second.step(b"bob"), Challenge(b"Password:"))  # type: ignore[union-attr]


class Base64Tests(SynchronousTestCase):
    def test_what_is_base64(self) -> None:
        for encoded, octets in (
            (b"", b""),
            (b"AHRpbQ==", b"\0tim"),
            (b"/+8=", b"\xff\xef"),
            (b"YWJj", b"abc"),
        ):
            self.assertEqual(decode_base64(encoded), octets)

    def test_what_is_not(self) -> None:
        for encoded in (
            b"YWJ",
            b"Y W J j",
            b"YWJj\r\n",
            b"=",
            b"=YWJ",
            b"YQ==YQ==",
            b"YQ=",
            b"Y-J_",
            b"*",
            b"\xff",
        ):
            with self.subTest(encoded=encoded):
                self.assertRaises(SASLError, decode_base64, encoded)

    def test_limit(self) -> None:
        self.assertEqual(len(decode_base64(b"A" * MAX_RESPONSE)), MAX_RESPONSE * 3 // 4)
        self.assertRaises(SASLError, decode_base64, b"A" * (MAX_RESPONSE + 4))

    def test_linear(self) -> None:
        began = time.perf_counter()
        self.assertRaises(SASLError, decode_base64, b"=" * 10_000_000)
        self.assertLess(time.perf_counter() - began, 1)

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=60))
    def test_round_trip_and_anything(self, octets: bytes) -> None:
        self.assertEqual(decode_base64(base64.b64encode(octets)), octets)
        try:
            decode_base64(octets)
        except SASLError:
            return
        self.assertEqual(len(octets) % 4, 0)
