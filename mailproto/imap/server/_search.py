"""SEARCH and UID SEARCH (RFC 9051 6.4.4, RFC 4731)."""

from __future__ import annotations

from array import array

from mailproto.connection.commands import State
from mailproto.imap.server._conditions import Cost
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._matching import SEARCH_KEYS, compiled
from mailproto.imap.server._registry import tables_of
from mailproto.imap.server._requests import SearchFound
from mailproto.imap.server._search_run import find
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec, Updates
from mailproto.imap.wire import Command, Options, Search, grammars, quoted_or_literal, set_pieces
from mailproto.message import Working

__all__ = ["SEARCH", "answer_extended", "respond_with_set"]

_AT_ONCE = 10_000
"""How many numbers are written before they are sent, and others may have their turn: some 2 ms."""


async def search(server: Session, command: Command[Search]) -> None:
    """SEARCH: answer with the matching messages, even if there are none (RFC 3501 7.2.5)."""
    arguments = command.arguments
    await server.catch_up(expunges=command.uid)
    tables = tables_of(server)
    await server.wait_turn_for(len(server.selected.uids))
    compiling = Working(compiled(arguments.key, server.selected, tables.search_conditions))
    for _ in compiling:
        await server.yield_turn()
    compiled_search = compiling.result
    if compiled_search.condition.cost > Cost.METADATA:
        async with server.factory.search_places.place(server):
            numbers = await find(server, compiled_search, uid=command.uid)
    else:
        numbers = await find(server, compiled_search, uid=command.uid)
    found = SearchFound(numbers, command.uid, command.tag, extended=arguments.returns is not None)
    more = b"".join([await tell(server, arguments.key, found) for tell in tables.on_search])
    if arguments.returns is None:
        await _answer(server, numbers, more)
    else:
        await answer_extended(server, found, arguments.returns, more)


async def _answer(server: Session, numbers: array[int], more: bytes) -> None:
    """Send SEARCH (RFC 9051 E)."""
    server.respond(b"* SEARCH")
    for start in range(0, len(numbers), _AT_ONCE):
        server.respond(b"".join([b" %d" % number for number in numbers[start : start + _AT_ONCE]]))
        await _send_if_many(server, numbers)
    server.respond(more + b"\r\n")


async def answer_extended(server: Session, found: SearchFound, returns: Options, more: bytes = b"") -> None:
    """Send ESEARCH (RFC 4731 3.1), with what each option tells.

    :param more: what it says in addition, with a space before it.
    """
    known = tables_of(server).search_returns
    chosen = [option for name, option in known.items() if name in returns]
    is_told = not all(option.is_silent for option in chosen)
    if is_told:
        server.respond(
            b"* ESEARCH (TAG %b)%b" % (quoted_or_literal(found.tag), b" UID" if found.uid else b"")
        )
    for option in chosen:
        await option.answer(server, found, returns[option.name])
    if is_told:
        server.respond(more + b"\r\n")


async def respond_with_set(server: Session, numbers: array[int]) -> None:
    """Write numbers as a set, in pieces; there is one at least."""
    for piece in set_pieces(numbers, _AT_ONCE):
        server.respond(piece)
        await _send_if_many(server, numbers)


async def _send_if_many(server: Session, numbers: array[int]) -> None:
    """Send what was written so far, and wait while the client is slow; few numbers go with the OK."""
    if len(numbers) > _AT_ONCE:
        await server.flush()


SEARCH = Extension(
    "SEARCH",
    commands=(CommandSpec("SEARCH", grammars.search, search, State.SELECTED, Updates.NO_EXPUNGES, uid=True),),
    search_keys=SEARCH_KEYS,
    search_names=grammars.SEARCH_NAMES,
    search_readers=grammars.SEARCH_READERS,
)
"""SEARCH, with the keys of RFC 3501."""
