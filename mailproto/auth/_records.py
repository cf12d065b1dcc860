"""What a directory keeps of a password: verifiers of it, in one string.

They are parted by spaces: argon2id's PHC string, which a password is checked against, then
the keys of SCRAM-SHA-256 and of SCRAM-SHA-1 (`ScramKeys`).  One string, so that a change of
password is one write.  A record with argon2id's alone, or SCRAM's alone, is good too.
"""

from __future__ import annotations

import hmac
import os

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from mailproto.auth._saslprep import opaque_string, prepared_password
from mailproto.auth._scram import (
    SCRAM_ALGORITHMS,
    ScramAlgorithm,
    ScramKeys,
    parse_scram_keys,
    scram_keys,
)

__all__ = [
    "PROFILE",
    "SALT_LENGTH",
    "SCRAM_ITERATIONS",
    "argon2_part",
    "completed",
    "disabled_record",
    "enabled_record",
    "hash_password",
    "is_complete",
    "is_disabled",
    "matches",
    "password_matches",
    "scram_part",
]

SCRAM_ITERATIONS = 65_536
"""Of SCRAM's keys: the most that clients with Cyrus SASL take (RFC 7677 4 asks for 4,096)."""

_DISABLED = "!"
"""What a disabled account's record begins with, as in shadow(5); the rest is kept for `enabled_record`."""

SALT_LENGTH = 16
"""Octets of SCRAM's salts."""

# RFC 9106 4, "second recommended option": 64 MiB, three passes, four lanes.  The first
# one's 2 GiB a login would let a few guessers take a small machine's memory.
PROFILE = RFC_9106_LOW_MEMORY
_HASHER = PasswordHasher.from_parameters(PROFILE)


def hash_password(password: str) -> str:
    """A record with all verifiers, each with a salt of its own, of the password as SASLprep leaves it.

    Takes 64 MiB and 100 to 300 ms: for a thread.
    """
    return completed(_HASHER.hash(prepared_password(password)), password)


def completed(record: str, password: str) -> str:
    """The record, with those of SCRAM's keys that were missing: for a thread."""
    missing = [algorithm for algorithm in SCRAM_ALGORITHMS if scram_part(record, algorithm) is None]
    made = [
        str(scram_keys(algorithm, password, os.urandom(SALT_LENGTH), SCRAM_ITERATIONS))
        for algorithm in missing
    ]
    return " ".join([record, *made])


def is_complete(record: str) -> bool:
    """Whether `completed` would add nothing."""
    return all(scram_part(record, algorithm) for algorithm in SCRAM_ALGORITHMS)


def matches(record: str, password: str) -> bool:
    """Whether ``password`` has that argon2id hash, worked out here and now; False without one."""
    # A record may be of a time when argon2id hashed an OpaqueString (RFC 8265 4.2).
    forms = dict.fromkeys((prepared_password(password), _opaque(password)))
    return any(_has_hash(argon2_part(record), form) for form in forms)


def password_matches(record: str, password: str) -> bool:
    """Whether ``password`` is that of the record, by what takes least time: 25 ms by SCRAM's keys.

    For passwords that are right as a rule; for a thread.
    """
    for algorithm in SCRAM_ALGORITHMS:
        keys = scram_part(record, algorithm)
        if keys is not None:
            made = scram_keys(algorithm, password, keys.salt, keys.iterations)
            return hmac.compare_digest(made.stored_key, keys.stored_key)
    return matches(record, password)


def disabled_record(record: str) -> str:
    """A record of the same password that no mechanism takes, until it is `enabled_record`."""
    return record if is_disabled(record) else _DISABLED + record


def enabled_record(record: str) -> str:
    """The record as it was before `disabled_record`; one that is not disabled stays as it is."""
    return record.removeprefix(_DISABLED)


def is_disabled(record: str) -> bool:
    """Whether the account of that record is disabled."""
    return record.startswith(_DISABLED)


def argon2_part(record: str) -> str:
    """The PHC string of argon2; "" without one, or if the account is disabled."""
    return next((part for part in _parts(record) if part.startswith("$argon2")), "")


def scram_part(record: str, algorithm: ScramAlgorithm) -> ScramKeys | None:
    """SCRAM's keys for ``algorithm``; None without any, or if the account is disabled."""
    found = map(parse_scram_keys, _parts(record))
    return next((keys for keys in found if keys is not None and keys.algorithm == algorithm), None)


def _opaque(password: str) -> bytes:
    return opaque_string(password).encode("utf-8", "surrogatepass")


def _parts(record: str) -> list[str]:
    return [] if is_disabled(record) else record.split(" ")


def _has_hash(record: str, prepared: bytes) -> bool:
    try:
        return _HASHER.verify(record, prepared)
    except (VerificationError, InvalidHashError):
        return False
