from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailproto.auth import PasswordVerifier, disabled_record, password_matches
from mailproto.service._accounts import ensure_account
from tests.auth.fakes import Directory, InstantPool, Reactor, cheap_hash


class EnsureTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = Reactor()
        self.verifier = PasswordVerifier(self.reactor, pool=InstantPool())
        self.directory = Directory(alice="secret")

    async def hash_password(self, word: str) -> str:
        return cheap_hash(word)

    async def matches(self, record: str, word: str) -> bool:
        return password_matches(record, word)

    def ensure(self, name: str, password: str) -> None:
        done = Deferred.fromCoroutine(
            ensure_account(
                self.directory, name, password, matches=self.matches, hash_password=self.hash_password
            )
        )
        self.reactor.advance(0)
        self.successResultOf(done)

    def assert_password(self, name: str, password: str) -> None:
        asked = self.verifier.verify(name, self.directory.hashes[name], password)
        self.reactor.advance(0)
        self.assertTrue(self.successResultOf(asked))

    def test_made_if_missing(self) -> None:
        self.ensure("bob@example.org", "x")
        self.assert_password("bob@example.org", "x")

    def test_another_password_is_set(self) -> None:
        self.ensure("ALICE@example.org", "other")
        self.assertEqual(list(self.directory.hashes), ["alice@Example.org"])
        self.assert_password("alice@Example.org", "other")

    def test_the_same_password_writes_nothing(self) -> None:
        before = dict(self.directory.hashes)
        self.ensure("alice@example.org", "secret")
        self.assertEqual(self.directory.hashes, before)

    def test_a_disabled_account_stays_disabled(self) -> None:
        self.directory.hashes["alice@Example.org"] = before = disabled_record(cheap_hash("secret"))
        self.ensure("alice@example.org", "other")
        self.assertEqual(self.directory.hashes["alice@Example.org"], before)

    def test_account_that_nobody_could_sign_in_to(self) -> None:
        self.directory.hashes["postmaster@example.org"] = ""
        self.ensure("postmaster@example.org", "x")
        self.assert_password("postmaster@example.org", "x")

    def test_made_by_another_process_meanwhile(self) -> None:
        """Whose options may give it another password."""
        for theirs in ("x", "y"):
            name = f"{theirs}@example.org"

            async def meanwhile(word: str, name: str = name, theirs: str = theirs) -> str:
                self.directory.hashes.setdefault(name, cheap_hash(theirs))
                return cheap_hash(word)

            self.patch(self, "hash_password", meanwhile)
            self.ensure(name, "x")
            self.assert_password(name, "x")
