"""Making Python's codecs decode as the WHATWG Encoding Standard does.

Python has nearly all of the standard's tables.  Three things are changed in codecs that need it.  An
error handler adds characters that are missing from a table (NEC's and IBM's in Japanese, some of
Big5).  Characters that differ are replaced in the text.  And each error becomes one U+FFFD, without
damage to its neighbours.  Python's own "replace" skips only one octet: the other octet of a pair is
then read with the first one of the next pair, and so on to the end of the line.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping
from typing import NamedTuple

__all__ = [
    "DAMAGE_LIMIT",
    "LEADS",
    "REPLACEMENT",
    "Decoder",
    "Recover",
    "Recovery",
    "pairs",
    "patched_codec",
    "recovering",
]

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

DAMAGE_LIMIT = 1 << 18
"""How many errors of a text are handled here; Python's "replace" handles those after them."""

Recovery = tuple[str, int]
"""The replacement text, and the offset at which decoding goes on."""

Recover = Callable[[bytes, int, int], Recovery]
"""Handles an error; called with the octets, and with its beginning and end according to Python."""


class Decoder(NamedTuple):
    """The decoder of an encoding.

    :ivar strict: decodes octets; raises ValueError if some are not valid in the encoding.
    :ivar lenient: decodes any octets.
    """

    strict: Callable[[bytes], str]
    lenient: Callable[[bytes], str]


def patched_codec(
    codec: str,
    errors: str,
    changed: Mapping[str, str] | None = None,
    before: Callable[[bytes], bytes] = bytes,
) -> Decoder:
    """A decoder made of Python's ``codec``, an error handler, and characters to be replaced."""
    decode = codecs.getdecoder(codec)
    changes = tuple((changed or {}).items())

    def read(octets: bytes, errors: str) -> str:
        text = decode(before(octets), errors)[0]
        for wrong, right in changes:
            text = text.replace(wrong, right)
        return text

    def lenient(octets: bytes) -> str:
        if len(octets) > DAMAGE_LIMIT:
            text = read(octets, "replace")
            if text.count(REPLACEMENT) > DAMAGE_LIMIT:
                return text
        return read(octets, errors)

    return Decoder(lambda octets: read(octets, "strict"), lenient)


def recovering(name: str, recover: Recover) -> str:
    """Register ``recover(octets, start, stop)`` as an error handler for decoding; return its name."""

    def handle(error: UnicodeError) -> Recovery:
        if not isinstance(error, UnicodeDecodeError):
            raise error
        return recover(error.object, error.start, error.end)

    codecs.register_error(name := f"mailproto.{name}", handle)
    return name


def pairs(leads: frozenset[int], added: Mapping[bytes, str]) -> Recover:
    """An error covers a whole pair, except an ASCII octet after a lead octet."""

    def recover(octets: bytes, start: int, stop: int) -> Recovery:
        pair = octets[start : start + 2]
        if pair in added:
            found = []
            while pair in added:
                found.append(added[pair])
                start += 2
                pair = octets[start : start + 2]
            return "".join(found), start
        if len(pair) == 2 and pair[0] in leads and pair[1] >= 0x80:
            return REPLACEMENT, start + 2
        return REPLACEMENT, start + 1

    return recover


LEADS = frozenset(range(0x81, 0xFF))
