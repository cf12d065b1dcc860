"""ESEARCH (RFC 4731): what SEARCH may return instead of all numbers."""

from __future__ import annotations

from mailproto.imap.server._extension import Extension
from mailproto.imap.server._options import SearchReturn
from mailproto.imap.server._requests import SearchFound
from mailproto.imap.server._search import respond_with_set
from mailproto.imap.server._session import Session
from mailproto.imap.wire import no_value

__all__ = ["EXTENSION"]


async def _min(session: Session, found: SearchFound, value: None) -> None:
    if found.numbers:
        session.respond(b" MIN %d" % found.numbers[0])


async def _max(session: Session, found: SearchFound, value: None) -> None:
    if found.numbers:
        session.respond(b" MAX %d" % found.numbers[-1])


async def _all(session: Session, found: SearchFound, value: None) -> None:
    if found.numbers:
        session.respond(b" ALL ")
        await respond_with_set(session, found.numbers, ordered=found.asked.order is not None)


async def _count(session: Session, found: SearchFound, value: None) -> None:
    session.respond(b" COUNT %d" % len(found.numbers))


EXTENSION = Extension(
    "ESEARCH",
    capabilities=("ESEARCH",),
    # MIN, MAX and ALL are left out if nothing matches (RFC 4731 3.1).
    search_returns=(
        SearchReturn("MIN", no_value, _min),
        SearchReturn("MAX", no_value, _max),
        SearchReturn("ALL", no_value, _all),
        SearchReturn("COUNT", no_value, _count),
    ),
)
