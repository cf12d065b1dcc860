"""The record of a password that a directory stores: several verifiers in one string.

They are separated by spaces: argon2id's PHC string, against which a password is checked, then the keys of
SCRAM-SHA-256 and of SCRAM-SHA-1 (`ScramKeys`).  They are in one string so that a change of password is one
write.  A record with only argon2id or only SCRAM keys is valid, too.
"""

from __future__ import annotations

import hmac
import os
import re
import threading
from contextlib import nullcontext
from typing import Final

from argon2 import Parameters, PasswordHasher, Type, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError

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

# What OWASP's Password Storage Cheat Sheet names: 19 MiB, two passes, one lane.  RFC 9106 4 recommends 64 MiB
# or more, which anyone could make the server use by wrong passwords.  That would not protect passwords better
# here: a thief of the records guesses by the SCRAM keys beside the hash, which take less time and no memory.
PROFILE: Final = Parameters(
    type=Type.ID,
    version=19,
    salt_len=16,
    hash_len=32,
    time_cost=2,
    memory_cost=19 << 10,
    parallelism=1,
)
_HASHER = PasswordHasher.from_parameters(PROFILE)

_OURS: Final = re.compile(
    rf"\$argon2id\$v={PROFILE.version}\$m={PROFILE.memory_cost},t={PROFILE.time_cost},p={PROFILE.parallelism}"
    r"\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}"
)
"""What `_HASHER` makes; it takes the library fifty times as long to tell."""

_LARGE: Final = threading.Lock()
"""Held while a hash is computed that needs more memory than ours, such as that of an older version."""


def hash_password(password: str) -> str:
    """A record with all verifiers of the password, prepared by SASLprep; each verifier has its own salt.

    This takes 19 MiB and 50 to 150 ms: run it in a thread.

    :raises TypeError: it is no `str`.
    """
    if not isinstance(password, str):  # which is not shown
        raise TypeError(f"password must be a str, not {type(password).__name__}")
    return completed(_HASHER.hash(prepared_password(password)), password)


def completed(record: str, password: str) -> str:
    """The record with its missing SCRAM keys added, and its argon2id hash made anew if its parameters are not
    those of `hash_password`; run it in a thread.
    """
    if _is_outdated(record):
        record = record.replace(argon2_part(record), _HASHER.hash(prepared_password(password)))
    missing = [algorithm for algorithm in SCRAM_ALGORITHMS if scram_part(record, algorithm) is None]
    made = [
        str(scram_keys(algorithm, password, os.urandom(SALT_LENGTH), SCRAM_ITERATIONS))
        for algorithm in missing
    ]
    return " ".join([record, *made])


def is_complete(record: str) -> bool:
    """Whether `completed` would change nothing."""
    known = {keys.algorithm for part in _parts(record) if (keys := parse_scram_keys(part)) is not None}
    return known.issuperset(SCRAM_ALGORITHMS) and not _is_outdated(record)


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


def _is_outdated(record: str) -> bool:
    argon2 = argon2_part(record)
    if _OURS.fullmatch(argon2):
        return False
    try:
        return _HASHER.check_needs_rehash(argon2)
    except InvalidHashError:  # there is none, or it is damaged
        return False


def _opaque(password: str) -> bytes:
    return opaque_string(password).encode("utf-8", "surrogatepass")


def _parts(record: str) -> list[str]:
    return [] if is_disabled(record) else record.split(" ")


def _has_hash(record: str, prepared: bytes) -> bool:
    try:
        is_large = extract_parameters(record).memory_cost > PROFILE.memory_cost
        with _LARGE if is_large else nullcontext():
            return _HASHER.verify(record, prepared)
    except (VerificationError, InvalidHashError):
        return False
