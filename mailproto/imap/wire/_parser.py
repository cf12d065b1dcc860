"""Parsing a command's text into a `Command`, by a table of grammars."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from mailproto.imap.wire._argument_reader import own_arguments
from mailproto.imap.wire._commands import Arguments
from mailproto.imap.wire._cursor import Cursor, LiteralWanted
from mailproto.imap.wire._errors import IMAPWireError
from mailproto.imap.wire._events import Command
from mailproto.imap.wire._fetch import fetch
from mailproto.imap.wire._limits import IMAPWireLimits
from mailproto.imap.wire._list import list_mailboxes, lsub
from mailproto.imap.wire._mailbox_commands import append, create, mailbox_name, rename, select, status
from mailproto.imap.wire._message_commands import copy, store, uid_expunge
from mailproto.imap.wire._search import search
from mailproto.imap.wire._session_commands import authenticate, enable, identify, login, no_arguments

__all__ = ["GRAMMARS", "NAMES", "Grammars", "grammars_with", "parse_command", "read_tag"]

# RFC 3501 9: a tag is made of ASTRING-CHARs without "+".
_TAG = re.compile(
    rb'([^\x00-\x20\x7f-\xff(){%*"\\+]++)(?: ((?:UID )?[A-Za-z][A-Za-z0-9.\-_]*+))?', re.IGNORECASE
)

_GRAMMARS: dict[bytes, Callable[[Cursor], Arguments]] = {
    b"CAPABILITY": no_arguments,
    b"NOOP": no_arguments,
    b"LOGOUT": no_arguments,
    b"ID": identify,
    b"STARTTLS": no_arguments,
    b"AUTHENTICATE": authenticate,
    b"LOGIN": login,
    b"ENABLE": enable,
    b"SELECT": select,
    b"EXAMINE": select,
    b"CREATE": create,
    b"DELETE": mailbox_name,
    b"RENAME": rename,
    b"SUBSCRIBE": mailbox_name,
    b"UNSUBSCRIBE": mailbox_name,
    b"LIST": list_mailboxes,
    b"LSUB": lsub,
    b"NAMESPACE": no_arguments,
    b"STATUS": status,
    b"APPEND": append,
    b"IDLE": no_arguments,
    b"CHECK": no_arguments,
    b"CLOSE": no_arguments,
    b"UNSELECT": no_arguments,
    b"EXPUNGE": no_arguments,
    b"SEARCH": search,
    b"FETCH": fetch,
    b"STORE": store,
    b"COPY": copy,
    b"MOVE": copy,
    b"UID EXPUNGE": uid_expunge,
    b"UID SEARCH": search,
    b"UID FETCH": fetch,
    b"UID STORE": store,
    b"UID COPY": copy,
    b"UID MOVE": copy,
}
Grammars: TypeAlias = Mapping[bytes, tuple[str, bool, Callable[[Cursor], Any]]]
"""The commands that a wire reads, by their name in upper case: `Command.name`, ``uid``, and the grammar."""

GRAMMARS: Grammars = {
    name: (name.removeprefix(b"UID ").decode("ascii"), name.startswith(b"UID "), grammar)
    for name, grammar in _GRAMMARS.items()
}
"""The commands that are built in."""

NAMES = frozenset(name for name, _, _ in GRAMMARS.values())
"""Their names."""


def grammars_with(names: Iterable[str]) -> Grammars:
    """`GRAMMARS`, and commands whose arguments are an `ArgumentReader`; these replace built-in ones."""
    own = {name.encode("ascii"): (name, False, own_arguments) for name in names}
    return {**GRAMMARS, **own} if own else GRAMMARS


def read_tag(text: bytes) -> str | None:
    """The tag at the beginning of ``text``; None if there is none, or if its end is missing."""
    match = _TAG.match(text)
    if match is None or text[match.end(1) : match.end(1) + 1] not in (b" ", b"\r", b"\n"):
        return None
    return match[1].decode("ascii")


def parse_command(
    text: bytes,
    literals: Sequence[bytes],
    *,
    limits: IMAPWireLimits,
    utf8: bool,
    grammars: Grammars = GRAMMARS,
) -> Command[Any]:
    """Parse a command.

    :param text: the command's lines without the last CRLF; or its beginning, up to the announcement
        of a literal that is not in ``literals`` yet.
    :raises LiteralWanted: in the second case, if the text is valid so far; it has tag and name.
    :raises IMAPWireError: the text is not valid; it has the tag, if there is one.
    """
    match = _TAG.match(text)
    if match is None or text[match.end(1) : match.end(1) + 1] not in (b" ", b""):
        raise IMAPWireError("Expected a tag")
    tag = match[1].decode("ascii")
    try:
        name, uid, grammar = grammars[(match[2] or b"").upper()]
    except KeyError:
        raise IMAPWireError("Unknown command" if match[2] else "Expected a command", tag=tag) from None
    cursor = Cursor(text, literals, match.end(), limits=limits, utf8=utf8)
    try:
        arguments = grammar(cursor)
        if grammar is not own_arguments:
            cursor.end()
    except IMAPWireError as error:
        error.tag = tag
        raise
    except LiteralWanted as wanted:
        wanted.tag, wanted.name = tag, name
        raise
    return Command(tag, name, uid, arguments)
