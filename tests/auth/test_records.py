"""What is kept of a password."""

from __future__ import annotations

import time

from twisted.trial.unittest import SynchronousTestCase

from mailproto.auth import SCRAM_ITERATIONS, hash_password
from mailproto.auth._records import argon2_part, completed, is_complete, matches, scram_part
from mailproto.auth._scram import scram_keys
from tests.auth.fakes import cheap_hash


class RecordTests(SynchronousTestCase):
    def test_argon2id_and_scram_with_salts_of_their_own(self) -> None:
        first, second = hash_password("secret"), hash_password("secret")
        self.assertRegex(
            first,
            r"\A\$argon2id\$v=19\$m=65536,t=3,p=4\$\S+ "
            r"SCRAM-SHA-256\$65536:\S+\$\S+:\S+ SCRAM-SHA-1\$65536:\S+\$\S+:\S+\Z",
        )
        self.assertEqual(set(first.split()) & set(second.split()), set())
        self.assertNotEqual(scram_part(first, "SHA-256").salt, scram_part(first, "SHA-1").salt)  # type: ignore[union-attr]
        self.assertLess(len(first), 400)

    def test_all_are_of_the_password(self) -> None:
        record = hash_password("caf\u00e9")
        self.assertTrue(matches(record, "cafe\u0301"))
        self.assertFalse(matches(record, "cafe"))
        for algorithm in ("SHA-256", "SHA-1"):
            kept = scram_part(record, algorithm)  # type: ignore[arg-type]
            assert kept is not None
            self.assertEqual(kept.iterations, SCRAM_ITERATIONS)
            self.assertEqual(kept, scram_keys(kept.algorithm, "cafe\u0301", kept.salt, kept.iterations))

    def test_compositions_of_one_password_are_one(self) -> None:
        stored = cheap_hash("caf\u00e9 au lait")
        self.assertTrue(matches(stored, "cafe\u0301 au lait"))
        self.assertTrue(matches(stored, "caf\u00e9\u00a0au\u3000lait"))

    def test_what_is_no_hash_matches_nothing(self) -> None:
        for stored in (
            "",
            "x",
            "$argon2id$",
            "$1$abc$def",
            cheap_hash("x")[:-3],
            "SCRAM-SHA-256$1:eA==$eA==:eA==",
        ):
            self.assertFalse(matches(stored, "x"), stored)
            self.assertIsNone(scram_part(stored, "SHA-256"))

    def test_an_old_record_is_completed_once(self) -> None:
        old = cheap_hash("secret")
        self.assertFalse(is_complete(old, "secret"))
        new = completed(old, "secret")
        self.assertEqual(argon2_part(new), old)
        self.assertTrue(is_complete(new, "secret"))
        self.assertEqual(completed(new, "secret"), new)

    def test_half_of_it_is_added(self) -> None:
        half = " ".join(completed(cheap_hash("secret"), "secret").split()[:2])
        self.assertFalse(is_complete(half, "secret"))
        self.assertTrue(completed(half, "secret").startswith(half + " SCRAM-SHA-1$"))

    def test_each_is_found_wherever_it_is(self) -> None:
        argon2, *keys = completed(cheap_hash("secret"), "secret").split()
        self.assertTrue(matches(" ".join([*keys, argon2]), "secret"))
        self.assertEqual(argon2_part(" ".join(keys)), "")
        self.assertFalse(matches(" ".join(keys), "secret"))
        self.assertTrue(is_complete(" ".join(keys), "secret"))

    def test_a_password_that_saslprep_does_not_take(self) -> None:
        """It has no keys of SCRAM, and is good for PLAIN."""
        for password in ("bell\a", "\U0001f511"):
            old = cheap_hash(password)
            self.assertTrue(is_complete(old, password))
            self.assertEqual(completed(old, password), old)
            self.assertTrue(matches(old, password))

    def test_linear(self) -> None:
        """A record is ours, but a directory may give anything."""
        began = time.perf_counter()
        for noise in ("SCRAM-SHA-1$1:" + "A" * 1_000_000, "$argon2 " * 100_000, " " * 1_000_000):
            self.assertIsNone(scram_part(noise, "SHA-1"))
        self.assertLess(time.perf_counter() - began, 2)
