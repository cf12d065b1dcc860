"""What is kept of a password."""

from __future__ import annotations

import threading
import time

from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST, RFC_9106_LOW_MEMORY
from twisted.trial.unittest import SynchronousTestCase

from mailproto.auth import _records, hash_password
from mailproto.auth._records import argon2_part, completed, is_complete, matches, scram_part
from mailproto.auth._scram import scram_keys
from mailproto.auth.passwords import SCRAM_ITERATIONS, disabled_record, password_matches
from tests.auth.fakes import cheap_hash


class RecordTests(SynchronousTestCase):
    def make_hashes_cheap(self) -> None:
        self.patch(_records, "_HASHER", PasswordHasher.from_parameters(CHEAPEST))

    def test_argon2id_and_scram_with_salts_of_their_own(self) -> None:
        first, second = hash_password("secret"), hash_password("secret")
        self.assertRegex(
            first,
            r"\A\$argon2id\$v=19\$m=19456,t=2,p=1\$\S+ "
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

    def test_one_password_however_it_is_typed(self) -> None:
        """For PLAIN as for SCRAM (RFC 4013; RFC 8265 4.2 for what that does not take)."""
        self.make_hashes_cheap()
        for first, *others in (
            ("caf\u00e9 au lait", "cafe\u0301 au lait", "caf\u00e9\u00a0au\u3000lait"),
            ("pass1", "ｐａｓｓ１", "pa\u00adss1", "pass\u00b9"),
            ("\u00e9\U0001f511 x", "e\u0301\U0001f511\u00a0x"),
            ("bell\a\u00e9", "bell\ae\u0301"),
            ("x" * 2000,),
        ):
            record = hash_password(first)
            kept = scram_part(record, "SHA-256")
            assert kept is not None
            for other in (first, *others):
                with self.subTest(password=ascii(other)):
                    self.assertTrue(matches(record, other))
                    self.assertEqual(kept, scram_keys("SHA-256", other, kept.salt, kept.iterations))
            self.assertFalse(matches(record, first + "x"))

    def test_a_record_of_a_password_that_was_prepared_otherwise(self) -> None:
        """Older versions' argon2id is of an OpaqueString: what only SASLprep maps is still in it."""
        for password in ("ｐａｓｓ１", "pass\u00b9", "pa\u00adss"):
            stored = cheap_hash(password)
            self.assertTrue(matches(stored, password))
            self.assertFalse(matches(stored, password + "x"))

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
        self.make_hashes_cheap()
        old = cheap_hash("secret")
        self.assertFalse(is_complete(old))
        new = completed(old, "secret")
        self.assertEqual(argon2_part(new), old)
        self.assertTrue(is_complete(new))
        self.assertEqual(completed(new, "secret"), new)

    def test_a_hash_with_other_parameters_is_made_anew(self) -> None:
        for parameters in (CHEAPEST, RFC_9106_LOW_MEMORY):  # the latter were those of older versions
            old, *keys = hash_password("secret").split(" ")
            old = PasswordHasher.from_parameters(parameters).hash("secret")
            record = " ".join([*keys, old])
            self.assertTrue(matches(record, "secret"))
            self.assertFalse(is_complete(record))
            new = completed(record, "secret")
            self.assertEqual(new.split(" ")[:2], keys)
            self.assertRegex(argon2_part(new), r"\A\$argon2id\$v=19\$m=19456,t=2,p=1\$")
            self.assertTrue(matches(new, "secret"))
            self.assertTrue(is_complete(new))

    def test_one_hash_at_a_time_that_needs_more_memory(self) -> None:
        large = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY).hash("secret")
        found: list[bool] = []
        thread = threading.Thread(target=lambda: found.append(matches(large, "secret")))
        with _records._LARGE:
            thread.start()
            thread.join(0.01)
            self.assertTrue(matches(hash_password("secret"), "secret"))
            self.assertEqual(found, [])
        thread.join()
        self.assertEqual(found, [True])

    def test_half_of_it_is_added(self) -> None:
        self.make_hashes_cheap()
        half = " ".join(completed(cheap_hash("secret"), "secret").split()[:2])
        self.assertFalse(is_complete(half))
        self.assertTrue(completed(half, "secret").startswith(half + " SCRAM-SHA-1$"))

    def test_each_is_found_wherever_it_is(self) -> None:
        self.make_hashes_cheap()
        argon2, *keys = completed(cheap_hash("secret"), "secret").split()
        self.assertTrue(matches(" ".join([*keys, argon2]), "secret"))
        self.assertEqual(argon2_part(" ".join(keys)), "")
        self.assertFalse(matches(" ".join(keys), "secret"))
        self.assertTrue(is_complete(" ".join(keys)))

    def test_linear(self) -> None:
        """A record is ours, but a directory may give anything."""
        began = time.process_time()
        for noise in ("SCRAM-SHA-1$1:" + "A" * 1_000_000, "$argon2 " * 100_000, " " * 1_000_000):
            self.assertIsNone(scram_part(noise, "SHA-1"))
        self.assertLess(time.process_time() - began, 2)

    def test_the_cheapest_of_them_tells_whether_a_password_is_right(self) -> None:
        record = hash_password("caf\u00e9")
        hashed, first, second = record.split(" ")
        for kept in (record, hashed, first, second, f"{first} {second}", f"{second} {hashed}"):
            with self.subTest(kept=kept):
                self.assertTrue(password_matches(kept, "cafe\u0301"))
                self.assertFalse(password_matches(kept, "cafe"))
        for kept in ("", "nonsense", disabled_record(record)):
            self.assertFalse(password_matches(kept, "caf\u00e9"))

        def argon2(*arguments: object) -> bool:
            raise AssertionError

        self.patch(_records, "matches", argon2)
        self.assertTrue(password_matches(record, "caf\u00e9"))
