"""SCRAM: what the RFCs show, what scramp says to us, and what anybody may say."""

from __future__ import annotations

import hashlib
import hmac
import time
from binascii import a2b_base64
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from scramp import ScramClient, ScramMechanism
from twisted.trial.unittest import SynchronousTestCase

from mailproto.auth._sasl_messages import SASLError
from mailproto.auth._scram import (
    MAX_ITERATIONS,
    MAX_SCRAM_MESSAGE,
    MIN_ITERATIONS,
    SCRAM_ALGORITHMS,
    ScramAlgorithm,
    ScramClientExchange,
    ScramKeys,
    ScramServerExchange,
    parse_scram_keys,
    proof_matches,
    scram_keys,
)
from mailproto.auth._scram._keys import to_base64

SALT = b"salt of 16 bytes"
BINDINGS = {"tls-exporter": b"x" * 32, "tls-server-end-point": b"h" * 32}
KEYS = scram_keys("SHA-256", "pencil", SALT, 4096)

RFC_5802: tuple[str, ...] = (
    "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
    "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
    "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
    "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
)
RFC_7677: tuple[str, ...] = (
    "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
)
EXAMPLES: tuple[tuple[ScramAlgorithm, str, str, str, tuple[str, ...]], ...] = (
    ("SHA-1", "fyko+d2lbbFgONRv9qkxdawL", "3rfcNHYJY1ZVvWVs7j", "QSXCR+Q6sek8bf92", RFC_5802),
    (
        "SHA-256",
        "rOprNGfwEbeRWgbNEkqO",
        "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        "W22ZaJ0SNY7soEsUEjb6gQ==",
        RFC_7677,
    ),
)


class ExampleTests(SynchronousTestCase):
    """The exchanges of RFC 5802 5 and RFC 7677 3: user, pencil."""

    def test_server(self) -> None:
        for algorithm, _, nonce, salt, (first, challenge, final, outcome) in EXAMPLES:
            with self.subTest(algorithm=algorithm):
                keys = scram_keys(algorithm, "pencil", a2b_base64(salt), 4096)
                server = ScramServerExchange(algorithm, {}, plus=False, nonce=nonce)
                self.assertEqual(server.client_first(first.encode()), "user")
                self.assertEqual(server.server_first(keys), challenge.encode())
                self.assertTrue(proof_matches(keys, *server.client_final(final.encode())))
                self.assertEqual(server.server_final(), outcome.encode())

    def test_client(self) -> None:
        for algorithm, nonce, _, _, (first, challenge, final, outcome) in EXAMPLES:
            with self.subTest(algorithm=algorithm):
                client = ScramClientExchange(algorithm, "user", "pencil", nonce=nonce)
                self.assertEqual(client.client_first(), first.encode())
                self.assertEqual(client.client_final(challenge.encode()), final.encode())
                self.assertFalse(client.is_proven)
                client.server_final(outcome.encode())
                self.assertTrue(client.is_proven)


class KeysTests(SynchronousTestCase):
    def test_text_and_back(self) -> None:
        for algorithm in SCRAM_ALGORITHMS:
            keys = scram_keys(algorithm, "pencil", SALT, 4096)
            self.assertEqual(parse_scram_keys(str(keys)), keys)

    def test_text_has_postgresql_s_form(self) -> None:
        salt, stored, server = (to_base64(octets) for octets in (SALT, KEYS.stored_key, KEYS.server_key))
        self.assertEqual(str(KEYS), f"SCRAM-SHA-256$4096:{salt}${stored}:{server}")

    def test_what_is_no_record(self) -> None:
        record = str(KEYS)
        for text in (
            "",
            "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA",
            record[:-1],
            record + " ",
            record.replace("SHA-256", "SHA-1"),
            record.replace("SHA-256", "MD5"),
            record.replace("$4096", "$"),
            record.replace("$4096", "$0"),
            record.replace("$4096", "$" + "9" * 5000),
            record.replace(":", ":="),
        ):
            with self.subTest(text=text):
                self.assertIsNone(parse_scram_keys(text))

    def test_secrets_are_not_shown(self) -> None:
        for secret in (KEYS.stored_key, KEYS.server_key):
            self.assertNotIn(repr(secret), repr(KEYS))

    def test_password_however_it_is_typed(self) -> None:
        self.assertEqual(
            scram_keys("SHA-1", "Ame\u0301lie\u00a01", SALT, 4096),
            scram_keys("SHA-1", "Amélie 1", SALT, 4096),
        )

    def test_password_that_saslprep_does_not_take(self) -> None:
        """A client that prepares nothing may sign in with it."""
        keys = scram_keys("SHA-1", "pen\x07cil", SALT, 4096)
        salted = hashlib.pbkdf2_hmac("sha1", b"pen\x07cil", SALT, 4096)
        self.assertEqual(keys.server_key, hmac.digest(salted, b"Server Key", "sha1"))

    def test_proof_of_another_password_message_or_length(self) -> None:
        client, server, _ = exchange(keys=KEYS)
        message, proof = server.client_final(client)
        self.assertTrue(proof_matches(KEYS, message, proof))
        self.assertFalse(proof_matches(scram_keys("SHA-256", "pencils", SALT, 4096), message, proof))
        self.assertFalse(proof_matches(KEYS, message + b" ", proof))
        self.assertFalse(proof_matches(KEYS, message, bytes(32)))
        self.assertFalse(proof_matches(KEYS, message, proof[:-1]))
        self.assertFalse(proof_matches(KEYS, message, b""))


class BothEndsTests(SynchronousTestCase):
    """Our client, our server."""

    def test_proves_both(self) -> None:
        for algorithm in SCRAM_ALGORITHMS:
            keys = scram_keys(algorithm, "pencil", SALT, 4096)
            final, server, client = exchange(keys=keys)
            self.assertTrue(proof_matches(keys, *server.client_final(final)))
            client.server_final(server.server_final())
            self.assertTrue(client.is_proven)

    def test_wrong_password(self) -> None:
        final, server, _ = exchange("pencils")
        self.assertFalse(proof_matches(KEYS, *server.client_final(final)))

    def test_bound_to_the_channel(self) -> None:
        for kind, binding in BINDINGS.items():
            final, server, _ = exchange(gs2_flag=f"p={kind}", binding=binding, plus=True)
            self.assertTrue(proof_matches(KEYS, *server.client_final(final)))

    def test_bound_to_another_channel(self) -> None:
        """Somebody between the two has a TLS connection with each of them."""
        final, server, _ = exchange(gs2_flag="p=tls-exporter", binding=b"y" * 32, plus=True)
        self.assertFalse(proof_matches(KEYS, *server.client_final(final)))
        self.assertEqual(server.flaw, "SCRAM channel bindings do not match")

    def test_client_was_told_that_nothing_binds(self) -> None:
        """Somebody took the -PLUS mechanisms out of what the server offered (RFC 5802 6)."""
        final, server, _ = exchange(gs2_flag="y")
        self.assertFalse(proof_matches(KEYS, *server.client_final(final)))
        self.assertEqual(server.flaw, "the SCRAM client was offered no channel binding")
        for flag, bindings in (("n", BINDINGS), ("y", {})):
            final, server, _ = exchange(gs2_flag=flag, bindings=bindings)
            self.assertTrue(proof_matches(KEYS, *server.client_final(final)))
            self.assertEqual(server.flaw, "")

    def test_binding_and_mechanism_belong_together(self) -> None:
        self.assertRaises(SASLError, exchange, gs2_flag="n", plus=True)
        self.assertRaises(SASLError, exchange, gs2_flag="p=tls-exporter", binding=b"x" * 32)
        self.assertRaises(SASLError, exchange, gs2_flag="p=tls-unique", binding=b"x" * 12, plus=True)

    def test_odd_names(self) -> None:
        for name in ("a,b=c", "=2C", "Amélie", "alice@example.org"):
            with self.subTest(name=name):
                first = ScramClientExchange("SHA-1", name, "pencil", authzid=name).client_first()
                server = ScramServerExchange("SHA-1", {}, plus=False)
                self.assertEqual(server.client_first(first), name)
                self.assertEqual(server.authzid, name)

    def test_names_are_prepared(self) -> None:
        server = ScramServerExchange("SHA-1", {}, plus=False)
        self.assertEqual(server.client_first("n,a=\u2168,n=I\u00adX,r=x".encode()), "IX")
        self.assertEqual(server.authzid, "IX")
        first = ScramClientExchange("SHA-1", "I\u00adX", "pencil", nonce="x").client_first()
        self.assertEqual(first, b"n,,n=IX,r=x")

    def test_names_that_saslprep_does_not_take(self) -> None:
        """Both directions; what is of this century's Unicode it takes for a query."""
        for name in ("שלום@example.org", "עli", "\U0001f511@example.org"):
            server = ScramServerExchange("SHA-1", {}, plus=False)
            self.assertEqual(server.client_first(f"n,a={name},n={name},r=x".encode()), name)

    def test_nonces_are_new(self) -> None:
        finals = {exchange()[0] for _ in range(3)}
        self.assertEqual(len(finals), 3)


class HostileClientTests(SynchronousTestCase):
    def test_first_message(self) -> None:
        for message in (
            b"",
            b"n",
            b"n,",
            b"n,,",
            b"n,,n=user",
            b"n,,n=,r=x",
            b"n,,n=user,r=",
            b"n,,r=x,n=user",
            b"n,,m=ext,n=user,r=x",
            b"n,,n=user,r=x,m=ext",
            b"n,,n=user,r=x,r=y",
            b"n,,n=user,r=x,ext",
            b"n,,n=us=er,r=x",
            b"n,,n=us=2cer,r=x",
            b"n,,n=us\x07er,r=x",
            "n,,n=\u05d0\u202eb,r=x".encode(),
            "n,,n=\u00ad,r=x".encode(),
            b"n,,n=" + "é".encode() * 1100 + b",r=x",
            b"n,,n=\xff,r=x",
            b"n,,n=us\0er,r=x",
            b"n,,n=user,r=x,z=\0",
            b"n,,n=user,r=x y",
            "n,,n=user,r=é".encode(),
            b"n,user,n=user,r=x",
            b"n,a=,n=user,r=x",
            b"N,,n=user,r=x",
            b"z,,n=user,r=x",
            b"p,,n=user,r=x",
            b"F,n,,n=user,r=x",
        ):
            with self.subTest(message=message):
                self.assertRaises(
                    SASLError, ScramServerExchange("SHA-1", {}, plus=False).client_first, message
                )

    def test_unknown_extensions_are_ignored(self) -> None:
        server = ScramServerExchange("SHA-1", {}, plus=False)
        self.assertEqual(server.client_first(b"n,,n=user,r=x,z=1,Q=a=b"), "user")

    def test_final_message(self) -> None:
        final, server, _ = exchange()
        binding, nonce, proof = final.split(b",")
        for message in (
            b"",
            final + b"AAAA",
            b",".join((nonce, binding, proof)),
            b",".join((binding, nonce)),
            b",".join((binding, nonce, proof, b"z=1")),
            b",".join((binding, nonce, b"p=*")),
            b",".join((binding, nonce, b"p=")),
            b",".join((binding, nonce, b"m=1", proof)),
            b",".join((b"c=biw", nonce, proof)),
        ):
            with self.subTest(message=message):
                self.assertRaises(SASLError, server.client_final, message)
        self.assertTrue(proof_matches(KEYS, *server.client_final(final)))
        self.assertEqual(server.flaw, "")

    def test_final_message_of_another_exchange(self) -> None:
        """It is well-formed, and proves nothing."""
        for replaced, flaw in (
            ({1: lambda nonce: nonce + b"x"}, "nonce"),
            ({1: lambda nonce: nonce[:-1]}, "nonce"),
            ({1: lambda nonce: b"r=x"}, "nonce"),
            ({0: lambda binding: b"c=eSws"}, "channel bindings"),
            ({2: lambda proof: b"p=AAAA"}, "proof"),
            ({2: lambda proof: proof[:-4]}, "proof"),
        ):
            final, server, _ = exchange()
            parts = final.split(b",")
            for index, change in replaced.items():
                parts[index] = change(parts[index])
            with self.subTest(parts=parts):
                self.assertFalse(proof_matches(KEYS, *server.client_final(b",".join(parts))))
                self.assertIn(flaw, server.flaw)

    def test_no_secret_in_an_error(self) -> None:
        server = ScramServerExchange("SHA-1", {}, plus=False)
        error = self.assertRaises(SASLError, server.client_first, b"n,,n=hunter2=,r=x")
        self.assertNotIn("hunter2", str(error))

    def test_limit(self) -> None:
        head = b"n,,n=user,r="
        server = ScramServerExchange("SHA-1", {}, plus=False)
        server.client_first(head + b"x" * (MAX_SCRAM_MESSAGE - len(head)))
        self.assertRaises(SASLError, server.client_first, head + b"x" * (MAX_SCRAM_MESSAGE - len(head) + 1))

    def test_takes_no_time(self) -> None:
        for message in (b"=" * 10_000_000, b"n,,n=" + b"=" * 4000, b"n,,n=u,r=x" + b",z=1" * 1000):
            began = time.process_time()
            answer_of(ScramServerExchange("SHA-1", {}, plus=False).client_first, message)
            self.assertLess(time.process_time() - began, 0.5)

    @settings(max_examples=300, deadline=None)
    @given(st.one_of(st.binary(max_size=60), st.text("nypa=,rm2C3Dé\0x", max_size=30).map(str.encode)))
    def test_anything(self, octets: bytes) -> None:
        """It is taken, or SASLError is raised."""
        for plus in (True, False):
            answer_of(ScramServerExchange("SHA-256", BINDINGS, plus).client_first, octets)
            answer_of(ScramServerExchange("SHA-256", {}, plus).client_first, b"n,," + octets)
        server = ScramServerExchange("SHA-256", {}, plus=False)
        server.client_first(b"n,,n=user,r=x")
        server.server_first(KEYS)
        self.assertIsNone(answer_of(server.client_final, octets))


class HostileServerTests(SynchronousTestCase):
    def client(self) -> ScramClientExchange:
        return ScramClientExchange("SHA-256", "user", "pencil", nonce="abc")

    def test_first_message(self) -> None:
        for message in (
            b"",
            b"r=abcdef",
            b"r=abcdef,s=c2FsdA==",
            b"r=abcdef,i=4096,s=c2FsdA==",
            b"r=abcdef,s=,i=4096",
            b"r=abcdef,s=?,i=4096",
            b"r=abcdef,s=c2FsdA==,i=",
            b"r=abcdef,s=c2FsdA==,i=-1",
            b"r=abcdef,s=c2FsdA==,i=04096",
            b"r=abcdef,s=c2FsdA==,i=4_096",
            "r=abcdef,s=c2FsdA==,i=٤٠٩٦".encode(),
            b"r=abcdef,s=c2FsdA==,i=" + b"9" * 4000,
            b"m=1,r=abcdef,s=c2FsdA==,i=4096",
            b"r=abcdef,s=c2FsdA==,i=4096,m=1",
            b"e=other-error",
        ):
            with self.subTest(message=message):
                self.assertRaises(SASLError, self.client().client_final, message)
        self.client().client_final(b"r=abcdef,s=c2FsdA==,i=4096,z=1")

    def test_nonce_is_ours_and_more(self) -> None:
        for nonce in (b"abc", b"abX", b"Xabc", b"ABCdef"):
            with self.subTest(nonce=nonce):
                self.assertRaises(SASLError, self.client().client_final, b"r=%b,s=c2FsdA==,i=4096" % nonce)

    def test_work_is_bounded_on_both_sides(self) -> None:
        for count in (1, MIN_ITERATIONS - 1, MAX_ITERATIONS + 1, 2**31, 10**9):
            with self.subTest(count=count):
                self.assertRaises(SASLError, self.client().client_final, b"r=abcd,s=c2FsdA==,i=%d" % count)

    def test_proof_of_the_server(self) -> None:
        final, server, client = exchange()
        server.client_final(final)
        good = server.server_final()
        for message in (b"", b"v=", b"v=?", b"v=AAAA", good[:-4] + b"AAA=", b"x=1", good + b",m=1", b"e="):
            with self.subTest(message=message):
                self.assertRaises(SASLError, client.server_final, message)
                self.assertFalse(client.is_proven)
        client.server_final(good + b",z=1")
        self.assertTrue(client.is_proven)

    def test_proof_without_an_exchange(self) -> None:
        """The signature that is not there yet is no signature of nothing."""
        client = self.client()
        self.assertRaises(SASLError, client.server_final, b"v=")
        self.assertRaises(SASLError, client.server_final, b"v=AAAA")
        self.assertFalse(client.is_proven)

    def test_error_of_the_server_proves_nothing(self) -> None:
        final, server, client = exchange()
        server.client_final(final)
        client.server_final(b"e=invalid-proof")
        self.assertFalse(client.is_proven)

    @settings(max_examples=300, deadline=None)
    @given(st.one_of(st.binary(max_size=60), st.text("rsiev=,abc409é\0", max_size=30).map(str.encode)))
    def test_anything(self, octets: bytes) -> None:
        """It is taken, or SASLError is raised; and nobody has proved anything."""
        client = self.client()
        answer_of(client.client_final, octets)
        answer_of(client.server_final, octets)
        self.assertFalse(client.is_proven)


SCRAMP_BINDINGS = {"tls-server-end-point": b"h" * 32}


class ScrampTests(SynchronousTestCase):
    """Another implementation at the other end."""

    def test_its_client_and_our_server(self) -> None:
        for algorithm in SCRAM_ALGORITHMS:
            keys = scram_keys(algorithm, "pencil", SALT, 4096)
            for kind, binding in ((None, None), *SCRAMP_BINDINGS.items()):
                with self.subTest(algorithm=algorithm, binding=kind):
                    plus = kind is not None
                    client = ScramClient(
                        [f"SCRAM-{algorithm}{'-PLUS' if plus else ''}"],
                        "user,=",
                        "pencil",
                        channel_binding=(kind, binding) if plus else None,
                    )
                    server = ScramServerExchange(algorithm, BINDINGS if plus else {}, plus)
                    self.assertEqual(server.client_first(client.get_client_first().encode()), "user,=")
                    client.set_server_first(server.server_first(keys).decode())
                    self.assertTrue(
                        proof_matches(keys, *server.client_final(client.get_client_final().encode()))
                    )
                    client.set_server_final(server.server_final().decode())

    def test_our_client_and_its_server(self) -> None:
        for algorithm in SCRAM_ALGORITHMS:
            for kind, binding in ((None, b""), *SCRAMP_BINDINGS.items()):
                with self.subTest(algorithm=algorithm, binding=kind):
                    plus = kind is not None
                    mechanism = ScramMechanism(f"SCRAM-{algorithm}{'-PLUS' if plus else ''}")
                    known = mechanism.make_auth_info("pencil", 4096)
                    server = mechanism.make_server(
                        lambda _, known=known: known, channel_binding=(kind, binding) if plus else None
                    )
                    client = ScramClientExchange(
                        algorithm,
                        "user,=",
                        "pencil",
                        gs2_flag=f"p={kind}" if plus else "n",
                        binding=binding,
                    )
                    server.set_client_first(client.client_first().decode())
                    server.set_client_final(client.client_final(server.get_server_first().encode()).decode())
                    client.server_final(server.get_server_final().encode())
                    self.assertTrue(client.is_proven)

    def test_its_keys_are_ours(self) -> None:
        salt, stored_key, server_key, count = ScramMechanism("SCRAM-SHA-256").make_auth_info("Ⅸ", 4096, SALT)
        self.assertEqual(
            scram_keys("SHA-256", "IX", salt, count),
            ScramKeys("SHA-256", salt, count, stored_key, server_key),
        )


def exchange(
    password: str = "pencil",
    *,
    keys: ScramKeys = KEYS,
    gs2_flag: str = "n",
    binding: bytes = b"",
    plus: bool = False,
    bindings: dict[str, bytes] = BINDINGS,
) -> tuple[bytes, ScramServerExchange, ScramClientExchange]:
    """An exchange as far as the client's proof, which the server has not seen."""
    client = ScramClientExchange(keys.algorithm, "user", password, gs2_flag=gs2_flag, binding=binding)
    server = ScramServerExchange(keys.algorithm, bindings, plus)
    server.client_first(client.client_first())
    return client.client_final(server.server_first(keys)), server, client


def answer_of(step: Callable[[bytes], object], octets: bytes) -> object:
    """What a step returns; None for what it refuses."""
    try:
        return step(octets)
    except SASLError:
        return None
