from __future__ import annotations

import os
import sys
import threading

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailproto.auth import _passwords, _records, hash_password
from mailproto.auth.passwords import MAX_REMEMBERED, MAX_WAITING, REMEMBER, PasswordVerifier
from mailproto.errors import Unavailable
from tests.auth.fakes import Pool, Reactor, cheap_hash


class VerifierTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = Reactor()
        self.pool = Pool()
        self.verifier = PasswordVerifier(self.reactor, pool=self.pool)
        self.hash = cheap_hash("secret")

    def ask(self, password: str, *, name: str = "alice", stored: str | None = None) -> Deferred[bool]:
        return self.verifier.verify(name, self.hash if stored is None else stored, password)

    def answer(self, asked: Deferred[bool]) -> bool:
        self.pool.run()
        self.reactor.advance(0)
        return self.successResultOf(asked)

    def test_right_and_wrong(self) -> None:
        self.assertTrue(self.answer(self.ask("secret")))
        self.assertFalse(self.answer(self.ask("Secret")))

    def test_nothing_is_worked_out_in_the_callers_thread(self) -> None:
        asked = self.ask("secret")
        self.assertNoResult(asked)
        self.assertEqual(self.pool.started, 1)

    def test_right_one_is_remembered(self) -> None:
        self.answer(self.ask("secret"))
        self.assertTrue(self.successResultOf(self.ask("secret")))
        self.reactor.advance(REMEMBER + 1)
        self.assertNoResult(self.ask("secret"))

    def test_wrong_one_is_not(self) -> None:
        self.answer(self.ask("wrong"))
        self.assertNoResult(self.ask("wrong"))

    def test_changed_password_is_forgotten(self) -> None:
        self.answer(self.ask("secret"))
        self.assertNoResult(self.ask("secret", stored=cheap_hash("other")))

    def test_says_nothing_of_another_account(self) -> None:
        self.answer(self.ask("secret"))
        self.assertNoResult(self.ask("secret", name="bob"))

    def test_password_is_not_kept(self) -> None:
        self.answer(self.ask("secret"))
        self.assertNotIn("secret", repr(vars(self.verifier)))

    def test_memory_is_bounded(self) -> None:
        self.patch(_passwords, "MAX_REMEMBERED", 2)
        for name in ("a", "b", "c"):
            self.answer(self.ask("secret", name=name))
        self.assertNoResult(self.ask("secret", name="a"))
        self.assertTrue(self.successResultOf(self.ask("secret", name="c")))
        self.assertGreater(MAX_REMEMBERED, 1000)

    def test_unknown_name_costs_the_same(self) -> None:
        """A hash with the parameters of a real one is worked out."""
        worked: list[str] = []
        self.patch(_passwords, "matches", lambda stored, password: worked.append(stored) or False)
        self.assertFalse(self.answer(self.ask("secret", stored="")))
        self.assertEqual(worked[0].rpartition("$")[0].rpartition("$")[0], "$argon2id$v=19$m=19456,t=2,p=1")
        self.assertEqual(len(worked[0]), len(_records.argon2_part(hash_password("secret"))))

    def test_dummy_is_a_whole_hash(self) -> None:
        """libargon2 must not stop at a malformed one before it has worked."""
        from argon2 import PasswordHasher
        from argon2.exceptions import VerifyMismatchError

        self.assertRaises(VerifyMismatchError, PasswordHasher().verify, _passwords._unmatchable(), "x")

    def test_same_login_at_once_is_one_calculation(self) -> None:
        asked = [self.ask("secret") for _ in range(5)]
        self.assertEqual(self.pool.run(), 1)
        self.reactor.advance(0)
        self.assertEqual([self.successResultOf(one) for one in asked], [True] * 5)

    def test_too_many_wait(self) -> None:
        asked = [self.ask(f"guess {number}") for number in range(MAX_WAITING + 2)]
        self.assertEqual((len(self.pool.queue), sum(one.called for one in asked)), (2, 0))
        asked.append(self.ask("one more"))
        (refused,) = (one for one in asked if one.called)
        self.failureResultOf(refused, Unavailable)

    def test_a_record_is_completed_in_a_thread(self) -> None:
        asked = self.verifier.complete(self.hash, "secret")
        self.assertNoResult(asked)
        self.pool.run()
        self.reactor.advance(0)
        self.assertTrue(_records.is_complete(self.successResultOf(asked)))
        self.verifier.stop()
        self.failureResultOf(self.verifier.complete(self.hash, "secret"), Unavailable)

    def test_stop_refuses_who_waits(self) -> None:
        asked = self.ask("secret")
        self.verifier.stop()
        self.failureResultOf(asked, Unavailable)
        self.assertEqual(self.pool.stopped, 1)
        self.failureResultOf(self.ask("later"), Unavailable)
        self.pool.run()
        self.reactor.advance(0)

    def test_stop_before_the_first_password(self) -> None:
        self.verifier.stop()
        self.verifier.stop()
        self.assertEqual(self.pool.stopped, 0)


class ThreadTests(TestCase):
    async def test_in_real_threads(self) -> None:
        verifier = PasswordVerifier(reactor)
        self.addCleanup(verifier.stop)
        stored = cheap_hash("secret")
        self.assertTrue(await verifier.verify("alice", stored, "secret"))
        self.assertFalse(await verifier.verify("alice", stored, "wrong"))

    async def test_hashes_leave_the_processor_to_the_reactor(self) -> None:
        found: list[int] = []

        def matches(_: str, password: str) -> bool:
            found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
            return True

        self.patch(_passwords, "matches", matches)
        verifier = PasswordVerifier(reactor)
        self.addCleanup(verifier.stop)
        self.assertTrue(await verifier.verify("alice", cheap_hash("secret"), "secret"))
        own = os.getpriority(os.PRIO_PROCESS, 0)
        self.assertEqual(found, [min(own + 10, 19)])

    if sys.platform != "linux":
        test_hashes_leave_the_processor_to_the_reactor.skip = "threads have no priority of their own here"
