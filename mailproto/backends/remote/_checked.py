"""What another server says, as far as it can be: nothing else reaches our clients, or is kept.

A server that is broken, or hostile, could otherwise write into the responses of ours, or have us keep any
number of octets.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from mailproto.backends._flags import MAX_KEYWORD_LENGTH, check_keywords, kept_flags
from mailproto.backends._keywords import MAX_COMBINED_KEYWORDS, MAX_MAILBOX_KEYWORDS
from mailproto.errors import OverQuota, Unavailable
from mailproto.model import SYSTEM_FLAGS

__all__ = [
    "MOST_MESSAGES",
    "FlagKeeper",
    "ascending",
    "check_count",
    "is_entry",
    "is_envelope",
    "is_structure",
    "modseq_of",
    "object_id",
    "octets_in",
    "uid_validity_of",
    "usual_forms",
    "within_uids",
]

MOST_MESSAGES: Final = 4_000_000
"""Messages of one mailbox; one with more cannot be used.  Each takes 12 octets, or 40 without QRESYNC."""

_SYSTEM: Final = frozenset(SYSTEM_FLAGS)
_LARGEST_UID: Final = (1 << 32) - 1
_LARGEST_MODSEQ: Final = (1 << 63) - 1
_LARGEST_SIZE: Final = 1 << 40


def check_count(messages: int) -> None:
    """Check the number of messages, or of UIDs.

    :raises Unavailable: there are more than `MOST_MESSAGES`.
    """
    if messages > MOST_MESSAGES:
        raise Unavailable(detail=f"The other server tells of more than {MOST_MESSAGES:,} messages")


def within_uids(number: int | None) -> int:
    """A number of messages, or a UIDNEXT, that IMAP can write; 0 for none."""
    return min(number or 0, _LARGEST_UID)


def uid_validity_of(number: int | None) -> int:
    """A UIDVALIDITY; 1 for what is none."""
    return number if number is not None and 0 < number <= _LARGEST_UID else 1


def modseq_of(number: int | None) -> int:
    """A modseq; 1 for what is none."""
    return number if number is not None and 0 < number <= _LARGEST_MODSEQ else 1


def octets_in(size: int | None) -> int:
    """The size of a message."""
    return min(size or 0, _LARGEST_SIZE)


# -- flags


class FlagKeeper:
    """The sets of flags of many messages: equal ones are one object.

    What can be no flag is left out, and so are keywords beyond those that a mailbox of ours may have.
    """

    def __init__(self) -> None:
        self._kept: dict[frozenset[str], frozenset[str]] = {}
        self._keywords: set[str] = set()
        self._number = 0

    def kept(self, flags: frozenset[str]) -> frozenset[str]:
        """A message's flags without ``\\Recent``."""
        known = self._kept.get(flags)
        return self._learn(flags) if known is None else known

    def _learn(self, flags: frozenset[str]) -> frozenset[str]:
        clean = _clean(flags)
        keywords = clean - _SYSTEM
        if (
            self._number + len(keywords) > MAX_COMBINED_KEYWORDS
            or len(self._keywords | keywords) > MAX_MAILBOX_KEYWORDS
        ):
            clean &= _SYSTEM
        if clean not in self._kept:
            self._keywords |= clean - _SYSTEM
            self._number += len(clean - _SYSTEM)
            self._kept[clean] = clean
        if flags == clean | {"\\Recent"}:  # the usual reason for a difference; there are no more of them
            self._kept[flags] = self._kept[clean]
        return self._kept[clean]


def _clean(flags: frozenset[str]) -> frozenset[str]:
    try:
        return check_keywords(kept_flags(flags))
    except (OverQuota, ValueError):
        pass
    found: set[str] = set()
    for flag in flags:
        if len(flag) <= MAX_KEYWORD_LENGTH:
            try:
                found |= kept_flags([flag])
            except ValueError:
                continue
    try:
        return check_keywords(kept_flags(found))
    except OverQuota:
        return frozenset(found & _SYSTEM)


# -- what is passed on as it was written

_QUOTED = rb'"[^"\\\r\n\x00\x80-\xff]*+(?:\\["\\][^"\\\r\n\x00\x80-\xff]*+)*"'
_STRING = rb"(?:NIL|" + _QUOTED + rb")"
_ADDRESS = rb"\(" + rb" ".join([_STRING] * 4) + rb"\)"
_ADDRESSES = rb"(?:NIL|\((?:" + _ADDRESS + rb")+\))"
_FIELDS = rb"\(" + rb" ".join([_STRING] * 2 + [_ADDRESSES] * 6 + [_STRING] * 2) + rb"\)"
_ENVELOPE = re.compile(_FIELDS)
# Of a part that is no multipart, and of a multipart of such parts.
_LIST = rb"\(%b(?: (?:%b|\(%b(?: %b)*\)))*\)" % (_STRING, _STRING, _STRING, _STRING)
_ITEM = rb"(?:" + _STRING + rb"|[0-9]{1,10}|" + _LIST + rb")"
_PART = rb"\(" + _ITEM + rb"(?: " + _ITEM + rb")*\)"
_PARTS = rb"\((?:" + _PART + rb")+(?: " + _ITEM + rb")+\)"
_BEFORE = rb'\((?:[A-Za-z0-9.]++ (?:[0-9]++|\([^()"{]*+\)|"[^"\\\x00]*+") )*'
_USUAL = re.compile(
    _BEFORE + rb"(?:ENVELOPE (" + _FIELDS + rb")(?= |\)\Z) ?)?"
    rb"(?:BODYSTRUCTURE (" + _PART + rb"|" + _PARTS + rb")(?= |\)\Z))?"
)
_USUAL_OCTETS = 1 << 14
_LITERAL = re.compile(rb"\{([0-9]{1,19})\}\r\n")
_QUOTED_OR_LITERAL = re.compile(rb"(%b)|%b" % (_QUOTED, _LITERAL.pattern))
_STRUCTURE = re.compile(rb'(?:""|NIL|[0-9]{1,10}(?![0-9])|[() ])+')


def usual_forms(text: bytes) -> tuple[bytes | None, bytes | None]:
    """The ENVELOPE and the BODYSTRUCTURE in the text of a FETCH response, if they are there in the form that
    nearly all have, and all that they have to be."""
    match = _USUAL.match(text) if len(text) <= _USUAL_OCTETS else None
    return (None, None) if match is None else (match[1], match[2])


def is_envelope(octets: bytes) -> bool:
    """Whether this is an ENVELOPE (RFC 9051 7.5.2) and nothing else; literals are in it."""
    if b"{" not in octets:
        return _ENVELOPE.fullmatch(octets) is not None
    plain = _without_literals(octets)
    return plain is not None and _ENVELOPE.fullmatch(plain) is not None


def is_structure(octets: bytes) -> bool:
    """Whether this is one list of strings, numbers and lists, as a BODYSTRUCTURE is."""
    plain = _without_literals(octets)
    if plain is None or not (plain.startswith(b"(") and plain.endswith(b")")):
        return False
    plain = re.sub(_QUOTED, b'""', plain)
    if _STRUCTURE.fullmatch(plain) is None:
        return False
    parentheses = re.sub(rb"[^()]", b"", plain)
    depth = 0
    for place, each in enumerate(parentheses, 1):
        depth += 1 if each == 0x28 else -1
        if depth <= 0:
            return depth == 0 and place == len(parentheses)
    return False


def _without_literals(octets: bytes) -> bytes | None:
    """The octets with ``""`` in the place of each literal; None if one has not as many octets as it says."""
    pieces, at = [], 0
    while match := _QUOTED_OR_LITERAL.search(octets, at):
        if match[1] is not None:
            pieces.append(octets[at : match.end()])
            at = match.end()
            continue
        pieces.append(octets[at : match.start()] + b'""')
        at = match.end() + int(match[2])
        if at > len(octets) or b"\0" in octets[match.end() : at]:
            return None
    return b"".join([*pieces, octets[at:]])


_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
_ENTRY = re.compile(r"/(?:private|shared)(?:/[!-$&-)+-.0-~]+)+", re.IGNORECASE)


def object_id(text: str | None) -> str | None:
    """An id (RFC 8474 4.3); None for what is none."""
    return text if text is not None and _ID.fullmatch(text) else None


def is_entry(name: str) -> bool:
    """Whether this can be the name of an annotation (RFC 5464 4.1)."""
    return _ENTRY.fullmatch(name) is not None


def ascending(uids: Sequence[int]) -> bool:
    """Whether these are UIDs in ascending order, each once."""
    last = 0
    for uid in uids:
        if not last < uid <= _LARGEST_UID:
            return False
        last = uid
    return True
