"""The record of a password that a directory stores: several verifiers in one string.

They are separated by spaces: argon2id's PHC string, against which a password is checked, then the keys of
SCRAM-SHA-256 and of SCRAM-SHA-1 (`ScramKeys`).  They are in one string so that a change of password is one
write.  A record with only argon2id or only SCRAM keys is valid, too.
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
    "is_record",
    "matches",
    "password_matches",
    "scram_part",
]

SCRAM_ITERATIONS = 65_536
"""The iterations of SCRAM keys: the most that clients with Cyrus SASL accept (RFC 7677 4 requires
4,096)."""

_DISABLED = "!"
"""The prefix of a disabled account's record, as in shadow(5); the rest stays for `enabled_record`."""

SALT_LENGTH = 16
"""Octets of the salts for SCRAM."""

# RFC 9106 4, "second recommended option": 64 MiB, three passes, four lanes.  The first option needs 2 GiB
# for each login, so a few attackers could use up a small machine's memory.
PROFILE = RFC_9106_LOW_MEMORY
_HASHER = PasswordHasher.from_parameters(PROFILE)


def hash_password(password: str) -> str:
    """A record with all verifiers of the password, prepared by SASLprep; each verifier has its own salt.

    This takes 64 MiB and 100 to 300 ms: run it in a thread.

    :raises TypeError: it is no `str`.
    """
    if not isinstance(password, str):  # which is not shown
        raise TypeError(f"password must be a str, not {type(password).__name__}")
    return completed(_HASHER.hash(prepared_password(password)), password)


def completed(record: str, password: str) -> str:
    """The record with its missing SCRAM keys added; run it in a thread."""
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
    """Whether ``password`` matches the record's argon2id hash; False if the record has none."""
    # In an older version's record, argon2id hashed an OpaqueString (RFC 8265 4.2).
    forms = dict.fromkeys((prepared_password(password), _opaque(password)))
    return any(_has_hash(argon2_part(record), form) for form in forms)


def password_matches(record: str, password: str) -> bool:
    """Whether ``password`` is that of the record, by the fastest verifier: SCRAM keys take 25 ms.

    Use it for passwords that are usually right; run it in a thread.
    """
    for algorithm in SCRAM_ALGORITHMS:
        keys = scram_part(record, algorithm)
        if keys is not None:
            made = scram_keys(algorithm, password, keys.salt, keys.iterations)
            return hmac.compare_digest(made.stored_key, keys.stored_key)
    return matches(record, password)


def disabled_record(record: str) -> str:
    """The record of a disabled account: no mechanism accepts it until `enabled_record` undoes this."""
    return record if is_disabled(record) else _DISABLED + record


def enabled_record(record: str) -> str:
    """The record before `disabled_record`; a record that is not disabled stays the same."""
    return record.removeprefix(_DISABLED)


def is_disabled(record: str) -> bool:
    """Whether the record is that of a disabled account."""
    return record.startswith(_DISABLED)


def argon2_part(record: str) -> str:
    """The PHC string of argon2; "" if there is none, or if the account is disabled."""
    return next((part for part in _parts(record) if part.startswith("$argon2")), "")


def is_record(text: str) -> bool:
    """Whether ``text`` is what `hash_password` makes, or that of a disabled account, and so no password."""
    record = enabled_record(text)
    return bool(argon2_part(record) or any(scram_part(record, algorithm) for algorithm in SCRAM_ALGORITHMS))


def scram_part(record: str, algorithm: ScramAlgorithm) -> ScramKeys | None:
    """The SCRAM keys for ``algorithm``; None if there are none, or if the account is disabled."""
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
