"""Commands that a server does for some of the messages, beginning with the latest (RFC 9738)."""

from __future__ import annotations

from mailproto.imap.client._uid_set import UidSet
from mailproto.imap.wire._values import number_of

__all__ = ["last_done", "part_below", "parts_around"]

_LARGEST = (1 << 32) - 1


def last_done(arguments: bytes | None, before: int | None = None) -> int | None:
    """The lowest UID that was done, of a MESSAGELIMIT code; None if all are done.

    :param before: that of the command before, which it must be below: else there is no end.
    """
    words = (arguments or b"").split()
    uid = number_of(words[1]) if len(words) == 2 else None
    return uid if uid is not None and 0 < uid <= _LARGEST and (before is None or uid < before) else None


def part_below(text: str, known: UidSet | None, uid: int) -> UidSet:
    """The UIDs of a set that are below ``uid``; none of ``$``, which has what the server can do.

    :param text: the set as it was sent.
    :param known: its UIDs, if they are known.
    """
    if known is None:
        known = UidSet.read(text.replace("*", str(_LARGEST)).encode("ascii")) or UidSet()
    return known & UidSet.of_ranges([(1, uid - 1)]) if uid > 1 else UidSet()


def parts_around(text: str, known: UidSet | None, uid: int) -> list[UidSet]:
    """The UIDs of a set from ``uid`` on, and those below it; empty if that is no division."""
    low = part_below(text, known, uid)
    whole = part_below(text, known, _LARGEST + 1)
    high = whole - low
    return [high, low] if high and low else []
