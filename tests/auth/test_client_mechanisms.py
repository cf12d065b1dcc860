"""What a client says in each mechanism, and what it believes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.auth import Certificate, Password, Token
from mailproto.auth._sasl_messages import SASLError
from mailproto.auth._scram import ScramServerExchange, proof_matches, scram_keys
from mailproto.auth.sasl import ClientCredentials, ClientMechanism, client_mechanisms
from mailproto.tls._channel import Channel

TIM = Password("tim", "tanstaaftanstaaf")
TOKEN = Token("tim@example.org", "ya29.token==")
BINDINGS = {"tls-exporter": b"x" * 32, "tls-server-end-point": b"h" * 32}
TLS = Channel(is_secure=True, is_encrypted=True, bindings=BINDINGS)
UNVERIFIED_TLS = Channel(is_encrypted=True, bindings=BINDINGS)
LOOPBACK = Channel(is_secure=True)
PLAINTEXT = Channel()
ALL = [
    "LOGIN",
    "PLAIN",
    "CRAM-MD5",
    "SCRAM-SHA-1",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256-PLUS",
    "EXTERNAL",
    "XOAUTH2",
    "OAUTHBEARER",
    "GSSAPI",
]
UNBOUND = [name for name in ALL if not name.endswith("-PLUS")]


def begin(name: str, credentials: ClientCredentials, channel: Channel = LOOPBACK) -> ClientMechanism:
    """An exchange of one mechanism, where everything is offered."""
    (mechanism,) = client_mechanisms(ALL, credentials, channel, mechanism=name, allow_clear=True)
    return mechanism


class ClearTests(SynchronousTestCase):
    def test_plain(self) -> None:
        """C: AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm (RFC 4616 4)"""
        self.assertEqual(begin("PLAIN", TIM).initial(), b"\0tim\0tanstaaftanstaaf")

    def test_plain_as_somebody_else(self) -> None:
        self.assertEqual(
            begin("PLAIN", Password("Kurt", "xipj3plmq", authzid="Ursel")).initial(),
            b"Ursel\0Kurt\0xipj3plmq",
        )

    def test_plain_has_no_challenge(self) -> None:
        self.assertRaises(SASLError, begin("PLAIN", TIM).step, b"")

    def test_login(self) -> None:
        """Whatever the prompts are."""
        mechanism = begin("LOGIN", Password("tïm", "pässword"))
        self.assertIsNone(mechanism.initial())
        self.assertEqual(mechanism.step(b"User Name\0"), "tïm".encode())
        self.assertEqual(mechanism.step(b""), "pässword".encode())
        self.assertRaises(SASLError, mechanism.step, b"Again:")


class CramMD5Tests(SynchronousTestCase):
    def test_example_of_rfc_2195_2(self) -> None:
        mechanism = begin("CRAM-MD5", TIM)
        self.assertIsNone(mechanism.initial())
        self.assertEqual(
            mechanism.step(b"<1896.697170952@postoffice.reston.mci.net>"),
            b"tim b913a602c7eda7a495b4e6e7334d3890",
        )

    def test_one_digest_and_no_more(self) -> None:
        mechanism = begin("CRAM-MD5", TIM)
        mechanism.step(b"<1@a>")
        self.assertRaises(SASLError, mechanism.step, b"<2@a>")

    def test_challenge_of_nothing(self) -> None:
        self.assertRaises(SASLError, begin("CRAM-MD5", TIM).step, b"")


class ScramTests(SynchronousTestCase):
    def exchange(self, channel: Channel, name: str, *, password: str = TIM.password) -> ClientMechanism:
        """As far as success, with a server that knows ``password``."""
        keys = scram_keys("SHA-256", password, b"salt", 4096)
        plus = name.endswith("-PLUS")
        server = ScramServerExchange("SHA-256", channel.bindings if plus else {}, plus)
        client = begin(name, TIM, channel)
        self.assertTrue(client.is_slow)
        self.assertEqual(server.client_first(client.initial() or b""), "tim")
        proof = server.client_final(client.step(server.server_first(keys)))
        self.assertFalse(client.is_complete)
        if proof_matches(keys, *proof):
            self.assertEqual(client.step(server.server_final()), b"")
        return client

    def test_server_has_proved_itself(self) -> None:
        self.assertTrue(self.exchange(LOOPBACK, "SCRAM-SHA-256").is_complete)
        self.assertTrue(self.exchange(TLS, "SCRAM-SHA-256-PLUS").is_complete)

    def test_server_does_not_know_the_password(self) -> None:
        """It may still say that all is well."""
        client = self.exchange(LOOPBACK, "SCRAM-SHA-256", password="guessed")
        self.assertFalse(client.is_complete)
        self.assertRaises(SASLError, client.step, b"v=" + b"A" * 44)

    def test_error_of_the_server(self) -> None:
        """What it means is said by the protocol."""
        client = self.exchange(LOOPBACK, "SCRAM-SHA-256", password="guessed")
        self.assertEqual(client.step(b"e=invalid-proof"), b"")
        self.assertFalse(client.is_complete)

    def test_challenge_too_many(self) -> None:
        client = self.exchange(LOOPBACK, "SCRAM-SHA-256")
        self.assertRaises(SASLError, client.step, b"")

    def test_what_is_said_of_the_channel(self) -> None:
        for offered, channel, name, flag in (
            (ALL, TLS, "SCRAM-SHA-256-PLUS", b"p=tls-exporter,,n=tim,"),
            (ALL, TLS, "SCRAM-SHA-1-PLUS", b"p=tls-exporter,,n=tim,"),
            (ALL, TLS, "SCRAM-SHA-256", b"n,,n=tim,"),
            (UNBOUND, TLS, "SCRAM-SHA-256", b"y,,n=tim,"),
            (UNBOUND, PLAINTEXT, "SCRAM-SHA-1", b"n,,n=tim,"),
        ):
            with self.subTest(name=name, flag=flag):
                (client,) = client_mechanisms(offered, TIM, channel, mechanism=name)
                self.assertTrue((client.initial() or b"").startswith(flag + b"r="), client.initial())

    def test_as_somebody_else(self) -> None:
        client = begin("SCRAM-SHA-1", Password("tim", "x", authzid="a,b"))
        self.assertTrue((client.initial() or b"").startswith(b"n,a=a=2Cb,n=tim,"))


class TokenTests(SynchronousTestCase):
    def test_oauthbearer(self) -> None:
        """RFC 7628 4.1."""
        mechanism = begin(
            "OAUTHBEARER", Token("user,name=@example.com", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==")
        )
        self.assertEqual(
            mechanism.initial(),
            b"n,a=user=2Cname=3D@example.com,\x01"
            b"auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01",
        )
        self.assertEqual(begin("OAUTHBEARER", Token("", "t")).initial(), b"n,,\x01auth=Bearer t\x01\x01")

    def test_xoauth2(self) -> None:
        """As Google describes it."""
        self.assertEqual(
            begin("XOAUTH2", TOKEN).initial(), b"user=tim@example.org\x01auth=Bearer ya29.token==\x01\x01"
        )

    def test_refused(self) -> None:
        """The server's error is answered, for it to say 535 (RFC 7628 3.2.3)."""
        for name, answer in (("OAUTHBEARER", b"\x01"), ("XOAUTH2", b"")):
            with self.subTest(name=name):
                mechanism = begin(name, TOKEN)
                self.assertTrue(mechanism.is_complete)
                self.assertEqual(mechanism.step(b'{"status":"invalid_token"}'), answer)
                self.assertFalse(mechanism.is_complete)
                self.assertRaises(SASLError, mechanism.step, b"{}")


class ExternalTests(SynchronousTestCase):
    def test_authzid_or_nothing(self) -> None:
        self.assertEqual(begin("EXTERNAL", Certificate(), TLS).initial(), b"")
        self.assertEqual(begin("EXTERNAL", Certificate("tïm"), TLS).initial(), "tïm".encode())

    def test_has_no_challenge(self) -> None:
        self.assertRaises(SASLError, begin("EXTERNAL", Certificate(), TLS).step, b"")


class ChoiceTests(SynchronousTestCase):
    def names(
        self,
        offered: list[str],
        credentials: ClientCredentials,
        channel: Channel,
        *,
        allow_clear: bool = False,
    ) -> list[str]:
        return [
            each.name for each in client_mechanisms(offered, credentials, channel, allow_clear=allow_clear)
        ]

    def test_best_first(self) -> None:
        self.assertEqual(
            self.names(UNBOUND, TIM, TLS), ["SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN"]
        )
        self.assertEqual(self.names(ALL, TOKEN, TLS), ["OAUTHBEARER", "XOAUTH2"])
        self.assertEqual(self.names(ALL, Certificate(), TLS), ["EXTERNAL"])

    def test_bound_to_the_channel_and_nothing_else(self) -> None:
        self.assertEqual(self.names(ALL, TIM, TLS), ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"])
        self.assertEqual(self.names(["PLAIN", "SCRAM-SHA-1-PLUS"], TIM, TLS), ["SCRAM-SHA-1-PLUS"])

    def test_nothing_to_bind_to(self) -> None:
        self.assertNotIn("SCRAM-SHA-256-PLUS", self.names(ALL, TIM, LOOPBACK))

    def test_only_what_is_offered(self) -> None:
        self.assertEqual(self.names(["PLAIN", "SCRAM-SHA-1"], TIM, TLS), ["SCRAM-SHA-1", "PLAIN"])
        self.assertEqual(self.names([], TIM, TLS), [])
        self.assertEqual(self.names(["GSSAPI"], TIM, TLS), [])

    def test_secrets_are_not_shown_to_whoever_listens(self) -> None:
        for channel in (PLAINTEXT, Channel(is_encrypted=True)):
            self.assertEqual(self.names(UNBOUND, TIM, channel), ["SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5"])
            self.assertEqual(self.names(ALL, TOKEN, channel), [])
            self.assertEqual(self.names(UNBOUND, TIM, channel, allow_clear=True)[-2:], ["PLAIN", "LOGIN"])
            self.assertEqual(len(self.names(ALL, TOKEN, channel, allow_clear=True)), 2)

    def test_loopback_is_secure(self) -> None:
        self.assertEqual(self.names(["PLAIN"], TIM, LOOPBACK), ["PLAIN"])
        self.assertEqual(self.names(["XOAUTH2"], TOKEN, LOOPBACK), ["XOAUTH2"])

    def test_unverified_server_can_be_bound_to(self) -> None:
        """Nobody can stand between the two, whoever has signed the certificate."""
        self.assertEqual(self.names(ALL, TIM, UNVERIFIED_TLS), ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"])

    def test_certificate_without_tls(self) -> None:
        self.assertEqual(self.names(ALL, Certificate(), LOOPBACK), [])

    def test_acting_as_somebody_else(self) -> None:
        """CRAM-MD5 and LOGIN have no place for it."""
        credentials = Password("tim", "x", authzid="bob")
        self.assertEqual(self.names(UNBOUND, credentials, TLS), ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"])

    def test_what_saslprep_does_not_take(self) -> None:
        """An emoji in the password is for mechanisms that take it as it is."""
        for credentials in (Password("tim", "\U0001f600"), Password("tim\x07", "x")):
            self.assertEqual(self.names(UNBOUND, credentials, TLS), ["CRAM-MD5", "PLAIN", "LOGIN"])

    def test_one_that_is_asked_for(self) -> None:
        (only,) = client_mechanisms(ALL, TIM, TLS, mechanism="PLAIN")
        self.assertEqual(only.name, "PLAIN")
        self.assertEqual(
            [each.name for each in client_mechanisms(ALL, TIM, TLS, mechanism="plain")], ["PLAIN"]
        )
        self.assertEqual(client_mechanisms(["PLAIN"], TIM, TLS, mechanism="LOGIN"), [])
        self.assertEqual(client_mechanisms(ALL, TIM, PLAINTEXT, mechanism="PLAIN"), [])


class CredentialsTests(SynchronousTestCase):
    def test_secrets_are_not_shown(self) -> None:
        self.assertNotIn("tanstaaf", repr(TIM))
        self.assertNotIn("ya29", repr(TOKEN))
        for name in ALL[:-1]:
            for credentials in (TIM, TOKEN, Certificate()):
                for each in client_mechanisms([name], credentials, TLS):
                    self.assertNotIn("tanstaaf", repr(each))

    def test_what_cannot_be_sent(self) -> None:
        for make in (
            lambda: Password("", "x"),
            lambda: Password("tim", ""),
            lambda: Password("t\0m", "x"),
            lambda: Password("tim", "x\0"),
            lambda: Password("tim", "x", authzid="\0"),
            lambda: Password("tim", "\ud800"),
            lambda: Token("tim", ""),
            lambda: Token("tim", "a b"),
            lambda: Token("tim", "a\x01b"),
            lambda: Token("tim", "é"),
            lambda: Token("t\x01auth=Bearer stolen", "x"),
            lambda: Certificate("a\0b"),
        ):
            self.assertRaises(ValueError, make)

    def test_errors_hold_no_secret(self) -> None:
        for make, kind in (
            (lambda: Password("tim", "s3cret\udc80"), ValueError),
            (lambda: Password("tim", b"s3cret"), TypeError),  # type: ignore[arg-type]
            (lambda: Token("tim", b"s3cret"), TypeError),  # type: ignore[arg-type]
            (lambda: client_mechanisms(ALL, ("tim", "s3cret"), TLS), TypeError),  # type: ignore[arg-type]
            (lambda: client_mechanisms(ALL, None, TLS), TypeError),  # type: ignore[arg-type]
        ):
            error = self.assertRaises(kind, make)
            self.assertIs(type(error), kind)
            self.assertNotIn("s3cret", repr((error, error.args, error.__context__)))


class AnyServerTests(SynchronousTestCase):
    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.binary(max_size=40), min_size=1, max_size=4))
    def test_anything(self, challenges: list[bytes]) -> None:
        """It is answered, or SASLError is raised; and SCRAM believes nobody."""
        for credentials in (TIM, TOKEN, Certificate()):
            for name in ALL[:-1]:
                for each in client_mechanisms(ALL, credentials, TLS, mechanism=name):
                    each.initial()
                    try:
                        for challenge in challenges:
                            self.assertIsInstance(each.step(challenge), bytes)
                    except SASLError:
                        pass
                    self.assertFalse(each.is_complete and name.startswith("SCRAM"))
