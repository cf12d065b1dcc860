from __future__ import annotations

import hashlib
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailproto.auth import hash_password
from mailproto.auth.passwords import SCRAM_ITERATIONS, PasswordVerifier, disabled_record, password_matches
from mailproto.service import AccountSettings
from mailproto.service._accounts import RightPasswords, ensure_account
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


class RightPasswordsTests(SynchronousTestCase):
    """What is remembered of passwords that were right."""

    def setUp(self) -> None:
        self.file = Path(self.mktemp())
        self.given = [AccountSettings(name=f"{name}@x", password=f"secret of {name}") for name in "abc"]
        self.records = {f"{name}@x": hashed for name, hashed in zip("abc", COMPLETE, strict=True)}
        RightPasswords.read(self.file, self.given).write(self.file, self.records)

    def known(self, given: list[AccountSettings]) -> list[str]:
        right = RightPasswords.read(self.file, given)
        return [key for key, record in self.records.items() if right.has(key, record)]

    def test_the_same_again(self) -> None:
        self.assertEqual(self.known(self.given), ["a@x", "b@x", "c@x"])
        self.assertEqual(self.known(self.given[::-1]), ["a@x", "b@x", "c@x"])

    def test_another_password_or_account(self) -> None:
        for given in (
            [*self.given[:2], AccountSettings(name="c@x", password="other")],
            self.given[:2],
            [*self.given, AccountSettings(name="d@x", password="x")],
            [AccountSettings(name="a@x", password=self.given[1].password), *self.given[1:]],
        ):
            self.assertEqual(self.known(given), [])

    def test_another_record(self) -> None:
        self.records["b@x"] = COMPLETE[0]
        self.assertEqual(self.known(self.given), ["a@x", "c@x"])

    def test_a_damaged_file(self) -> None:
        whole = self.file.read_bytes()
        for damaged in (
            b"",
            b"{}",
            b"[]",
            b"nonsense",
            b"\xff",
            whole[:-20],
            b"[" * 100_000,
            b'{"salt": 1, "key": 2, "records": 3}',
            whole.replace(b'"records": {', b'"records": [{').replace(b"}}", b"}]}"),
        ):
            self.file.write_bytes(damaged)
            self.assertEqual(self.known(self.given), [])
        self.file.unlink()
        self.assertEqual(self.known(self.given), [])

    def test_nothing_that_is_easier_to_guess_at_than_the_record(self) -> None:
        """It takes as long as SCRAM's keys, and of a record without them nothing is kept."""
        kept = self.file.read_text()
        for account in self.given:
            self.assertNotIn(account.password, kept)
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)
        iterations: list[int] = []

        def pbkdf2(algorithm: str, password: bytes, salt: bytes, number: int) -> bytes:
            iterations.append(number)
            return b"key"

        self.patch(hashlib, "pbkdf2_hmac", pbkdf2)
        self.known(self.given)
        self.assertEqual(set(iterations), {SCRAM_ITERATIONS})
        self.records["b@x"] = cheap_hash("x")
        RightPasswords.read(self.file, self.given).write(self.file, self.records)
        self.assertEqual(self.known(self.given), ["a@x", "c@x"])


COMPLETE = [hash_password(f"secret of {name}") for name in "abc"]
