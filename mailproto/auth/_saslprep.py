"""SASLprep (RFC 4013): names and passwords as they are compared, however they were typed."""

from __future__ import annotations

import stringprep
import unicodedata
from unicodedata import ucd_3_2_0

__all__ = ["opaque_string", "prepared_password", "saslprep"]

_LONGEST = 1024
"""Characters of a text that is prepared: the normalization of combining marks takes the square of it."""

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
    """``text`` prepared; not longer than 18 times what it was.

    :param is_query: take what Unicode 3.2 did not know as well, as a name that is only looked
        up may have it; a password may not (RFC 5802 2.2 and 5.1).
    :raises ValueError: for what is prohibited or too long, and when nothing is left; the message
        holds nothing of the text.
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
    """The octets of a password, the same however it was typed; of any password, for every mechanism.

    What SASLprep does not take, such as an emoji, is an OpaqueString of RFC 8265 4.2 (NFC, every
    space an ASCII one), and one of more than 1,024 characters is taken as it is.
    """
    if len(password) <= _LONGEST:
        try:
            password = saslprep(password)
        except ValueError:
            password = opaque_string(password)
    return password.encode("utf-8", "surrogatepass")


def opaque_string(text: str) -> str:
    """OpaqueString of RFC 8265 4.2, of any text."""
    spaced = "".join(" " if unicodedata.category(char) == "Zs" else char for char in text)
    return unicodedata.normalize("NFC", spaced)


def _check_right_to_left(prepared: str) -> None:
    """What has a character from right to left begins and ends with one, and has no other letters.

    RFC 3454 6.
    """
    if any(map(stringprep.in_table_d2, prepared)):
        raise ValueError("it has letters of both directions")
    if not (stringprep.in_table_d1(prepared[0]) and stringprep.in_table_d1(prepared[-1])):
        raise ValueError("it begins or ends in another direction than it has")
