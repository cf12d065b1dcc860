"""THREAD and UID THREAD (RFC 5256; REFS of draft-ietf-morg-inthread)."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass
from typing import cast

from mailproto.connection.commands import State
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._progress import working
from mailproto.imap.server._search import find_in, keys_of
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec, Updates
from mailproto.imap.server._view import MailboxView
from mailproto.imap.wire import ArgumentReader, Command, IMAPWireError, Search, grammars
from mailproto.interfaces.add_ons import IFinding
from mailproto.message import forest_pieces
from mailproto.model import ThreadAlgorithm

__all__ = ["EXTENSION"]

_AT_ONCE = 2000
"""Messages whose numbers are looked up before others may have their turn: some 1 ms."""

_OCTETS = 1 << 16
"""So much of the answer is sent before more of it is written."""

_ALGORITHMS = {algorithm.value: algorithm for algorithm in ThreadAlgorithm}


@dataclass(frozen=True, slots=True)
class Thread:
    """The arguments of THREAD."""

    algorithm: ThreadAlgorithm
    program: Search


def _thread(arguments: ArgumentReader) -> Thread:
    """``SP algorithm SP charset 1*(SP key)``."""
    algorithm = _ALGORITHMS.get(arguments.atom())
    if algorithm is None:
        raise IMAPWireError("Unknown threading algorithm")
    charset = grammars.search_charset(arguments)
    return Thread(algorithm, Search(charset, grammars.search_keys(arguments, charset)))


async def thread(server: Session, command: Command[Thread]) -> None:
    """THREAD: the messages that match, as threads."""
    arguments = command.arguments
    key = await keys_of(server, arguments.program)
    await server.catch_up(expunges=command.uid)
    view = server.selected
    uids = await find_in(server, view, key, uid=True)
    threads = None
    if uids:
        found = cast(IFinding, view.mailbox).thread(uids, arguments.algorithm)
        threads = await working(server, found, len(uids))
    server.respond(b"* THREAD")
    if threads is not None and threads.numbers:
        numbers = threads.numbers if command.uid else await _numbers(server, view, threads.numbers)
        await _answer(server, numbers, threads.depths)
    server.respond(b"\r\n")


async def _numbers(server: Session, view: MailboxView, uids: array[int]) -> array[int]:
    """The sequence numbers of messages; 0 stays 0."""
    numbers, known = array("I"), view.uids
    for start in range(0, len(uids), _AT_ONCE):
        some = uids[start : start + _AT_ONCE]
        numbers.extend([bisect_left(known, uid) + 1 if uid else 0 for uid in some])
        await server.yield_turn()
    return numbers


async def _answer(server: Session, numbers: array[int], depths: array[int]) -> None:
    octets = 1
    server.respond(b" ")
    for piece in forest_pieces(numbers, depths):
        server.respond(piece)
        octets += len(piece)
        if octets > _OCTETS:
            octets = 0
            await server.flush()
        else:
            await server.yield_turn()


EXTENSION = Extension(
    "THREAD",
    capabilities=("THREAD=ORDEREDSUBJECT", "THREAD=REFERENCES", "THREAD=REFS"),
    needs=frozenset({IFinding}),
    commands=(CommandSpec("THREAD", _thread, thread, State.SELECTED, Updates.NO_EXPUNGES, uid=True),),
)
