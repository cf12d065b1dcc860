"""Sessions end when the right to them does: the realm, the checker, and records of disabled accounts."""

from __future__ import annotations

from typing import Any

from twisted.cred.credentials import UsernamePassword
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailproto.auth import DirectoryChecker, StoreRealm, TokenChecker, hash_password
from mailproto.auth._records import argon2_part, is_complete, matches, scram_part
from mailproto.auth._signed_in import ENDED_AT_ONCE, RETRY
from mailproto.auth.passwords import PasswordVerifier, disabled_record, enabled_record
from mailproto.auth.sasl import SASLServer
from mailproto.auth.signing_in import Login
from mailproto.backends import MemoryStore
from mailproto.errors import AuthenticationFailed, Unavailable
from mailproto.interfaces import IRevocable
from tests.auth.fakes import InstantPool, Pool, Reactor, cheap_hash
from tests.imap.server.dialogue import run

ALICE = "alice@example.org"
SECRET = UsernamePassword(b"alice@example.org", b"secret")


@implementer(IRevocable)
class Session:
    """Counts how often it was revoked."""

    def __init__(self) -> None:
        self.revoked = 0

    def revoke(self) -> None:
        self.revoked += 1


class RevocationTestCase(SynchronousTestCase):
    pool: type[Pool] = InstantPool

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.store = MemoryStore()
        self.directory = self.store.directory
        for name in (ALICE, "bob@example.org"):
            run(self.directory.add(name, cheap_hash("secret")))
        self.threads = self.pool()
        verifier = PasswordVerifier(self.reactor, pool=self.threads)
        tokens = TokenChecker(lambda name, token: token)
        self.portal = Portal(
            StoreRealm(self.store, self.reactor), [DirectoryChecker(self.directory, verifier), tokens]
        )

    def begin(self, session: Any, credentials: Any = SECRET) -> Deferred[Login]:
        server = SASLServer(self.portal, clock=self.reactor, session=session, failure_delay=0)
        asked = Deferred.fromCoroutine(server.login(credentials, "LOGIN"))
        self.reactor.pump([0, 0, 0])
        return asked

    def signed_in(self, name: str = ALICE) -> Session:
        session = Session()
        self.login = self.successResultOf(self.begin(session, UsernamePassword(name.encode(), b"secret")))
        return session

    def change(self, result: Any) -> None:
        run(result)
        self.reactor.pump([0, 0, 0])


class RevocationTests(RevocationTestCase):
    def test_another_password_ends_sessions_of_that_account_alone(self) -> None:
        sessions = [self.signed_in(), self.signed_in("ALICE@example.org"), self.signed_in("bob@example.org")]
        self.change(self.directory.set_password_hash(ALICE, cheap_hash("other")))
        self.assertEqual([session.revoked for session in sessions], [1, 1, 0])

    def test_deleted(self) -> None:
        session = self.signed_in()
        self.change(self.directory.delete("Alice@example.org"))
        self.assertEqual(session.revoked, 1)

    def test_deleted_and_given_to_another_person_at_once(self) -> None:
        session = self.signed_in()
        record = run(self.directory.password_hash(ALICE))
        run(self.directory.delete(ALICE))
        self.change(self.directory.add(ALICE, record))
        self.assertEqual(session.revoked, 1)
        again = self.signed_in()
        self.change(self.directory.set_password_hash("bob@example.org", ""))
        self.assertEqual(again.revoked, 0)

    def test_disabled_and_enabled(self) -> None:
        session = self.signed_in()
        record = run(self.directory.password_hash(ALICE))
        self.change(self.directory.set_password_hash(ALICE, disabled_record(record)))
        self.assertEqual(session.revoked, 1)
        asked = self.begin(Session())
        self.reactor.advance(10)
        self.failureResultOf(asked, AuthenticationFailed)
        self.change(self.directory.set_password_hash(ALICE, enabled_record(disabled_record(record))))
        self.signed_in()

    def test_a_completed_record_is_the_same_password(self) -> None:
        session = self.signed_in()
        record = run(self.directory.password_hash(ALICE))
        self.change(self.directory.set_password_hash(ALICE, record + " more", replacing=record))
        self.assertEqual(session.revoked, 0)

    def test_not_after_logout(self) -> None:
        session = self.signed_in()
        self.login.logout()
        self.login.logout()
        self.change(self.directory.delete(ALICE))
        self.assertEqual(session.revoked, 0)

    def test_a_session_that_fails_does_not_keep_others_from_ending(self) -> None:
        sessions = [self.signed_in() for _ in range(3)]
        sessions[0].revoke = lambda: 1 / 0  # type: ignore[method-assign, assignment]
        self.change(self.directory.delete(ALICE))
        self.assertEqual([session.revoked for session in sessions[1:]], [1, 1])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_store_that_cannot_tell_is_asked_again(self) -> None:
        session = self.signed_in()
        revisions = self.directory.revisions

        async def unavailable(names: Any) -> Any:
            raise Unavailable

        self.directory.revisions = unavailable  # type: ignore[method-assign]
        self.change(self.directory.delete(ALICE))
        self.assertEqual(len(self.flushLoggedErrors(Unavailable)), 1)
        self.directory.revisions = revisions  # type: ignore[method-assign]
        self.reactor.advance(RETRY)
        self.assertEqual(session.revoked, 1)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_a_store_that_cannot_tell_is_not_asked_for_nobody(self) -> None:
        self.signed_in()

        async def unavailable(names: Any) -> Any:
            raise Unavailable

        self.directory.revisions = unavailable  # type: ignore[method-assign]
        self.change(self.directory.delete(ALICE))
        self.login.logout()
        self.reactor.advance(RETRY)
        self.assertEqual(len(self.flushLoggedErrors(Unavailable)), 1)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_many_sessions_end_little_by_little(self) -> None:
        sessions = [self.signed_in() for _ in range(ENDED_AT_ONCE * 2 + 1)]
        run(self.directory.delete(ALICE))
        self.assertEqual(sum(session.revoked for session in sessions), ENDED_AT_ONCE)
        self.reactor.pump([0, 0, 0, 0])
        self.assertEqual({session.revoked for session in sessions}, {1})

    def test_few_sessions_each_of_many_accounts_end_little_by_little(self) -> None:
        names = [f"{number}@example.org" for number in range(5)]
        for name in names:
            run(self.directory.add(name, cheap_hash("secret")))
        each = ENDED_AT_ONCE // 2
        sessions = [self.signed_in(name) for name in names for _ in range(each)]
        self.directory.revisions = lambda names: succeed({})  # type: ignore[method-assign, assignment, return-value]
        run(self.directory.delete(ALICE))
        self.assertEqual(sum(session.revoked for session in sessions), 2 * each)
        self.reactor.pump([0] * 4)
        self.assertEqual({session.revoked for session in sessions}, {1})

    def test_a_mind_that_cannot_be_revoked(self) -> None:
        self.successResultOf(self.begin(None)).logout()
        self.change(self.directory.delete(ALICE))


class RaceTests(RevocationTestCase):
    pool = Pool

    def test_a_password_that_changes_while_it_is_checked(self) -> None:
        asked = self.begin(Session())
        run(self.directory.set_password_hash(ALICE, cheap_hash("other")))
        while self.threads.run():
            self.reactor.advance(0)
        self.reactor.advance(10)
        self.failureResultOf(asked, AuthenticationFailed)

    def assert_revoked_if_made_again(self, gate: Deferred[None]) -> None:
        """Sign in as far as ``gate``; there, the account is deleted and made again."""
        session = Session()
        asked = self.begin(session)
        while self.threads.run():  # the password is checked, and its record completed
            self.reactor.advance(0)
        self.assertNoResult(asked)
        run(self.directory.delete(ALICE))
        run(self.directory.add(ALICE, cheap_hash("secret")))
        gate.callback(None)
        self.reactor.pump([0, 0])
        self.successResultOf(asked)
        self.assertEqual(session.revoked, 1)

    def test_an_account_that_goes_while_it_is_opened(self) -> None:
        open_account = self.store.account
        gate: Deferred[None] = Deferred()

        async def slowly(name: str) -> Any:
            await gate
            return await open_account(name)

        self.store.account = slowly  # type: ignore[method-assign]
        self.assert_revoked_if_made_again(gate)

    def test_a_revision_that_changes_while_it_is_told(self) -> None:
        revisions = self.directory.revisions
        gate: Deferred[None] = Deferred()

        async def slowly(names: Any) -> Any:
            found = await revisions(names)
            await gate
            return found

        self.directory.revisions = slowly  # type: ignore[method-assign]
        self.assert_revoked_if_made_again(gate)


class DisabledRecordTests(SynchronousTestCase):
    def test_nothing_in_it_counts(self) -> None:
        record = disabled_record(hash_password("secret"))
        self.assertLess(len(record), 400)
        self.assertEqual(disabled_record(record), record)
        self.assertEqual((argon2_part(record), matches(record, "secret")), ("", False))
        self.assertIsNone(scram_part(record, "SHA-256"))
        self.assertFalse(is_complete(record))
        self.assertTrue(matches(enabled_record(record), "secret"))
        self.assertEqual(enabled_record(enabled_record(record)), enabled_record(record))

    def test_of_an_account_without_a_password(self) -> None:
        self.assertEqual(enabled_record(disabled_record("")), "")
