"""METADATA (RFC 5464): annotations of mailboxes and of the server."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mailproto.awaiting import settle
from mailproto.errors import InvalidAnnotation, NoPermission
from mailproto.imap.server._errors import BadCommand, RefusedWithCode
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._extensions._annotation_feed import FEED
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
    encode_mailbox,
    quoted_or_literal,
)
from mailproto.interfaces.add_ons import IAnnotations, IMailboxChanges
from mailproto.model import MailboxEntry

__all__ = ["EXTENSION", "SPECIAL_USE", "read_annotations", "read_entries", "render_entries", "render_use"]

ENTRIES: Final = 1000
"""The most entries of a command."""

_PAIRS_AT_ONCE: Final = 100
"""Entries in one response."""

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
    mailbox, depth = arguments.mailbox, arguments.options.get("DEPTH", 0)
    await session.wait_turn()  # they may be many
    found: dict[str, bytes | None] = dict.fromkeys(arguments.entries) if depth == 0 else {}
    found.update(await read_annotations(session, mailbox, arguments.entries, depth))
    if mailbox and _asks_for_use(arguments.entries, depth):
        found.update(await _special_use(session, mailbox))
    longest, most = 0, arguments.options.of(_MAXSIZE)
    if most is not None:
        long = {entry for entry, value in found.items() if value is not None and len(value) > most}
        longest = max((len(found.pop(entry) or b"") for entry in long), default=0)
    async for response in _responses(session, mailbox, found):
        session.respond(response)
        await session.flush()
    return b"[METADATA LONGENTRIES %d] GETMETADATA completed" % longest if longest else None


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


async def _responses(
    session: Session, mailbox: str, found: Mapping[str, bytes | None]
) -> AsyncIterator[bytes]:
    entries = list(found.items())
    async for some in session.in_batches(entries, _PAIRS_AT_ONCE):
        yield render_entries(mailbox, dict(some))


def render_entries(mailbox: str, values: Mapping[str, bytes | None]) -> bytes:
    """A METADATA response with values (RFC 5464 4.4.1)."""
    pairs = [b"%b %b" % (astring(entry), _value(value)) for entry, value in values.items()]
    return b"* METADATA %b (%b)\r\n" % (encode_mailbox(mailbox), b" ".join(pairs))


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
