"""Python's codecs, made to read what the WHATWG Encoding Standard's decoders read.

Python has nearly all of the standard's tables.  Three things are done here to each codec
that needs them: characters that its table does not have are put in by its error handler
(NEC's and IBM's in Japanese, some of Big5), characters that its table has otherwise are
exchanged in the text, and damage costs one U+FFFD and no neighbour.  Python's own "replace"
takes one octet for damaged: the other one of a pair is then read with the first one of the
next, and so on to the end of the line.
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
    "mended",
    "pairs",
    "recovering",
]

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

DAMAGE_LIMIT = 1 << 18
"""Places of one text that are mended one by one; more are left to Python, and to its "replace"."""

Recovery = tuple[str, int]
"""What stands for the damage, and the offset at which reading goes on."""

Recover = Callable[[bytes, int, int], Recovery]
"""Called with the octets and where damage begins and ends, as Python sees it."""


class Decoder(NamedTuple):
    """How the octets of one encoding are read.

    :ivar strict: the text of octets; raises ValueError where some are none of the encoding.
    :ivar lenient: the text of any octets.
    """

    strict: Callable[[bytes], str]
    lenient: Callable[[bytes], str]


def mended(
    codec: str,
    errors: str,
    changed: Mapping[str, str] | None = None,
    before: Callable[[bytes], bytes] = bytes,
) -> Decoder:
    """Python's ``codec`` with an error handler, with some characters of its text ``changed``."""
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
    """Register ``recover(octets, start, stop)`` as an error handler for decoding; its name."""

    def handle(error: UnicodeError) -> Recovery:
        if not isinstance(error, UnicodeDecodeError):
            raise error
        return recover(error.object, error.start, error.end)

    codecs.register_error(name := f"mailproto.{name}", handle)
    return name


def pairs(leads: frozenset[int], added: Mapping[bytes, str]) -> Recover:
    """Damage is a whole pair, but for an ASCII octet that follows its lead octet."""

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
