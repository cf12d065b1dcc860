"""METADATA (RFC 5464): annotations of mailboxes and of the server."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mailproto.awaiting import settle
from mailproto.errors import InvalidAnnotation, NoPermission
from mailproto.imap.server._errors import BadCommand, RefusedWithCode
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._extensions._annotation_feed import FEED
from mailproto.imap.server._keeping import PerServer
from mailproto.imap.server._places import Places
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec
from mailproto.imap.wire import (
    NO_OPTIONS,
    ArgumentReader,
    Command,
    IMAPWireError,
    Option,
    Options,
    astring,
    quoted_or_literal,
)
from mailproto.interfaces.add_ons import IAnnotations, IMailboxChanges
from mailproto.model import MailboxEntry

__all__ = [
    "ENTRIES_AT_ONCE",
    "EXTENSION",
    "SPECIAL_USE",
    "read_annotations",
    "read_entries",
    "render_entries",
    "render_use",
]

ENTRIES: Final = 1000
"""The most entries of a command."""

ENTRIES_AT_ONCE: Final = 10
"""Entries in one response: their values may have half a megabyte."""

_SESSIONS: Final = 4
"""So many sessions of an account read what is below an entry: that may be all annotations that it has."""

_PLACES = PerServer(lambda factory: Places(factory.clock, _SESSIONS))

SPECIAL_USE: Final = "/private/specialuse"
"""The entry that tells a mailbox's special use (RFC 6154 4)."""


@dataclass(frozen=True, slots=True)
class Get:
    """GETMETADATA.

    :ivar mailbox: "" for the server's annotations.
    """

    mailbox: str
    entries: tuple[str, ...]
    options: Options


@dataclass(frozen=True, slots=True)
class Set:
    """SETMETADATA; None removes an entry."""

    mailbox: str
    values: Mapping[str, bytes | None]


_DEPTHS: Mapping[bytes, int | None] = {b"0": 0, b"1": 1, b"INFINITY": None}


def _depth(arguments: ArgumentReader) -> int | None:
    try:
        return _DEPTHS[arguments.astring().upper()]
    except KeyError:
        raise IMAPWireError("DEPTH is 0, 1 or infinity") from None


_MAXSIZE = Option("MAXSIZE", ArgumentReader.number)
_DEPTH = Option("DEPTH", _depth)
_OPTIONS: Mapping[str, Option[Any]] = {"MAXSIZE": _MAXSIZE, "DEPTH": _DEPTH}
_OPTIONS_FOLLOW = re.compile(rb' \((?!["/{])')


def _get(arguments: ArgumentReader) -> Get:
    """``[SP options] SP mailbox [SP options] SP entries``: the examples of RFC 5464 have the options in the
    second place, and entries without parentheses."""
    options = arguments.options(_OPTIONS, "option", least=1) if arguments.follows(b" (") else NO_OPTIONS
    mailbox = arguments.mailbox()
    if not options and _OPTIONS_FOLLOW.match(arguments.octets, arguments.position):
        options = arguments.options(_OPTIONS, "option", least=1)
    entries = list(read_entries(arguments, ENTRIES))
    while arguments.follows(b" ") and not arguments.at_end():
        entries.append(_one_more(arguments, entries, ENTRIES))
    return Get(mailbox, tuple(dict.fromkeys(entries)), options)


def read_entries(arguments: ArgumentReader, most: int) -> tuple[str, ...]:
    """``SP (entry / "(" entry *(SP entry) ")")``, each of them once and in lower case."""
    if not arguments.follows(b" ("):
        return (arguments.text().lower(),)
    arguments.open()
    entries: list[str] = []
    while not arguments.closes():
        entries.append(_one_more(arguments, entries, most))
    if not entries:
        raise IMAPWireError("Missing entry")
    return tuple(dict.fromkeys(entries))


def _one_more(arguments: ArgumentReader, entries: Collection[str], most: int) -> str:
    if len(entries) == most:
        raise IMAPWireError("Too many entries", code="LIMIT", bad=False)
    return arguments.text().lower()


def _set(arguments: ArgumentReader) -> Set:
    """``SP mailbox SP "(" entry SP value *(SP entry SP value) ")"``."""
    mailbox = arguments.mailbox()
    values: dict[str, bytes | None] = {}
    arguments.open()
    while not arguments.closes():
        entry = _one_more(arguments, values, ENTRIES)
        values[entry] = arguments.binary()
    if not values:
        raise IMAPWireError("Missing entry")
    return Set(mailbox, values)


async def get_metadata(session: Session, command: Command[Get]) -> bytes | None:
    """GETMETADATA (RFC 5464 4.2); an entry that was asked for and has no value is NIL."""
    arguments = command.arguments
    most = arguments.options.of(_MAXSIZE)
    depth = arguments.options.get("DEPTH", 0)
    await session.wait_turn()  # they may be many
    longest = 0
    if depth != 0:
        async with _PLACES.of(session).place(session):
            values = await _values(session, arguments.mailbox, arguments.entries, depth)
            longest = await _tell(session, arguments.mailbox, values, most)
    else:
        async for some in session.in_batches(arguments.entries, ENTRIES_AT_ONCE):
            values = dict.fromkeys(some) | await _values(session, arguments.mailbox, some)
            longest = max(longest, await _tell(session, arguments.mailbox, values, most))
    return b"[METADATA LONGENTRIES %d] GETMETADATA completed" % longest if longest else None


async def _values(
    session: Session, mailbox: str, entries: Sequence[str], depth: int | None = 0
) -> dict[str, bytes | None]:
    values: dict[str, bytes | None] = {**await read_annotations(session, mailbox, entries, depth)}
    if mailbox and _asks_for_use(entries, depth):
        values.update(await _special_use(session, mailbox))
    return values


async def _tell(session: Session, mailbox: str, values: Mapping[str, bytes | None], most: int | None) -> int:
    """Tell the values that have at most so many octets.

    :returns: the octets of the longest one that is left out; 0 if there is none.
    """
    long = set()
    if most is not None:
        long = {entry for entry, value in values.items() if value is not None and len(value) > most}
    told = [(entry, value) for entry, value in values.items() if entry not in long]
    async for some in session.in_batches(told, ENTRIES_AT_ONCE):
        session.respond(render_entries(session, mailbox, dict(some)))
        await session.flush()
    return max((len(values[entry] or b"") for entry in long), default=0)


async def read_annotations(
    session: Session, mailbox: str, entries: Sequence[str], depth: int | None = 0
) -> Mapping[str, bytes]:
    """The values of entries.

    :raises BadCommand: a name cannot be that of an annotation.
    """
    try:
        return await settle(_account(session).annotations(mailbox, entries, depth))
    except InvalidAnnotation as error:
        raise BadCommand(error.text) from None


def _account(session: Session) -> IAnnotations:
    account = session.signed_in
    if not IAnnotations.providedBy(account):
        raise NoPermission
    return account


def _asks_for_use(entries: Collection[str], depth: int | None) -> bool:
    return SPECIAL_USE in entries or (depth != 0 and SPECIAL_USE.rpartition("/")[0] in entries)


async def _special_use(session: Session, mailbox: str) -> dict[str, bytes]:
    async for some in session.in_batches(await settle(session.signed_in.list())):
        for entry in some:
            if entry.name == mailbox and entry.special_use:
                return {SPECIAL_USE: render_use(entry)}
    return {}


def render_use(entry: MailboxEntry) -> bytes:
    """The value of `SPECIAL_USE`."""
    return " ".join(sorted(entry.special_use)).encode("ascii")


def render_entries(session: Session, mailbox: str, values: Mapping[str, bytes | None]) -> bytes:
    """A METADATA response with values (RFC 5464 4.4.1)."""
    pairs = [b"%b %b" % (astring(entry), _value(value)) for entry, value in values.items()]
    return b"* METADATA %b (%b)\r\n" % (session.encoded(mailbox), b" ".join(pairs))


def _value(value: bytes | None) -> bytes:
    if value is None:
        return b"NIL"
    if b"\0" in value:
        return b"~{%d}\r\n%b" % (len(value), value)
    return quoted_or_literal(value)


async def set_metadata(session: Session, command: Command[Set]) -> None:
    """SETMETADATA (RFC 5464 4.3): all of the entries are changed, or none."""
    mailbox, values = command.arguments.mailbox, command.arguments.values
    if mailbox and SPECIAL_USE in values:
        raise RefusedWithCode("CANNOT", "The special use of a mailbox cannot be changed")
    try:
        await settle(_account(session).annotate(mailbox, values))
    except InvalidAnnotation as error:
        raise BadCommand(error.text) from None
    await FEED.of(session).tell(mailbox, values)


async def _enable(session: Session) -> None:
    FEED.of(session).begin(session)


EXTENSION = Extension(
    "METADATA",
    capabilities=("METADATA",),
    needs=frozenset({IAnnotations, IMailboxChanges}),
    enables={"METADATA": _enable},
    commands=(
        CommandSpec("GETMETADATA", _get, get_metadata),
        CommandSpec("SETMETADATA", _set, set_metadata),
    ),
)
