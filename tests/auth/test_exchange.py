"""`SASLServer`: what is offered to whom, and how an exchange ends."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred

from mailproto.auth import DirectoryChecker
from mailproto.auth._scram import ScramClientExchange
from mailproto.auth.passwords import PasswordVerifier
from mailproto.auth.sasl import MAX_RESPONSE, SERVER_MECHANISMS, Challenge, server_mechanisms
from mailproto.auth.signing_in import Login
from mailproto.errors import (
    AuthenticationCancelled,
    AuthenticationFailed,
    EncryptionRequired,
    MailboxInUse,
    MailError,
    MalformedAuthentication,
    TemporaryAuthenticationFailure,
    Unavailable,
    UnknownMechanism,
)
from mailproto.tls import Channel
from tests.auth.exchanges import CLEAR, GOOD, LOCAL, TLS, ExchangeTestCase, run
from tests.auth.fakes import Directory, InstantPool, Reactor
from tests.auth.test_server_mechanisms import EVERYTHING

BAD = b"\0alice\0wrong"


class OfferTests(ExchangeTestCase):
    def test_what_lies_below_decides(self) -> None:
        for channel, offered in (
            (CLEAR, "SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5"),
            (LOCAL, "SCRAM-SHA-256 SCRAM-SHA-1 OAUTHBEARER XOAUTH2 CRAM-MD5 PLAIN LOGIN"),
            (TLS, "SCRAM-SHA-256 SCRAM-SHA-1 OAUTHBEARER XOAUTH2 CRAM-MD5 PLAIN LOGIN"),
            (EVERYTHING, "EXTERNAL SCRAM-SHA-256 SCRAM-SHA-1 OAUTHBEARER XOAUTH2 CRAM-MD5 PLAIN LOGIN"),
        ):
            self.assertEqual(" ".join(self.sasl.mechanisms(channel)), offered)

    def test_the_choice_decides(self) -> None:
        """Best first, whatever the order of the choice; the -PLUS forms only if they are chosen."""
        for names, channel, offered in (
            (["plain", "SCRAM-SHA-256", "PLAIN"], TLS, "SCRAM-SHA-256 PLAIN"),
            (["SCRAM-SHA-256-PLUS"], TLS, "SCRAM-SHA-256-PLUS"),
            (["SCRAM-SHA-256-PLUS"], LOCAL, ""),
            (["Scram-Sha-1-Plus", "EXTERNAL", "LOGIN"], EVERYTHING, "EXTERNAL SCRAM-SHA-1-PLUS LOGIN"),
            ([], TLS, ""),
        ):
            sasl = self.sasl_server(Portal(self.realm, [self.checker]), server_mechanisms(names))
            self.assertEqual(" ".join(sasl.mechanisms(channel)), offered)
            if "PLAIN" not in offered:
                self.assertRaises(UnknownMechanism, run, sasl.begin("PLAIN", None, TLS))
            self.assertEqual(sasl.takes_passwords, "PLAIN" in names or "LOGIN" in names)

    def test_a_choice_that_there_is_not(self) -> None:
        for name in ("GSSAPI", "", "SCRAM", "SCRAM-SHA-256-PLUS "):
            error = self.assertRaises(ValueError, server_mechanisms, ["PLAIN", name])
            self.assertIn(
                "must be one of EXTERNAL, SCRAM-SHA-256-PLUS, SCRAM-SHA-1-PLUS, SCRAM-SHA-256,", str(error)
            )

    def test_the_checkers_decide(self) -> None:
        """CRAM-MD5 only where it is asked for, and somebody keeps passwords in clear."""
        directory = DirectoryChecker(Directory(), PasswordVerifier(Reactor(), pool=InstantPool()))
        in_memory = InMemoryUsernamePasswordDatabaseDontUse()
        for checkers, offered in (
            ((), ""),
            ((in_memory,), "CRAM-MD5 PLAIN LOGIN"),
            ((directory,), "SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN"),
        ):
            self.assertEqual(" ".join(self.make(*checkers).mechanisms(LOCAL)), offered)

    def test_in_any_case(self) -> None:
        self.assertIsNone(self.begin("plain", GOOD))

    def test_what_is_not_there(self) -> None:
        for name in ("GSSAPI", "", "PLAIN ", "SCRAM-SHA-256-PLUS", "EXTERNAL"):
            self.assertRaises(UnknownMechanism, self.begin, name)
        self.sasl = self.make()
        self.assertRaises(UnknownMechanism, self.begin, "PLAIN")

    def test_what_needs_encryption(self) -> None:
        for name in ("PLAIN", "LOGIN", "OAUTHBEARER", "XOAUTH2"):
            self.assertRaises(EncryptionRequired, self.begin, name, channel=CLEAR)
        self.assertEqual(self.begin("SCRAM-SHA-256", channel=CLEAR), b"")


class EndTests(ExchangeTestCase):
    def test_failure(self) -> None:
        self.assertRaises(AuthenticationFailed, self.begin, "PLAIN", BAD)
        self.assert_over()

    def test_cancelled(self) -> None:
        self.begin("PLAIN")
        self.assertRaises(AuthenticationCancelled, run, self.sasl.respond(b"*"))
        self.assert_over()

    def test_malformed(self) -> None:
        for line in (b"not base64", b"=", b"AA", b"A" * (MAX_RESPONSE + 4), b"\xff", b"AAAA"):
            self.begin("PLAIN")
            error = self.assertRaises(MalformedAuthentication, run, self.sasl.respond(line))
            self.assertRegex(error.text, r"\AMalformed authentication response: [ -~]+\Z")
            self.assert_over()
        self.assertRaises(MalformedAuthentication, run, self.sasl.begin("PLAIN", b"!", LOCAL))
        self.assert_over()

    def test_an_empty_initial_response_is_not_none(self) -> None:
        """RFC 4954 4: ``=``."""
        self.assertEqual(run(self.sasl.begin("EXTERNAL", b"=", EVERYTHING)).account.name, "alice")  # type: ignore[union-attr]

    def test_abandoned(self) -> None:
        self.begin("PLAIN")
        self.sasl.abandon()
        self.assert_over()

    def test_another_one_takes_its_place(self) -> None:
        self.begin("LOGIN")
        self.assertIsNone(self.begin("PLAIN", GOOD))
        self.assertRaises(AuthenticationCancelled, self.respond, b"alice")


class FailureTests(ExchangeTestCase):
    """A checker that fails: nothing is said of the client."""

    def test_failures(self) -> None:
        for failure, expected, logged in (
            (RuntimeError("secret"), TemporaryAuthenticationFailure, 1),
            (Unavailable("later"), TemporaryAuthenticationFailure, 0),
            (AuthenticationFailed(), AuthenticationFailed, 0),
            (MailboxInUse(), MailboxInUse, 0),
        ):
            for name, initial in (("PLAIN", GOOD), ("SCRAM-SHA-256", b"n,,n=alice,r=x")):
                with self.subTest(failure=failure, name=name):
                    self.checker.failure = failure
                    error = self.assertRaises(expected, self.begin, name, initial)
                    assert isinstance(error, MailError)
                    self.assertNotIn("secret", error.text)
                    self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), logged)
                    self.checker.failure = None
                    self.assert_over()


class GoneTests(ExchangeTestCase):
    """The client goes while it is looked up."""

    def waiting(self, begin: Callable[[], Any]) -> tuple[Deferred[None], Deferred[Any]]:
        """(what the realm waits for, what comes of the exchange)."""
        pending: Deferred[None] = Deferred()
        answer = self.realm.requestAvatar

        def request(*arguments: Any) -> Deferred[Any]:
            return pending.addCallback(lambda _: answer(*arguments))

        self.realm.requestAvatar = request  # type: ignore[method-assign]
        return pending, Deferred.fromCoroutine(begin())

    def test_by_a_mechanism_of_one_message(self) -> None:
        pending, asked = self.waiting(
            lambda: self.sasl.begin("PLAIN", b"AGFsaWNlAHNlY3JldA==", LOCAL),
        )
        self.sasl.abandon()
        pending.callback(None)
        self.failureResultOf(asked, AuthenticationCancelled)
        self.assertEqual(self.realm.signed_in, 0)

    def test_by_one_that_ends_with_a_word_of_the_servers(self) -> None:

        client = ScramClientExchange("SHA-256", "alice", "secret")
        first = self.begin("SCRAM-SHA-256", client.client_first()) or b""
        final = base64.b64encode(client.client_final(first))
        pending, asked = self.waiting(lambda: self.sasl.respond(final))
        self.sasl.abandon()
        pending.callback(None)
        self.failureResultOf(asked, AuthenticationCancelled)
        self.assertEqual(self.realm.signed_in, 0)

    def test_before_it_has_taken_that_word(self) -> None:
        client = ScramClientExchange("SHA-256", "alice", "secret")
        self.respond(client.client_final(self.begin("SCRAM-SHA-256", client.client_first()) or b""))
        self.assertEqual(self.realm.signed_in, 1)
        self.sasl.abandon()
        self.assertEqual(self.realm.signed_in, 0)


class AnyOctetsTests(ExchangeTestCase):
    ENCODED = st.binary(max_size=40).map(base64.b64encode)
    LINES = st.binary(max_size=30) | st.sampled_from([b"=", b"*", b""]) | ENCODED

    @settings(max_examples=300, deadline=None)
    @given(
        st.sampled_from([mechanism.name for mechanism in SERVER_MECHANISMS]) | st.text(max_size=10),
        st.none() | LINES,
        st.lists(LINES, max_size=4),
        st.sampled_from([CLEAR, LOCAL, TLS, EVERYTHING]),
    )
    def test_a_challenge_a_login_or_a_mail_error(
        self, name: str, initial: bytes | None, lines: list[bytes], channel: Channel
    ) -> None:
        """Whatever it is, somebody is signed in only if the server says so."""
        self.realm.signed_in = 0
        step: object = None
        try:
            step = run(self.sasl.begin(name, initial, channel))
            for line in lines:
                if isinstance(step, Login):
                    break
                step = run(self.sasl.respond(line))
        except MailError:
            pass
        else:
            self.assertIsInstance(step, Challenge | Login)
        self.sasl.abandon()
        self.assertEqual(self.realm.signed_in, isinstance(step, Login))
