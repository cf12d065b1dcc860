"""SORT and UID SORT (RFC 5256), with return options (ESORT, RFC 5267 3)."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from typing import cast

from mailproto.connection.commands import State
from mailproto.imap.server._errors import BadCommand
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._progress import working
from mailproto.imap.server._relevancy import is_fuzzy, scores
from mailproto.imap.server._requests import SearchAsked
from mailproto.imap.server._search import carry_out
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec, Updates
from mailproto.imap.wire import ArgumentReader, Command, IMAPWireError, Search, grammars
from mailproto.interfaces.add_ons import IFinding
from mailproto.model import SortKey, SortOrder

__all__ = ["DISPLAY", "EXTENSION"]

_CRITERIA = 20
"""How many criteria there may be."""

_AT_ONCE = 2000
"""Messages that are looked at before others may have their turn: some 1 ms."""

_KEYS = {key.value: key for key in SortKey}


@dataclass(frozen=True, slots=True)
class Sort:
    """The arguments of SORT.

    :ivar relevancy: whether the most relevant messages come first, or last (False); None if that is no
        criterion.  It comes before the others.
    """

    program: Search
    orders: tuple[SortOrder, ...]
    relevancy: bool | None = None


def _sort(arguments: ArgumentReader) -> Sort:
    """``[SP "RETURN (" options ")"] SP "(" criteria ")" SP charset 1*(SP key)``.

    Some have the options after the charset.
    """
    returns = grammars.search_returns(arguments)
    orders, relevancy = _criteria(arguments)
    charset = grammars.search_charset(arguments)
    returns = returns or grammars.search_returns(arguments)
    return Sort(Search(charset, grammars.search_keys(arguments, charset), returns), orders, relevancy)


def _criteria(arguments: ArgumentReader) -> tuple[tuple[SortOrder, ...], bool | None]:
    orders: list[SortOrder] = []
    relevancy: bool | None = None
    arguments.open()
    while not arguments.closes():
        word = arguments.atom()
        reverse = word == "REVERSE"
        word = arguments.atom() if reverse else word
        if word == "RELEVANCY":
            if orders:
                raise IMAPWireError("RELEVANCY must be the first criterion", code="CANNOT", bad=False)
            relevancy = not reverse if relevancy is None else relevancy
            continue
        key = _KEYS.get(word)
        if key is None:
            raise IMAPWireError("Unknown sort criterion")
        orders.append(SortOrder(key, reverse))
        if len(orders) > _CRITERIA:
            raise IMAPWireError("Too many sort criteria", code="LIMIT", bad=False)
    if not orders and relevancy is None:
        raise IMAPWireError("Missing sort criterion")
    return tuple(orders), relevancy


async def sort(server: Session, command: Command[Sort]) -> None:
    """SORT: the messages that match, in an order."""
    arguments = command.arguments
    # The first of equal criteria decides; those that follow would only cost time.
    orders: dict[SortKey, SortOrder] = {}
    for order in arguments.orders:
        orders.setdefault(order.key, order)
    mailbox = cast(IFinding, server.selected.mailbox)

    async def ordered(asked: SearchAsked, uids: Sequence[int]) -> Sequence[int]:
        if orders:
            uids = await working(server, mailbox.sort(uids, list(orders.values())), len(uids))
        if arguments.relevancy is None:
            return uids
        return await _by_relevancy(server, asked, uids, not arguments.relevancy)

    if arguments.relevancy is not None and not is_fuzzy(arguments.program.key):
        raise BadCommand("RELEVANCY without FUZZY")
    await carry_out(server, command, arguments.program, b"SORT", ordered)


async def _by_relevancy(
    server: Session, asked: SearchAsked, uids: Sequence[int], reverse: bool
) -> Sequence[int]:
    """Messages by their scores; those with the same score stay in their order."""
    found = await scores(server, asked.view, asked.key, uids, uid=True)
    ordered = array("I")
    for score in sorted(set(found), reverse=not reverse):
        for start in range(0, len(uids), _AT_ONCE):
            stop = start + _AT_ONCE
            chosen = [each == score for each in found[start:stop]]
            ordered.extend(compress(uids[start:stop], chosen))
            await server.yield_turn()
    return ordered


EXTENSION = Extension(
    "SORT",
    capabilities=("SORT", "ESORT"),
    needs=frozenset({IFinding}),
    commands=(CommandSpec("SORT", _sort, sort, State.SELECTED, Updates.NO_EXPUNGES, uid=True),),
)

DISPLAY = Extension("SORT=DISPLAY", capabilities=("SORT=DISPLAY",), needs=frozenset({IFinding}))
"""The criteria DISPLAYFROM and DISPLAYTO (RFC 5957)."""
