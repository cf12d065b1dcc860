"""Password records, and checking them in threads.

`mailproto.auth.hash_password` makes a record.
"""

from mailproto.auth._passwords import MAX_REMEMBERED, MAX_WAITING, REMEMBER, PasswordVerifier
from mailproto.auth._records import (
    SCRAM_ITERATIONS,
    disabled_record,
    enabled_record,
    is_complete,
    is_disabled,
    password_matches,
)

__all__ = [
    "MAX_REMEMBERED",
    "MAX_WAITING",
    "REMEMBER",
    "SCRAM_ITERATIONS",
    "PasswordVerifier",
    "disabled_record",
    "enabled_record",
    "is_complete",
    "is_disabled",
    "password_matches",
]
