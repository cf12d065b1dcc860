"""Each mechanism as a server speaks it: what is said, in which order, and what is refused."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.cred.credentials import IUsernameHashedPassword, IUsernamePassword
from twisted.cred.portal import Portal

from mailproto.auth._scram import ScramClientExchange
from mailproto.auth.credentials import IBearerToken, IClientCertificate
from mailproto.auth.sasl import SERVER_MECHANISMS, Challenge, SASLError, ServerMechanism
from mailproto.errors import (
    AuthenticationFailed,
    MalformedAuthentication,
    UnknownMechanism,
    UnwantedInitialResponse,
)
from tests.auth.exchanges import CLEAR, LOCAL, TLS, Checker, ExchangeTestCase, run
from tests.tls.certificates import make_certificate

EVERYTHING = replace(TLS, certificate=make_certificate()[1])
BY_NAME = {mechanism.name: mechanism for mechanism in SERVER_MECHANISMS}


def start(name: str, channel: Any = EVERYTHING) -> ServerMechanism:
    return BY_NAME[name](channel, Checker())


class MechanismTestCase(ExchangeTestCase):
    def talk(self, name: str, *responses: bytes | None) -> Any:
        """The last answer."""
        mechanism = start(name)
        answer: Any = None
        for response in responses:
            answer = run(mechanism.step(response))
        return answer

    def assert_malformed(self, name: str, *responses: bytes | None) -> None:
        """The last response is refused, and the error holds nothing of it."""
        mechanism = start(name)
        for response in responses[:-1]:
            run(mechanism.step(response))
        with self.subTest(name=name, responses=responses):
            with self.assertRaises(SASLError) as caught:
                run(mechanism.step(responses[-1]))
            self.assertNotIn("secret", str(caught.exception))


class PlainTests(MechanismTestCase):
    """RFC 4616."""

    def test_initial_response(self) -> None:
        """C: AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm"""
        given_ = self.talk("PLAIN", b"\0tim\0tanstaaftanstaaf")
        self.assertTrue(IUsernamePassword.providedBy(given_))
        self.assertEqual((given_.username, given_.password), (b"tim", b"tanstaaftanstaaf"))

    def test_empty_challenge_first(self) -> None:
        self.assertEqual(self.talk("PLAIN", None), Challenge(b""))
        self.assertEqual(self.talk("PLAIN", None, b"\0tim\0pw").username, b"tim")

    def test_acting_as_oneself(self) -> None:
        for authzid in ("tim", "TIM", "\uff54im"):
            self.assertEqual(self.talk("PLAIN", f"{authzid}\0tim\0pw".encode()).username, b"tim")
        message = "zoe\u0308@bücher.example\0Zoë@XN--BCHER-KVA.example\0pw".encode()
        self.assertEqual(self.talk("PLAIN", message).password, b"pw")

    def test_nobody_acts_as_somebody_else(self) -> None:
        """RFC 4616 2: well-formed, so it is a failure and no syntax error; the password comes first."""
        for authzid in (b"Ursel", b"K\xff", "Ku\u200brt".encode(), b"Kurt "):
            mechanism = start("PLAIN")
            run(mechanism.step(authzid + b"\0Kurt\0xipj3plmq"))
            self.assertTrue(mechanism.acts_as_another)

    def test_malformed(self) -> None:
        for message in (
            b"",
            b"tim",
            b"tim\0secret",
            b"\0tim\0secret\0",
            b"\0\0secret",
            b"\0tim\0",
            b"\0\0\0",
        ):
            self.assert_malformed("PLAIN", message)


class LoginTests(MechanismTestCase):
    def test_two_challenges(self) -> None:
        """S: 334 VXNlcm5hbWU6 / S: 334 UGFzc3dvcmQ6"""
        self.assertEqual(self.talk("LOGIN", None), Challenge(b"Username:"))
        self.assertEqual(self.talk("LOGIN", None, b"tim"), Challenge(b"Password:"))
        given_ = self.talk("LOGIN", None, b"tim", b"pw")
        self.assertEqual((given_.username, given_.password), (b"tim", b"pw"))

    def test_empty_initial_response(self) -> None:
        """As Dovecot's client has it, which sends one with every mechanism."""
        self.assertEqual(self.talk("LOGIN", b""), Challenge(b"Username:"))
        self.assertEqual(self.talk("LOGIN", b"", b"tim", b"pw").username, b"tim")

    def test_name_as_initial_response(self) -> None:
        self.assertEqual(self.talk("LOGIN", b"tim"), Challenge(b"Password:"))
        self.assertEqual(self.talk("LOGIN", b"tim", b"pw").password, b"pw")

    def test_malformed(self) -> None:
        for responses in (
            (None, b""),
            (b"", b""),
            (None, b"t\0m"),
            (None, b"tim", b""),
            (None, b"tim", b"secret\0"),
        ):
            self.assert_malformed("LOGIN", *responses)


class CramMD5Tests(MechanismTestCase):
    """RFC 2195."""

    def test_exchange(self) -> None:
        challenge = self.begin("CRAM-MD5") or b""
        self.assertRegex(challenge, rb"\A<[0-9a-f]+\.[0-9]+@mailproto>\Z")
        digest = hmac.new(b"secret", challenge, hashlib.md5).hexdigest()
        self.assertIsNone(self.respond(f"alice {digest}".encode()))

    def test_never_the_same_challenge(self) -> None:
        self.assertNotEqual(self.talk("CRAM-MD5", None), self.talk("CRAM-MD5", None))

    def test_digest_of_another_challenge_or_password(self) -> None:
        for key, message in ((b"secret", b"<another@challenge>"), (b"Secret", None)):
            challenge = self.begin("CRAM-MD5") or b""
            digest = hmac.new(key, message or challenge, hashlib.md5).hexdigest()
            self.assertRaises(AuthenticationFailed, self.respond, f"alice {digest}".encode())

    def test_example_of_the_rfc(self) -> None:
        mechanism = start("CRAM-MD5")
        run(mechanism.step(None))
        mechanism._challenge = b"<1896.697170952@postoffice.reston.mci.net>"  # type: ignore[attr-defined]
        given_: Any = run(mechanism.step(b"tim b913a602c7eda7a495b4e6e7334d3890"))
        self.assertTrue(IUsernameHashedPassword.providedBy(given_))
        self.assertEqual(given_.username, b"tim")
        self.assertTrue(given_.checkPassword(b"tanstaaftanstaaf"))
        self.assertFalse(given_.checkPassword(b"tanstaaftanstaaF"))

    def test_the_client_does_not_begin(self) -> None:
        """RFC 4954 4: 501, with an enhanced code of its own."""
        for initial in (b"tim", b""):
            error = self.assertRaises(MalformedAuthentication, self.begin, "CRAM-MD5", initial)
            assert isinstance(error, MalformedAuthentication)
            self.assertEqual((error.code, error.enhanced), (501, "5.7.0"))

    def test_name_with_spaces_and_digest_in_capitals(self) -> None:
        given_ = self.talk("CRAM-MD5", None, b"tim and tom " + b"A" * 32)
        self.assertEqual((given_.username, given_.response), (b"tim and tom", b"a" * 32))

    def test_malformed(self) -> None:
        for response in (b"", b"tim", b"tim secret", b" " + b"a" * 32, b"tim " + b"a" * 33):
            self.assert_malformed("CRAM-MD5", None, response)


class ScramTests(MechanismTestCase):
    """RFC 5802 and 7677; the messages themselves are tested in test_scram."""

    def scram(self, name: str, password: str = "secret", **more: Any) -> bytes | None:
        """What comes of an exchange with alice, or None for success."""
        algorithm: Any = name.removeprefix("SCRAM-").removesuffix("-PLUS")
        client = ScramClientExchange(algorithm, "alice", password, **more)
        self.assertEqual(self.begin(name, channel=TLS), b"")
        first = self.respond(client.client_first()) or b""
        client.server_final(self.respond(client.client_final(first)) or b"")
        self.assertTrue(client.is_proven)
        return self.respond(b"")

    def test_exchange(self) -> None:
        for name in ("SCRAM-SHA-256", "SCRAM-SHA-1"):
            self.assertIsNone(self.scram(name))
            for authzid in ("alice", "ALICE", "\uff41lice"):
                self.assertIsNone(self.scram(name, authzid=authzid))

    def test_bound_to_the_channel(self) -> None:
        self.sasl = self.sasl_server(Portal(self.realm, [self.checker]), SERVER_MECHANISMS)
        for name in ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"):
            self.assertIsNone(self.scram(name, gs2_flag="p=tls-exporter", binding=b"bound"))
            with self.assertRaises(AuthenticationFailed):
                self.scram(name, gs2_flag="p=tls-exporter", binding=b"another channel")
            self.assert_asked_in_vain("SCRAM channel bindings do not match")

    def test_somebody_took_plus_from_the_offer(self) -> None:
        """RFC 5802 6: it must fail, and the client does not get as far as its proof."""
        self.sasl = self.sasl_server(Portal(self.realm, [self.checker]), SERVER_MECHANISMS)
        with self.assertRaises(AuthenticationFailed):
            self.begin("SCRAM-SHA-256", b"y,,n=alice,r=x", channel=TLS)
        self.assert_asked_in_vain("the SCRAM client was offered no channel binding")

    def test_plus_was_not_in_the_offer(self) -> None:
        """The client could bind, says that it was not offered to, and is right."""
        for name in ("SCRAM-SHA-256", "SCRAM-SHA-1"):
            self.assertIsNone(self.scram(name, gs2_flag="y"))
        self.assertRaises(UnknownMechanism, self.begin, "SCRAM-SHA-256-PLUS", channel=TLS)

    def assert_asked_in_vain(self, flaw: str) -> None:
        """The checker decides when that is answered; what it is given matches nothing."""
        asked = self.checker.asked.pop()
        self.assertEqual((asked.username, asked.proof, asked.flaw), ("alice", b"", flaw))

    def test_wrong_password(self) -> None:
        self.assertRaises(AuthenticationFailed, self.scram, "SCRAM-SHA-256", "Secret")
        self.assertEqual(self.realm.signed_in, 0)

    def test_nobody_acts_as_somebody_else(self) -> None:
        self.assertRaises(AuthenticationFailed, self.scram, "SCRAM-SHA-256", authzid="bob")

    def test_nothing_may_follow_the_proof(self) -> None:
        """And whoever had been signed in is not any more."""
        client = ScramClientExchange("SHA-256", "alice", "secret")
        first = self.begin("SCRAM-SHA-256", client.client_first()) or b""
        self.respond(client.client_final(first))
        self.assertEqual(self.realm.signed_in, 1)
        self.assertRaises(MalformedAuthentication, self.respond, b"more")
        self.assertEqual(self.realm.signed_in, 0)


class BearerTests(MechanismTestCase):
    """RFC 7628, and Google's XOAUTH2."""

    def test_oauthbearer(self) -> None:
        """The message of RFC 7628 4.1."""
        given_ = self.talk(
            "OAUTHBEARER",
            b"n,a=user@example.com,\1host=server.example.com\1port=143\1"
            b"auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1",
        )
        self.assertTrue(IBearerToken.providedBy(given_))
        self.assertEqual(given_.username, "user@example.com")
        self.assertEqual(given_.token, "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==")
        self.assertNotIn("vF9", repr(given_))

    def test_without_a_name(self) -> None:
        for header in (b"n,,", b"y,,"):
            self.assertEqual(self.talk("OAUTHBEARER", header + b"\1auth=bearer x\1\1").username, "")

    def test_name_with_a_comma(self) -> None:
        self.assertEqual(self.talk("OAUTHBEARER", b"n,a=a=2Cb=3D,\1auth=bearer x\1\1").username, "a,b=")

    def test_xoauth2(self) -> None:
        """The message of Google's documentation."""
        given_ = self.talk(
            "XOAUTH2", b"user=someuser@example.com\1auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhd\1\1"
        )
        self.assertEqual(given_.username, "someuser@example.com")
        self.assertEqual(given_.token, "ya29.vF9dft4qmTc2Nvb3RlckBhd")

    def test_good_token(self) -> None:
        self.assertIsNone(self.begin("OAUTHBEARER", b"n,a=alice,\1auth=Bearer good==\1\1"))
        self.assertEqual(self.begin("XOAUTH2"), b"")
        self.assertIsNone(self.respond(b"user=alice\1auth=Bearer good==\1\1"))

    def test_bad_token_is_told_in_json_first(self) -> None:
        """RFC 7628 3.2.3: whatever the client says then, it has failed."""
        for answer in (b"\1", b"", b"n,,\1auth=Bearer good\1\1"):
            updates = self.begin("OAUTHBEARER", b"n,a=alice,\1auth=Bearer bad\1\1")
            self.assertEqual(updates, b'{"status":"invalid_token","schemes":"bearer"}')
            self.assertRaises(AuthenticationFailed, self.respond, answer)
        self.assertEqual(
            self.begin("XOAUTH2", b"user=alice\1auth=Bearer bad\1\1"), b'{"status":"401","schemes":"bearer"}'
        )
        with self.assertRaises(AuthenticationFailed):
            run(self.sasl.respond(b"*"))

    def test_no_bearer_token_is_a_question(self) -> None:
        """RFC 7628 4.3: "how a client can query for the needed scope"."""
        for message in (
            b"n,a=user@example.com,\1host=server.example.com\1port=143\1auth=\1\1",
            b"n,a=user@example.com,\1host=server.example.com\1port=143\1\1",
            b"n,,\1\1",
            b"y,,\1auth=\1\1",
            b"n,,\1auth=Basic secret\1\1",
            b"n,,\1auth=Bearer\1\1",
            b"n,,\1auth=Bearer se cret\1\1",
            b"\1",
        ):
            with self.subTest(message=message):
                updates = self.begin("OAUTHBEARER", message)
                self.assertEqual(updates, b'{"status":"invalid_token","schemes":"bearer"}')
                self.assertRaises(AuthenticationFailed, self.respond, b"\1")
                self.assert_over()
        self.assertEqual(self.begin("XOAUTH2", b"user=alice\1\1"), b'{"status":"401","schemes":"bearer"}')
        self.assertFalse(any(map(IBearerToken.providedBy, self.checker.asked)))

    def test_malformed(self) -> None:
        for message in (
            b"",
            b"\1\1",
            b"n,,",
            b"n,,\1auth=Bearer secret",
            b"n,,\1auth=Bearer secret\1",
            b"n,,\1auth=Bearer secret\1auth=Bearer secret\1\1",
            b"n,,\1=x\1auth=Bearer secret\1\1",
            b"n,,\1noise\1auth=Bearer secret\1\1",
            b"p=tls-exporter,,\1auth=Bearer secret\1\1",
            b"n,b=alice,\1auth=Bearer secret\1\1",
            b"n,a=al=ice,\1auth=Bearer secret\1\1",
            b"n,a=alice,x\1auth=Bearer secret\1\1",
            b"n,a=alice\1auth=Bearer secret\1\1",
            b"n,a=\xff,\1auth=Bearer secret\1\1",
        ):
            self.assert_malformed("OAUTHBEARER", message)
        self.assert_malformed("XOAUTH2", b"n,,\1auth=Bearer secret\1\1")


class ExternalTests(MechanismTestCase):
    """RFC 4422 appendix A."""

    def test_exchange(self) -> None:
        self.assertEqual(self.begin("EXTERNAL", channel=EVERYTHING), b"")
        self.assertIsNone(self.respond(b""))
        self.assertIsNone(self.begin("EXTERNAL", b"alice", channel=EVERYTHING))
        self.assertRaises(AuthenticationFailed, self.begin, "EXTERNAL", b"bob", channel=EVERYTHING)

    def test_what_the_checker_is_given(self) -> None:
        given_ = self.talk("EXTERNAL", "zoë".encode())
        self.assertTrue(IClientCertificate.providedBy(given_))
        self.assertEqual((given_.certificate, given_.authzid), (EVERYTHING.certificate, "zoë"))

    def test_malformed(self) -> None:
        for authzid in (b"\xff", b"a\0b"):
            self.assert_malformed("EXTERNAL", authzid)


class AnyOctetsTests(MechanismTestCase):
    PIECES = st.sampled_from(
        [
            b"\0",
            b"\1",
            b"n,,",
            b"a=",
            b"n=alice",
            b",r=x",
            b"auth=Bearer ",
            b"user=",
            b"=2C",
            b"c=",
            b",p=",
            b" ",
        ]
    )
    RESPONSES = st.lists(
        st.none() | st.binary(max_size=40) | st.lists(PIECES, max_size=12).map(b"".join), max_size=4
    )

    @settings(max_examples=400, deadline=None)
    @given(st.sampled_from(sorted(BY_NAME)), RESPONSES)
    def test_an_answer_or_an_error_of_the_clients(self, name: str, responses: list[bytes | None]) -> None:
        mechanism = start(name)
        for response in responses:
            try:
                answer = run(mechanism.step(response))
            except (SASLError, AuthenticationFailed, UnwantedInitialResponse):
                return
            if not isinstance(answer, Challenge):
                self.assertTrue(BY_NAME[name].credentials.providedBy(answer))  # type: ignore[attr-defined]
                return


class TableTests(MechanismTestCase):
    def test_secrets_in_clear_are_marked(self) -> None:
        marked = {name for name, mechanism in BY_NAME.items() if mechanism.plaintext}
        self.assertEqual(marked, {"PLAIN", "LOGIN", "OAUTHBEARER", "XOAUTH2"})

    def test_what_needs_something_below(self) -> None:
        for channel, missing in (
            (EVERYTHING, set()),
            (TLS, {"EXTERNAL"}),
            (LOCAL, {"EXTERNAL", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"}),
            (CLEAR, {"EXTERNAL", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"}),
        ):
            possible = {name for name, mechanism in BY_NAME.items() if mechanism.is_possible(channel)}
            self.assertEqual(set(BY_NAME) - possible, missing)

    def test_exchanges_share_nothing(self) -> None:
        first, second = start("LOGIN"), start("LOGIN")
        run(first.step(b"tim"))
        self.assertEqual(run(second.step(b"bob")), Challenge(b"Password:"))
