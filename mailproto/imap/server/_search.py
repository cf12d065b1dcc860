"""SEARCH and UID SEARCH (RFC 9051 6.4.4, RFC 4731)."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mailproto.imap.server._conditions import Cost
from mailproto.imap.server._matching import compiled
from mailproto.imap.server._search_run import find
from mailproto.imap.wire import Command, Search, quoted_or_literal, set_pieces
from mailproto.message import Working

if TYPE_CHECKING:
    from mailproto.imap.server._server import IMAPServer

__all__ = ["search"]

_AT_ONCE = 10_000
"""How many numbers are written before they are sent, and others may have their turn: some 2 ms."""


async def search(server: IMAPServer, command: Command[Search]) -> None:
    """SEARCH: answer with the matching messages, even if there are none (RFC 3501 7.2.5)."""
    arguments = command.arguments
    await server.catch_up(expunges=command.uid)
    await server.wait_turn_for(len(server.selected.uids))
    compiling = Working(compiled(arguments.key, server.selected))
    for _ in compiling:
        await server.yield_turn()
    compiled_search = compiling.result
    if compiled_search.condition.cost > Cost.METADATA:
        async with server.factory.search_places.place(server):
            numbers = await find(server, compiled_search, uid=command.uid)
    else:
        numbers = await find(server, compiled_search, uid=command.uid)
    if arguments.returns is None:
        await _answer(server, numbers)
    else:
        await _answer_extended(server, command, numbers, arguments.returns)


async def _answer(server: IMAPServer, numbers: array[int]) -> None:
    """Send SEARCH (RFC 9051 E)."""
    server.respond(b"* SEARCH")
    for start in range(0, len(numbers), _AT_ONCE):
        server.respond(b"".join([b" %d" % number for number in numbers[start : start + _AT_ONCE]]))
        await _send_if_many(server, numbers)
    server.respond(b"\r\n")


async def _answer_extended(
    server: IMAPServer, command: Command[Search], numbers: array[int], returns: Sequence[str]
) -> None:
    """Send ESEARCH (RFC 4731 3.1): MIN, MAX and ALL are left out if nothing matches."""
    server.respond(
        b"* ESEARCH (TAG %b)%b" % (quoted_or_literal(command.tag), b" UID" if command.uid else b"")
    )
    if "MIN" in returns and numbers:
        server.respond(b" MIN %d" % numbers[0])
    if "MAX" in returns and numbers:
        server.respond(b" MAX %d" % numbers[-1])
    if "ALL" in returns and numbers:
        server.respond(b" ALL ")
        for piece in set_pieces(numbers, _AT_ONCE):
            server.respond(piece)
            await _send_if_many(server, numbers)
    if "COUNT" in returns:
        server.respond(b" COUNT %d" % len(numbers))
    server.respond(b"\r\n")


async def _send_if_many(server: IMAPServer, numbers: array[int]) -> None:
    """Send what was written so far, and wait while the client is slow; few numbers go with the OK."""
    if len(numbers) > _AT_ONCE:
        await server.flush()
