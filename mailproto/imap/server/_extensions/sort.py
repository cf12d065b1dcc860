"""SORT and UID SORT (RFC 5256), with return options (ESORT, RFC 5267 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from mailproto.awaiting import settle
from mailproto.connection.commands import State
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._search import carry_out
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec, Updates
from mailproto.imap.wire import ArgumentReader, Command, IMAPWireError, Search, grammars
from mailproto.interfaces.add_ons import IFinding
from mailproto.model import SortKey, SortOrder

__all__ = ["DISPLAY", "EXTENSION"]

_CRITERIA = 20
"""How many criteria there may be."""

_KEYS = {key.value: key for key in SortKey}


@dataclass(frozen=True, slots=True)
class Sort:
    """The arguments of SORT."""

    program: Search
    orders: tuple[SortOrder, ...]


def _sort(arguments: ArgumentReader) -> Sort:
    """``[SP "RETURN (" options ")"] SP "(" criteria ")" SP charset 1*(SP key)``.

    Some have the options after the charset.
    """
    returns = grammars.search_returns(arguments)
    orders = _criteria(arguments)
    charset = grammars.search_charset(arguments)
    returns = returns or grammars.search_returns(arguments)
    return Sort(Search(charset, grammars.search_keys(arguments, charset), returns), orders)


def _criteria(arguments: ArgumentReader) -> tuple[SortOrder, ...]:
    orders: list[SortOrder] = []
    arguments.open()
    while not arguments.closes():
        word = arguments.atom()
        reverse = word == "REVERSE"
        key = _KEYS.get(arguments.atom() if reverse else word)
        if key is None:
            raise IMAPWireError("Unknown sort criterion")
        orders.append(SortOrder(key, reverse))
        if len(orders) > _CRITERIA:
            raise IMAPWireError("Too many sort criteria", code="LIMIT", bad=False)
    if not orders:
        raise IMAPWireError("Missing sort criterion")
    return tuple(orders)


async def sort(server: Session, command: Command[Sort]) -> None:
    """SORT: the messages that match, in an order."""
    arguments = command.arguments
    # The first of equal criteria decides; those that follow would only cost time.
    orders: dict[SortKey, SortOrder] = {}
    for order in arguments.orders:
        orders.setdefault(order.key, order)
    mailbox = cast(IFinding, server.selected.mailbox)

    async def ordered(uids: Sequence[int]) -> Sequence[int]:
        return await settle(mailbox.sort(uids, list(orders.values())))

    await carry_out(server, command, arguments.program, b"SORT", ordered)


EXTENSION = Extension(
    "SORT",
    capabilities=("SORT", "ESORT"),
    needs=frozenset({IFinding}),
    commands=(CommandSpec("SORT", _sort, sort, State.SELECTED, Updates.NO_EXPUNGES, uid=True),),
)

DISPLAY = Extension("SORT=DISPLAY", capabilities=("SORT=DISPLAY",), needs=frozenset({IFinding}))
"""The criteria DISPLAYFROM and DISPLAYTO (RFC 5957)."""
