from __future__ import annotations

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import Anonymous, ICredentials, UsernamePassword
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailproto.auth import (
    FAILURE_DELAY,
    DirectoryChecker,
    Login,
    PasswordVerifier,
    StoreRealm,
    login,
    store_portal,
)
from mailproto.errors import AuthenticationFailed
from tests.auth.fakes import Directory, InstantPool, Reactor, Store


class LoginTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = Reactor()
        self.directory = Directory(alice="secret", zoë="naïve")
        verifier = PasswordVerifier(self.reactor, pool=InstantPool())
        self.portal = Portal(StoreRealm(Store(self.directory)), [DirectoryChecker(self.directory, verifier)])

    def begin(self, credentials: ICredentials) -> Deferred[Login]:
        asked = Deferred.fromCoroutine(login(self.portal, credentials))
        self.reactor.advance(0)
        return asked

    def assert_fails_late(self, credentials: ICredentials) -> None:
        asked = self.begin(credentials)
        self.reactor.advance(FAILURE_DELAY - 0.01)
        self.assertNoResult(asked)
        self.reactor.advance(0.01)
        error = self.failureResultOf(asked, AuthenticationFailed).value
        self.assertEqual(error.text, AuthenticationFailed.default_text)

    def test_name_and_password(self) -> None:
        signed_in = self.successResultOf(self.begin(UsernamePassword(b"alice@Example.org", b"secret")))
        self.assertEqual(signed_in.account.name, "alice@Example.org")
        signed_in.logout()

    def test_name_in_any_case(self) -> None:
        signed_in = self.successResultOf(self.begin(UsernamePassword(b"ALICE@example.ORG", b"secret")))
        self.assertEqual(signed_in.account.name, "alice@Example.org")

    def test_text_instead_of_octets(self) -> None:
        credentials = UsernamePassword("alice@example.org", "secret")  # type: ignore[arg-type]
        self.assertEqual(self.successResultOf(self.begin(credentials)).account.name, "alice@Example.org")

    def test_names_and_passwords_beyond_ascii(self) -> None:
        credentials = UsernamePassword("zoe\u0308@example.org".encode(), "naïve".encode())
        self.successResultOf(self.begin(credentials))

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

    def test_other_credentials(self) -> None:
        self.failureResultOf(self.begin(Anonymous()), AuthenticationFailed)

    def test_portal_of_a_store(self) -> None:
        self.portal = store_portal(Store(self.directory), self.reactor)
        self.failureResultOf(self.begin(Anonymous()), AuthenticationFailed)
        self.assertNoResult(self.begin(UsernamePassword(b"\xff", b"x")))

    def test_account_deleted_while_signing_in(self) -> None:
        realm = StoreRealm(Store(Directory()))
        checker = self.portal.checkers[next(iter(self.portal.checkers))]
        self.portal = Portal(realm, [checker])
        asked = self.begin(UsernamePassword(b"alice@example.org", b"secret"))
        self.failureResultOf(asked, AuthenticationFailed)

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
        self.failureResultOf(self.begin(UsernamePassword(b"alice@Example.org", b"x")), AuthenticationFailed)
