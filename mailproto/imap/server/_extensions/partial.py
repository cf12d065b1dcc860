"""PARTIAL: only some of what SEARCH, SORT or FETCH would tell (RFC 5267 4.4, RFC 9394)."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from mailproto.imap.server._errors import BadCommand, RefusedWithCode
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._options import FetchModifier, SearchReturn
from mailproto.imap.server._requests import FetchRequest, SearchAsked, SearchFound
from mailproto.imap.server._search import respond_with_set
from mailproto.imap.server._session import Session
from mailproto.imap.wire import ArgumentReader, IMAPWireError

__all__ = ["EXTENSION", "PartialRange", "partial_of", "partial_range"]

T = TypeVar("T")

_RANGE = re.compile(rb"(-?+)([1-9][0-9]{0,9}+):(-?+)([1-9][0-9]{0,9}+)(?![0-9])")
_MAX_NUMBER = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class PartialRange:
    """Results by their places.

    :ivar first: the first place, from 1.
    :ivar last: the last one.
    :ivar from_end: whether places are counted from the end.
    """

    first: int
    last: int
    from_end: bool

    def of(self, results: Sequence[T]) -> Sequence[T]:
        """The results that are in the range."""
        if not self.from_end:
            return results[self.first - 1 : self.last]
        size = len(results)
        return results[max(size - self.last, 0) : max(size - self.first + 1, 0)]


def partial_range(arguments: ArgumentReader) -> PartialRange:
    """``SP number ":" number``, both of them from the beginning, or both with ``-`` from the end."""
    arguments.space()
    match = arguments.expect(_RANGE, "a range")
    numbers = sorted((int(match[2]), int(match[4])))
    if match[1] != match[3] or numbers[1] > _MAX_NUMBER:
        raise IMAPWireError("Invalid range")
    return PartialRange(numbers[0], numbers[1], bool(match[1]))


def partial_of(found: SearchFound) -> Sequence[int] | None:
    """The numbers that PARTIAL tells; None if it was not asked for."""
    wanted = found.returns.of(PARTIAL)
    return None if wanted is None else wanted.of(found.numbers)


async def _answer(session: Session, found: SearchFound, wanted: PartialRange) -> None:
    numbers = wanted.of(found.numbers)
    sign = b"-" if wanted.from_end else b""
    session.respond(b" PARTIAL (%b%d:%b%d " % (sign, wanted.first, sign, wanted.last))
    if numbers:
        await respond_with_set(session, numbers, ordered=found.asked.order is not None)
    else:
        session.respond(b"NIL")
    session.respond(b")")


def _check(session: Session, asked: SearchAsked) -> None:
    if "ALL" in asked.returns:
        raise BadCommand("PARTIAL and ALL exclude each other")


PARTIAL = SearchReturn("PARTIAL", partial_range, _answer, check=_check)


async def _fetch(session: Session, request: FetchRequest, wanted: PartialRange) -> None:
    """Only the messages at these places, before other modifiers leave some out (RFC 9394 3.3, 3.4)."""
    if not request.uid:
        raise BadCommand("PARTIAL is for UID FETCH")
    places = wanted.of(await session.selected.indexes(request.asked.sequence, uid=True))
    indexes = request.indexes
    if not places:
        request.indexes = ()
        return
    request.indexes = indexes[bisect_left(indexes, places[0]) : bisect_right(indexes, places[-1])]
    most = session.limits.command_messages
    if most is not None and len(request.indexes) > most:
        raise RefusedWithCode(f"MESSAGELIMIT {most}", "Too many messages")


EXTENSION = Extension(
    "PARTIAL",
    capabilities=("PARTIAL",),
    search_returns=(PARTIAL,),
    fetch_modifiers=(FetchModifier("PARTIAL", partial_range, _fetch),),
)
