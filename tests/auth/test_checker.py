from __future__ import annotations

from dataclasses import replace
from typing import Any

from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST
from cryptography import x509
from cryptography.x509.oid import NameOID
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import Anonymous, ICredentials, UsernamePassword
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailproto.auth import (
    CertificateChecker,
    DirectoryChecker,
    StoreRealm,
    TokenChecker,
    _records,
    hash_password,
    store_portal,
)
from mailproto.auth._records import argon2_part, is_complete, scram_part
from mailproto.auth._scram import ScramClientExchange, ScramServerExchange
from mailproto.auth.credentials import BearerToken, ClientCertificate, IScramChecker, ScramKeys, ScramProof
from mailproto.auth.passwords import SCRAM_ITERATIONS, PasswordVerifier
from mailproto.auth.sasl import SASLServer
from mailproto.auth.signing_in import FAILURE_DELAY, Login
from mailproto.errors import (
    AuthenticationFailed,
    AuthorizationFailed,
    CredentialsExpired,
    MailError,
    TemporaryAuthenticationFailure,
    Unavailable,
)
from tests.auth.fakes import Directory, InstantPool, Reactor, Store
from tests.tls.certificates import make_certificate


class LoginTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = Reactor()
        self.directory = Directory(alice="secret", zoë="naïve")
        self.verifier = PasswordVerifier(self.reactor, pool=InstantPool())
        self.checker = DirectoryChecker(self.directory, self.verifier)
        self.portal = Portal(StoreRealm(Store(self.directory)), [self.checker])

    def begin(self, credentials: ICredentials) -> Deferred[Login]:
        server = SASLServer(self.portal, clock=self.reactor)
        asked = Deferred.fromCoroutine(server.login(credentials, "LOGIN"))
        self.reactor.pump([0, 0])  # a password may be looked at, and its record completed
        return asked

    def assert_fails_late(
        self, credentials: ICredentials, kind: type[MailError] = AuthenticationFailed
    ) -> None:
        asked = self.begin(credentials)
        self.reactor.advance(FAILURE_DELAY - 0.01)
        self.assertNoResult(asked)
        self.reactor.advance(0.01)
        error = self.failureResultOf(asked, kind).value
        self.assertEqual(error.text, kind.default_text)


class LoginTests(LoginTestCase):
    def test_name_and_password(self) -> None:
        signed_in = self.successResultOf(self.begin(UsernamePassword(b"alice@Example.org", b"secret")))
        self.assertEqual(signed_in.account.name, "alice@Example.org")
        signed_in.logout()

    def test_a_remembered_password_needs_one_look_at_the_account(self) -> None:
        """Nobody can have changed it meanwhile, and a client that polls signs in again and again."""
        credentials = UsernamePassword(b"alice@example.org", b"secret")
        for _ in range(2):  # the first one completes the record
            self.successResultOf(self.begin(credentials))
        looked = []
        look = self.checker._look_up
        self.patch(self.checker, "_look_up", lambda name: looked.append(name) or look(name))
        self.successResultOf(self.begin(credentials))
        self.assertEqual(looked, ["alice@example.org"])

    def test_name_in_any_case(self) -> None:
        signed_in = self.successResultOf(self.begin(UsernamePassword(b"ALICE@example.ORG", b"secret")))
        self.assertEqual(signed_in.account.name, "alice@Example.org")

    def test_text_instead_of_octets(self) -> None:
        credentials = UsernamePassword("alice@example.org", "secret")  # type: ignore[arg-type]
        self.assertEqual(self.successResultOf(self.begin(credentials)).account.name, "alice@Example.org")

    def test_names_and_passwords_beyond_ascii(self) -> None:
        for name in (
            "zoë@example.org",
            "zoe\u0308@example.org",
            "ZOE\u0308@example.org",
            "ｚoë@example.org.",
        ):
            for password in ("naïve", "nai\u0308ve", "n\u00adaïve", "ｎaïve"):
                with self.subTest(name=ascii(name), password=ascii(password)):
                    credentials = UsernamePassword(name.encode(), password.encode())
                    self.successResultOf(self.begin(credentials))

    def test_what_cannot_be_seen_is_no_spelling(self) -> None:
        self.assert_fails_late(UsernamePassword("al\u200bice@example.org".encode(), b"secret"))

    def test_wrong_password(self) -> None:
        self.assert_fails_late(UsernamePassword(b"alice@example.org", b"Secret"))

    def test_unknown_name(self) -> None:
        self.assert_fails_late(UsernamePassword(b"bob@example.org", b"secret"))

    def test_not_utf_8(self) -> None:
        self.assert_fails_late(UsernamePassword(b"alice@example.org", b"\xffsecret"))
        self.assert_fails_late(UsernamePassword(b"al\xffice@example.org", b"secret"))

    def test_account_without_password(self) -> None:
        self.directory.hashes["postmaster@Example.org"] = ""
        self.assert_fails_late(UsernamePassword(b"postmaster@example.org", b""))

    def test_password_instead_of_a_record(self) -> None:
        self.directory.hashes["bob@Example.org"] = "secret"
        asked = self.begin(UsernamePassword(b"bob@example.org", b"secret"))
        self.reactor.advance(FAILURE_DELAY)
        detail = self.failureResultOf(asked, AuthenticationFailed).value.detail
        self.assertEqual(detail, "no record of hash_password for bob@Example.org")

    def test_other_credentials(self) -> None:
        self.assert_fails_late(Anonymous())

    def test_portal_of_a_store(self) -> None:
        self.portal = store_portal(Store(self.directory), self.reactor)
        self.assert_fails_late(Anonymous())
        self.assertNoResult(self.begin(UsernamePassword(b"\xff", b"x")))

    def test_account_deleted_while_signing_in(self) -> None:
        realm = StoreRealm(Store(Directory()))
        self.portal = Portal(realm, [self.checker])
        self.assert_fails_late(UsernamePassword(b"alice@example.org", b"secret"))

    def test_no_name_of_an_unknown_account_in_the_log(self) -> None:
        """It may be a password typed in the wrong field."""
        asked = self.begin(UsernamePassword(b"hunter2", b"x"))
        self.reactor.advance(FAILURE_DELAY)
        self.assertNotIn("hunter2", str(self.failureResultOf(asked, AuthenticationFailed).value))

    def test_checkers_of_twisted_do_too(self) -> None:
        checker = InMemoryUsernamePasswordDatabaseDontUse()
        checker.addUser(b"alice@Example.org", b"other")
        self.portal = Portal(StoreRealm(Store(self.directory)), [checker])
        self.successResultOf(self.begin(UsernamePassword(b"alice@Example.org", b"other")))
        self.assert_fails_late(UsernamePassword(b"alice@Example.org", b"x"))
        self.assert_fails_late(UsernamePassword(b"bob@Example.org", b"x"))


class CompletionTests(LoginTestCase):
    """A record without SCRAM's keys, as older versions made it."""

    ALICE = "alice@Example.org"

    def setUp(self) -> None:
        super().setUp()
        self.patch(_records, "_HASHER", PasswordHasher.from_parameters(CHEAPEST))

    def sign_in(self) -> None:
        self.successResultOf(self.begin(UsernamePassword(b"alice@example.org", b"secret")))

    def test_by_the_next_login(self) -> None:
        old = self.directory.hashes[self.ALICE]
        self.sign_in()
        new = self.directory.hashes[self.ALICE]
        self.assertTrue(new.startswith(old + " SCRAM-SHA-256$65536:"))
        self.assertTrue(is_complete(new))
        self.sign_in()
        self.assertEqual(self.directory.hashes[self.ALICE], new)

    def test_a_hash_of_other_parameters_is_made_anew(self) -> None:
        old = PasswordHasher(1, 16, 1).hash("secret")
        self.directory.hashes[self.ALICE] = old
        self.sign_in()
        new = self.directory.hashes[self.ALICE]
        self.assertIn("$m=8,t=1,p=1$", argon2_part(new))
        self.assertTrue(is_complete(new))
        self.sign_in()
        self.assertEqual(self.directory.hashes[self.ALICE], new)

    def test_not_by_one_that_fails(self) -> None:
        old = self.directory.hashes[self.ALICE]
        self.assert_fails_late(UsernamePassword(b"alice@example.org", b"Secret"))
        self.assertEqual(self.directory.hashes[self.ALICE], old)

    def test_the_login_is_still_remembered(self) -> None:
        self.sign_in()
        self.verifier._pool.callInThreadWithCallback = None  # type: ignore[method-assign,assignment]
        self.sign_in()

    def test_a_password_that_changed_meanwhile_stays(self) -> None:
        complete = self.verifier.complete

        def change_first(record: str, password: str) -> Deferred[str]:
            self.directory.hashes[self.ALICE] = "another"
            return complete(record, password)

        self.verifier.complete = change_first  # type: ignore[method-assign]
        self.assert_fails_late(UsernamePassword(b"alice@example.org", b"secret"))
        self.assertEqual(self.directory.hashes[self.ALICE], "another")

    def test_no_time_for_it_does_not_matter(self) -> None:
        old = self.directory.hashes[self.ALICE]
        self.verifier.complete = lambda *_: fail(Unavailable())  # type: ignore[method-assign]
        self.sign_in()
        self.assertEqual(self.directory.hashes[self.ALICE], old)

    def test_a_failure_does_not_matter(self) -> None:
        async def fail(*_: object, **__: object) -> None:
            raise ZeroDivisionError

        self.directory.set_password_hash = fail  # type: ignore[method-assign]
        self.sign_in()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class ScramTests(LoginTestCase):
    RECORD = hash_password("secret")

    def setUp(self) -> None:
        super().setUp()
        self.directory.hashes["bob@Example.org"] = self.RECORD

    def keys(self, name: str, algorithm: Any = "SHA-256") -> ScramKeys:
        return self.successResultOf(Deferred.fromCoroutine(self.checker.scram_keys(name, algorithm)))

    def proof(self, name: str, password: str, algorithm: Any = "SHA-256") -> ScramProof:
        """What a client of that name and password shows."""
        client = ScramClientExchange(algorithm, name, password)
        server = ScramServerExchange(algorithm, {}, False)
        username = server.client_first(client.client_first())
        final = client.client_final(server.server_first(self.keys(username, algorithm)))
        return ScramProof(username, algorithm, *server.client_final(final))

    def test_interface(self) -> None:
        verifyObject(IScramChecker, self.checker)

    def test_proof(self) -> None:
        for algorithm in ("SHA-256", "SHA-1"):
            for name in ("bob@Example.org", "BOB@example.org"):
                signed_in = self.successResultOf(self.begin(self.proof(name, "secret", algorithm)))
                self.assertEqual(signed_in.account.name, "bob@Example.org")
        self.assertNotIn("proof=", repr(self.proof("bob@example.org", "secret")))

    def test_wrong_password(self) -> None:
        self.assert_fails_late(self.proof("bob@example.org", "Secret"))

    def test_exchange_that_is_flawed(self) -> None:
        """Somebody may stand between: that is a failed login, which the log explains."""
        given = replace(self.proof("bob@example.org", "secret"), flaw="not on this channel")
        self.assert_fails_late(given)
        asked = self.begin(given)
        self.reactor.advance(FAILURE_DELAY)
        error = self.failureResultOf(asked, AuthenticationFailed).value
        self.assertEqual(error.detail, "not on this channel for bob@Example.org")

    def test_of_another_algorithm(self) -> None:
        self.assert_fails_late(replace(self.proof("bob@example.org", "secret"), algorithm="SHA-1"))

    def test_unknown_name(self) -> None:
        self.assert_fails_late(self.proof("nobody@example.org", "secret"))

    def test_invented_keys_do_not_sign_in(self) -> None:
        """Not even with an account that has none, by one who could guess them."""
        self.checker._invented = lambda *_: scram_part(self.RECORD, "SHA-256")  # type: ignore[method-assign,assignment,return-value]
        self.assert_fails_late(self.proof("nobody@example.org", "secret"))

    def test_keys_of_the_record(self) -> None:
        self.assertEqual(self.keys("BOB@example.org"), scram_part(self.RECORD, "SHA-256"))
        self.assertEqual(self.keys("bob@example.org", "SHA-1"), scram_part(self.RECORD, "SHA-1"))

    def test_invented_keys_look_like_real_ones(self) -> None:
        """RFC 5802 9: for who is not there, cannot sign in, or has an old record."""
        self.directory.hashes["postmaster@Example.org"] = ""
        real = self.keys("bob@example.org")
        for name in ("nobody@example.org", "postmaster@example.org", "alice@example.org"):
            invented = self.keys(name)
            self.assertEqual((len(invented.salt), invented.iterations), (len(real.salt), SCRAM_ITERATIONS))
            self.assertEqual(invented, self.keys(name))
            self.assertEqual(invented, self.keys(name.upper()))
            self.assertNotEqual(invented.salt, self.keys(f"x{name}").salt)
            self.assertNotEqual(invented.salt, self.keys(name, "SHA-1").salt)

    def test_invented_keys_depend_on_a_secret(self) -> None:
        first = self.keys("nobody@example.org")
        self.checker = DirectoryChecker(self.directory, self.verifier)
        self.assertNotEqual(self.keys("nobody@example.org"), first)
        for _ in range(2):
            self.checker = DirectoryChecker(self.directory, self.verifier, secret=b"kept")
            first = self.keys("nobody@example.org")
        self.checker = DirectoryChecker(self.directory, self.verifier, secret=b"kept")
        self.assertEqual(self.keys("nobody@example.org"), first)


class TokenTests(LoginTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.failure: Exception = AuthenticationFailed(detail="expired")
        self.portal.registerChecker(TokenChecker(self.validate))

    async def validate(self, name: str, token: str) -> str:
        if (name, token) != ("", "good"):
            raise self.failure
        return "alice@Example.org"

    def test_good_one(self) -> None:
        signed_in = self.successResultOf(self.begin(BearerToken("", "good")))
        self.assertEqual(signed_in.account.name, "alice@Example.org")

    def test_refused(self) -> None:
        self.assert_fails_late(BearerToken("bob", "good"))
        self.assert_fails_late(BearerToken("", "bad"))

    def test_cannot_tell(self) -> None:
        self.failure = Unavailable()
        self.assert_fails_late(BearerToken("", "bad"), TemporaryAuthenticationFailure)

    def test_kinds_of_functions(self) -> None:
        """A plain one, a coroutine's, one that gives a Deferred; None is no account."""

        def plain(_: str, token: str) -> str | None:
            return "alice@Example.org" if token == "good" else None

        async def coroutine(name: str, token: str) -> str | None:
            return plain(name, token)

        def deferred(name: str, token: str) -> Deferred[str | None]:
            return succeed(plain(name, token))

        for validate in (plain, coroutine, deferred):
            with self.subTest(validate=validate):
                self.portal.registerChecker(TokenChecker(validate))
                signed_in = self.successResultOf(self.begin(BearerToken("", "good")))
                self.assertEqual(signed_in.account.name, "alice@Example.org")
                self.assert_fails_late(BearerToken("", "bad"))

    def test_a_function_with_a_fault(self) -> None:
        """A result that is no name is a temporary failure, and the log says what to return."""
        answers: list[Any] = [True, b"alice@Example.org"]
        for answer in answers:
            self.portal.registerChecker(TokenChecker(lambda name, token, answer=answer: answer))  # type: ignore[misc]
            self.assert_fails_late(BearerToken("", "good"), TemporaryAuthenticationFailure)
            [failure] = self.flushLoggedErrors(TypeError)
            self.assertIn("return the account's name, or None", str(failure.value))

    def test_that_has_expired(self) -> None:
        """An error that says more is the client's, too."""

        def expired(name: str, token: str) -> str:
            raise CredentialsExpired(detail="yesterday")

        self.portal.registerChecker(TokenChecker(expired))
        self.assert_fails_late(BearerToken("", "good"), CredentialsExpired)

    def test_of_nobody(self) -> None:
        async def validate(name: str, token: str) -> str:
            return "nobody@example.org"

        self.portal.registerChecker(TokenChecker(validate))
        self.assert_fails_late(BearerToken("", "good"))

    def test_of_somebody_else(self) -> None:
        """A function that looks at the token alone; a name without a domain is for it to know."""
        self.portal.registerChecker(TokenChecker(lambda _, token: "zoë@Example.org"))
        self.assert_fails_late(BearerToken("alice@Example.org", "good"), AuthorizationFailed)
        for name in ("ZOE\u0308@example.org", "zoë", ""):
            signed_in = self.successResultOf(self.begin(BearerToken(name, "good")))
            self.assertEqual(signed_in.account.name, "zoë@Example.org")


class CertificateTests(LoginTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.portal.registerChecker(CertificateChecker(self.directory))

    def given(self, *addresses: str, authzid: str = "", subject: str = "") -> ClientCertificate:
        names = [x509.NameAttribute(NameOID.EMAIL_ADDRESS, subject)] if subject else []
        return ClientCertificate(make_certificate(*addresses, subject=names)[1], authzid)

    def assert_is(self, name: str, credentials: ClientCertificate) -> None:
        self.assertEqual(self.successResultOf(self.begin(credentials)).account.name, name)

    def test_address(self) -> None:
        self.assert_is("alice@Example.org", self.given("ALICE@example.org"))
        self.assert_is("alice@Example.org", self.given("alice@example.org", authzid="alice@example.ORG"))

    def test_in_other_spellings(self) -> None:
        """A certificate has A-labels and no more than ASCII (RFC 5280 4.2.1.6, 7.5)."""
        self.directory.hashes["carol@bücher.example"] = ""
        for authzid in ("", "CAROL@BU\u0308CHER.example", "carol@XN--BCHER-KVA.example."):
            self.assert_is("carol@bücher.example", self.given("Carol@xn--bcher-kva.example", authzid=authzid))
        self.assert_fails_late(
            self.given("carol@xn--bcher-kva.example", authzid="car\u200bol@bücher.example"),
            AuthorizationFailed,
        )

    def test_the_subjects_where_there_is_no_other(self) -> None:
        """RFC 5280 4.1.2.6."""
        self.assert_is("alice@Example.org", self.given(subject="alice@example.org"))
        self.assert_fails_late(self.given("x@example.org", subject="alice@example.org"))

    def test_the_first_that_is_an_account(self) -> None:
        self.directory.hashes["bob@example.org"] = ""
        both = ("x@example.org", "bob@example.org", "alice@example.org")
        self.assert_is("bob@example.org", self.given(*both))
        self.assert_is("alice@Example.org", self.given(*both, authzid="alice@example.org"))

    def test_nobodys(self) -> None:
        self.assert_fails_late(self.given())
        self.assert_fails_late(self.given("x@example.org"))
        self.assert_fails_late(self.given("x@example.org", authzid="alice@example.org"))
        for name in ("bob@example.org", "nobody@example.org"):
            self.assert_fails_late(self.given("alice@example.org", authzid=name), AuthorizationFailed)
