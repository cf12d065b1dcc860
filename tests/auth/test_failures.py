"""Failed logins: counted, and answered late, whatever the checker is."""

from __future__ import annotations

import base64
import hashlib
import hmac
from asyncio import CancelledError
from collections.abc import Callable
from typing import Any

from twisted.cred.checkers import ICredentialsChecker, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import IUsernamePassword, UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailproto.auth._credentials import CramMD5Response, ScramProof
from mailproto.auth._failures import FailedLogins
from mailproto.auth.sasl import SERVER_MECHANISMS, SASLServer
from mailproto.auth.signing_in import FAILURE_DELAY
from mailproto.errors import (
    AuthenticationFailed,
    AuthorizationFailed,
    MailError,
    Refused,
    TemporaryAuthenticationFailure,
    Unavailable,
)
from tests.auth.exchanges import LOCAL, Realm
from tests.mail_log import captured, only

CHALLENGE = b"<1.2@mail.example>"


def password(word: bytes, name: bytes = b"alice") -> UsernamePassword:
    return UsernamePassword(name, word)


def cram(word: bytes, name: bytes = b"alice") -> CramMD5Response:
    digest = hmac.new(word, CHALLENGE, hashlib.md5).hexdigest()
    return CramMD5Response(name, CHALLENGE, digest.encode())


class CountTests(SynchronousTestCase):
    def count(self, *attempts: tuple[object, str]) -> int:
        failed = FailedLogins()
        for credentials, way in attempts:
            failed.add(credentials, way)
        return failed.number

    def test_one_password_in_several_ways(self) -> None:
        ways = ("PLAIN", "LOGIN", "the command LOGIN", "the command USER")
        self.assertEqual(self.count(*((password(b"wrong"), way) for way in ways)), 1)

    def test_a_digest_before_them(self) -> None:
        """What smtplib, swaks and Thunderbird do."""
        self.assertEqual(
            self.count(
                (cram(b"wrong"), "CRAM-MD5"), (password(b"wrong"), "PLAIN"), (password(b"wrong"), "LOGIN")
            ),
            1,
        )

    def test_all_of_it_again(self) -> None:
        attempts = [
            (cram(b"wrong"), "CRAM-MD5"), (password(b"wrong"), "PLAIN"), (password(b"wrong"), "LOGIN")
        ]  # fmt: skip
        self.assertEqual(self.count(*attempts * 3), 3)

    def test_guesses(self) -> None:
        """Each counts, however the ways are mixed."""
        for attempts in (
            [(password(b"1"), "PLAIN"), (password(b"2"), "LOGIN"), (password(b"3"), "PLAIN")],
            [(password(b"1"), "PLAIN"), (password(b"1"), "PLAIN"), (password(b"1"), "PLAIN")],
            [(cram(b"1"), "CRAM-MD5"), (password(b"2"), "PLAIN"), (password(b"3"), "LOGIN")],
            [(cram(b"1"), "CRAM-MD5"), (cram(b"2"), "CRAM-MD5"), (password(b"1"), "PLAIN")],
            [(password(b"1", b"alice"), "PLAIN"), (password(b"1", b"bob"), "LOGIN"), (None, "PLAIN")],
            [(cram(b"1", b"alice"), "CRAM-MD5"), (password(b"1", b"bob"), "LOGIN"), (None, "PLAIN")],
            [(password(b"1"), "PLAIN"), (password(b"2"), "LOGIN"), (password(b"1"), "LOGIN")],
            [(password(b"ice1", b"al"), "PLAIN"), (password(b"1", b"alice"), "LOGIN"), (None, "LOGIN")],
            [(None, "EXTERNAL"), (None, "OAUTHBEARER"), (password(b"1"), "PLAIN")],
        ):
            self.assertEqual(self.count(*attempts), 3, attempts)

    def test_a_proof_cannot_be_compared(self) -> None:
        proof = ScramProof("alice", "SHA-256", b"m", b"p")
        self.assertEqual(self.count((proof, "SCRAM-SHA-256"), (password(b"1"), "PLAIN")), 2)
        self.assertEqual(self.count((password(b"1"), "PLAIN"), (proof, "SCRAM-SHA-256")), 2)

    def test_no_password_is_kept(self) -> None:
        def held(value: Any) -> str:
            slots = [getattr(value, name) for name in getattr(type(value), "__slots__", ())]
            return repr(value) + "".join(map(held, slots))

        failed = FailedLogins()
        for credentials, way in ((cram(b"s3cret"), "CRAM-MD5"), (password(b"s3cret"), "PLAIN")):
            failed.add(credentials, way)
            self.assertNotIn("s3cret", held(failed))


@implementer(ICredentialsChecker)
class Checker:
    """Answers as a test says."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, answer: Callable[[], Any]) -> None:
        self.answer = answer

    def requestAvatarId(self, credentials: Any) -> Any:
        return self.answer()


def raise_(error: Exception) -> Any:
    raise error


class LateTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_000_000_000.123)

    def server(self, checker: ICredentialsChecker, **more: Any) -> SASLServer:
        return SASLServer(Portal(Realm(), [checker]), SERVER_MECHANISMS, clock=self.clock, **more)

    def begin(self, server: SASLServer, name: bytes = b"alice") -> Deferred[Any]:
        line = base64.b64encode(b"\0" + name + b"\0wrong")
        return Deferred.fromCoroutine(server.begin("PLAIN", line, LOCAL))

    def assert_answered(self, asked: Deferred[Any], seconds: float, kind: type[MailError]) -> Any:
        self.clock.advance(seconds - 0.01)
        self.assertNoResult(asked)
        self.clock.advance(0.02)
        return self.failureResultOf(asked, kind).value

    def test_every_checker(self) -> None:
        in_memory = InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret")
        refused, failed = AuthenticationFailed, TemporaryAuthenticationFailure
        for checker, kind, counted in (
            (in_memory, refused, 1),
            (Checker(lambda: fail(UnauthorizedLogin())), refused, 1),
            (Checker(lambda: raise_(UnauthorizedLogin())), refused, 1),
            (Checker(lambda: raise_(AuthenticationFailed())), refused, 1),
            (Checker(lambda: raise_(KeyError("alice"))), failed, 1),
            (Checker(lambda: fail(KeyError("alice"))), failed, 1),
            (Checker(lambda: fail(CancelledError())), failed, 1),
            (Checker(lambda: succeed(None)), failed, 1),
            (Checker(lambda: raise_(Unavailable())), failed, 0),
            (Checker(lambda: raise_(Refused(535, "5.7.8", "No"))), Refused, 1),
        ):
            server = self.server(checker)
            with captured() as events:
                asked = self.begin(server)
                self.assert_answered(asked, FAILURE_DELAY, kind)
            self.assertEqual(only(events, "sign-in-failed")["name"], "alice")
            self.assertEqual(server.failures, counted)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 2)
        self.flushLoggedErrors()

    def test_how_long_a_checker_took_cannot_be_seen(self) -> None:
        """It answers at once for a name that it does not know, and later for another."""
        for taken, answered in ((0, 1.5), (0.2, 1.5), (1.4, 1.5), (1.6, 3.0), (4.6, 6.0)):
            checker = Checker(
                lambda taken=taken: deferLater(self.clock, taken, raise_, UnauthorizedLogin())  # type: ignore[misc]
            )
            asked = self.begin(self.server(checker))
            self.clock.advance(taken)
            self.assert_answered(asked, answered - taken, AuthenticationFailed)

    def test_a_clock_that_was_set_back(self) -> None:
        waiting: Deferred[Any] = Deferred()
        asked = self.begin(self.server(Checker(lambda: waiting)))
        self.clock.rightNow -= 3600
        waiting.errback(UnauthorizedLogin())
        self.clock.advance(FAILURE_DELAY)
        self.failureResultOf(asked, AuthenticationFailed)

    def test_how_long_is_a_setting(self) -> None:
        checker = InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret")
        self.assert_answered(self.begin(self.server(checker, failure_delay=5)), 5, AuthenticationFailed)
        self.failureResultOf(self.begin(self.server(checker, failure_delay=0)), AuthenticationFailed)

    def test_what_the_realm_refuses(self) -> None:
        checker = Checker(lambda: succeed(b"alice"))
        server = self.server(checker)
        self.patch(Realm, "requestAvatar", lambda *_: raise_(UnauthorizedLogin("disabled")))
        self.assert_answered(self.begin(server), FAILURE_DELAY, AuthenticationFailed)
        self.assertEqual(server.failures, 1)

    def test_acting_as_another_account(self) -> None:
        """Only who knows the password is told that it is not allowed."""
        for word, kind in ((b"secret", AuthorizationFailed), (b"wrong", AuthenticationFailed)):
            checker = InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret")
            server = self.server(checker)
            line = base64.b64encode(b"bob\0alice\0" + word)
            asked = Deferred.fromCoroutine(server.begin("PLAIN", line, LOCAL))
            error = self.assert_answered(asked, FAILURE_DELAY, kind)
            self.assertIs(type(error), kind)
            self.assertEqual(server.failures, 1)

    def test_success_is_not_delayed(self) -> None:
        checker = InMemoryUsernamePasswordDatabaseDontUse(alice=b"wrong")
        self.assertEqual(self.successResultOf(self.begin(self.server(checker))).name, "alice")
