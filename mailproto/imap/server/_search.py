"""SEARCH and UID SEARCH (RFC 9051 6.4.4, RFC 4731), and what commands like them share."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from itertools import compress
from typing import Any

from mailproto.connection.commands import State
from mailproto.errors import MailError
from mailproto.imap.server._conditions import Cost
from mailproto.imap.server._errors import BadCharset
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._matching import SEARCH_KEYS, compiled, mentions
from mailproto.imap.server._message_limit import completed, searched
from mailproto.imap.server._options import SearchReturn
from mailproto.imap.server._registry import tables_of
from mailproto.imap.server._requests import Ordering, SearchAsked, SearchFound
from mailproto.imap.server._search_run import find
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec, Updates
from mailproto.imap.server._view import MailboxView
from mailproto.imap.wire import (
    NO_OPTIONS,
    Command,
    Numbers,
    Options,
    Search,
    SearchKey,
    grammars,
    ordered_set_pieces,
    quoted_or_literal,
    set_pieces,
)
from mailproto.message import Working

__all__ = [
    "ALL",
    "SEARCH",
    "answer_extended",
    "answer_with_numbers",
    "carry_out",
    "find_in",
    "finish_answer",
    "indexes_in",
    "keys_of",
    "look_for",
    "numbers_in",
    "respond_with_set",
]

ALL = Options({"ALL": None})
"""What is told if nothing else is asked for."""

_AT_ONCE = 10_000
"""How many numbers are written before they are sent, and others may have their turn: some 2 ms."""

_LOOKED_UP_AT_ONCE = 2000
"""Messages whose numbers are looked up before others may have their turn: some 1 ms."""


ALL = Options({"ALL": None})
"""What is returned if nothing else is asked for."""


async def search(server: Session, command: Command[Search]) -> bytes | None:
    """SEARCH: answer with the matching messages, even if there are none (RFC 3501 7.2.5)."""
    return await carry_out(server, command, command.arguments)


async def carry_out(
    server: Session,
    command: Command[Any],
    program: Search,
    name: bytes = b"SEARCH",
    order: Ordering | None = None,
) -> bytes | None:
    """Look in the selected mailbox, and answer.

    :param name: of the answer, if it has no options.
    :returns: the text of the tagged OK, or None.
    """
    returns = program.returns
    if returns is None and name == b"SEARCH" and server.manner.extended:
        returns = ALL  # RFC 9051 E, 4
    is_extended = returns is not None
    returns = returns or NO_OPTIONS
    chosen = _chosen(server, returns)
    try:
        key = await keys_of(server, program)
        asked = SearchAsked(command.tag, server.selected, key, command.uid, returns, order)
        for option in chosen:
            if option.check is not None:
                option.check(server, asked)
        # A UID command may tell of expunges; but then its numbers would mean other messages
        # (RFC 7162 3.2.10.2).
        server.holds_expunges = mentions(key, lambda each: isinstance(each, Numbers))
        await server.catch_up(expunges=command.uid)
        code = b""
        if order is None:  # what is sorted has an index
            within, code = await searched(server, asked.view, key)
            asked = replace(asked, within=within) if code else asked
        numbers = await look_for(server, asked)
        found = SearchFound(asked, numbers, extended=is_extended)
        more = b"".join([await tell(server, key, found) for tell in tables_of(server).on_search])
        if found.extended:
            await answer_extended(server, found, more)
        else:
            await answer_with_numbers(server, name, numbers, more)
        return completed(server, code, command.full_name, None)
    except MailError:
        for option in chosen:
            if option.refused is not None:
                option.refused(server)
        raise


async def keys_of(server: Session, program: Search) -> SearchKey:
    """The keys that are looked for.

    :raises BadCharset: they are in a charset that is not supported.
    """
    if program.charset is not None and program.charset not in grammars.SEARCH_CHARSETS:
        raise BadCharset
    key = program.key
    for resolve in tables_of(server).on_search_keys:
        key = await resolve(server, key)
    return key


async def look_for(server: Session, asked: SearchAsked) -> Sequence[int]:
    """The numbers of what is found, in the requested order."""
    if asked.order is None:
        return await find_in(server, asked.view, asked.key, uid=asked.uid, within=asked.within)
    uids: Sequence[int] = await find_in(server, asked.view, asked.key, uid=True)
    if uids:
        uids = await asked.order(asked, uids)
    return uids if asked.uid else await numbers_in(server.yield_turn, asked.view, uids)


async def find_in(
    server: Session, view: MailboxView, key: SearchKey, *, uid: bool, within: Sequence[int] | None = None
) -> array[int]:
    """The sequence numbers, or UIDs, of the messages that match, in ascending order.

    :param within: the indexes of the messages that are tested; None for all of the view.
    """
    await server.wait_turn_for(len(view.uids if within is None else within))
    for resolve in tables_of(server).on_keys_in:
        key = await resolve(server, view, key)
    compiling = Working(compiled(key, view, tables_of(server).search_conditions))
    for _ in compiling:
        await server.yield_turn()
    compiled_search = compiling.result
    if compiled_search.condition.cost > Cost.METADATA:
        async with server.factory.search_places.place(server):
            return await find(server, compiled_search, uid=uid, within=within)
    return await find(server, compiled_search, uid=uid, within=within)


async def numbers_in(
    pause: Callable[[], Awaitable[None]], view: MailboxView, uids: Sequence[int]
) -> array[int]:
    """The sequence numbers of messages of a view, in their order."""
    numbers = array("I")
    known = view.uids
    for start in range(0, len(uids), _LOOKED_UP_AT_ONCE):
        numbers.extend([bisect_left(known, uid) + 1 for uid in uids[start : start + _LOOKED_UP_AT_ONCE]])
        await pause()
    return numbers


async def indexes_in(
    pause: Callable[[], Awaitable[None]], view: MailboxView, numbers: Sequence[int], *, uid: bool
) -> array[int]:
    """The indexes of messages of a view, ascending.

    :param numbers: sequence numbers, or UIDs if ``uid``, in any order.
    """
    known, indexes = view.uids, array("I")
    marks = bytearray(len(known))
    for start in range(0, len(numbers), _LOOKED_UP_AT_ONCE):
        some = numbers[start : start + _LOOKED_UP_AT_ONCE]
        for at in [bisect_left(known, each) for each in some] if uid else [each - 1 for each in some]:
            marks[at] = 1
        await pause()
    for start in range(0, len(marks), _LOOKED_UP_AT_ONCE):
        stop = start + _LOOKED_UP_AT_ONCE
        indexes.extend(compress(range(start, stop), marks[start:stop]))
        await pause()
    return indexes


async def answer_with_numbers(
    server: Session, name: bytes, numbers: Sequence[int], more: bytes = b""
) -> None:
    """Send SEARCH or SORT (RFC 9051 E, RFC 5256 4)."""
    server.respond(b"* " + name)
    for start in range(0, len(numbers), _AT_ONCE):
        server.respond(b"".join([b" %d" % number for number in numbers[start : start + _AT_ONCE]]))
        await _send_if_many(server, numbers)
    server.respond(more + b"\r\n")


async def answer_extended(server: Session, found: SearchFound, more: bytes = b"", where: bytes = b"") -> None:
    """Send ESEARCH (RFC 4731 3.1), with what each option tells.

    :param more: what it says in addition, with a space before it.
    :param where: what it says of the mailbox, likewise.
    """
    chosen = _chosen(server, found.returns)
    for option in chosen:
        if option.prepare is not None:
            found.prepared[option.name] = await option.prepare(server, found, found.returns[option.name])
    is_told = not all(option.is_silent for option in chosen)
    if is_told:
        tag = quoted_or_literal(found.tag)
        server.respond(b"* ESEARCH (TAG %b%b)%b" % (tag, where, b" UID" if found.uid else b""))
    for option in chosen:
        await option.answer(server, found, found.returns[option.name])
    if is_told:
        server.respond(more + b"\r\n")
    await finish_answer(server, found)


async def finish_answer(server: Session, found: SearchFound) -> None:
    """Let options do what they do after the answer."""
    for option in _chosen(server, found.returns):
        if option.finish is not None:
            await option.finish(server, found, found.returns[option.name])


def _chosen(server: Session, returns: Options) -> list[SearchReturn[Any]]:
    return [option for name, option in tables_of(server).search_returns.items() if name in returns]


async def respond_with_set(server: Session, numbers: Sequence[int], *, ordered: bool = False) -> None:
    """Write numbers as a set, in pieces; there is one at least.

    :param ordered: whether they have another order than that of the mailbox.
    """
    pieces: Callable[[Sequence[int], int], Iterator[bytes]] = ordered_set_pieces if ordered else set_pieces
    for piece in pieces(numbers, _AT_ONCE):
        server.respond(piece)
        await _send_if_many(server, numbers)


async def _send_if_many(server: Session, numbers: Sequence[int]) -> None:
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
