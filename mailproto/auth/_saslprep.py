"""SASLprep (RFC 4013): the form in which names and passwords are compared."""

from __future__ import annotations

import stringprep
import unicodedata
from unicodedata import ucd_3_2_0

__all__ = ["opaque_string", "prepared_password", "saslprep"]

_LONGEST = 1024
"""The most characters of a text: the time for normalization grows with the square of its combining
marks."""

_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def saslprep(text: str, *, is_query: bool = False) -> str:
    """Prepare ``text``; the result is at most 18 times as long.

    :param is_query: also accept characters that are not in Unicode 3.2; a name that is looked up may have
        them, a password may not (RFC 5802 2.2 and 5.1).
    :raises ValueError: the text has prohibited characters or is too long, or the result is empty.  The
        message contains nothing of the text.
    """
    if text.isascii() and text.isprintable() and text:
        return text
    if len(text) > _LONGEST:
        raise ValueError("it is too long")
    spaced = "".join(" " if stringprep.in_table_c12(char) else char for char in text)
    mapped = "".join(char for char in spaced if not stringprep.in_table_b1(char))
    prepared = ucd_3_2_0.normalize("NFKC", mapped)
    if not prepared:
        raise ValueError("nothing is left of it")
    characters = set(prepared)
    if any(is_prohibited(char) for is_prohibited in _PROHIBITED for char in characters):
        raise ValueError("it has characters that SASLprep prohibits")
    if not is_query and any(map(stringprep.in_table_a1, characters)):
        raise ValueError("it has characters that Unicode 3.2 does not know")
    if any(map(stringprep.in_table_d1, characters)):
        _check_right_to_left(prepared)
    return prepared


def prepared_password(password: str) -> bytes:
    """The octets of a password, the same for all ways to type it; used by every mechanism.

    A password that SASLprep rejects, for example because of an emoji, is prepared as an OpaqueString of RFC
    8265 4.2 (NFC, every space becomes an ASCII space).  A password of more than 1,024 characters is not
    changed.
    """
    if len(password) <= _LONGEST:
        try:
            password = saslprep(password)
        except ValueError:
            password = opaque_string(password)
    return password.encode("utf-8", "surrogatepass")


def opaque_string(text: str) -> str:
    """Prepare any text as an OpaqueString of RFC 8265 4.2."""
    spaced = "".join(" " if unicodedata.category(char) == "Zs" else char for char in text)
    return unicodedata.normalize("NFC", spaced)


def _check_right_to_left(prepared: str) -> None:
    """Text with a right-to-left character must begin and end with one, and have no left-to-right letters.

    RFC 3454 6.
    """
    if any(map(stringprep.in_table_d2, prepared)):
        raise ValueError("it has letters of both directions")
    if not (stringprep.in_table_d1(prepared[0]) and stringprep.in_table_d1(prepared[-1])):
        raise ValueError("it begins or ends in another direction than it has")
