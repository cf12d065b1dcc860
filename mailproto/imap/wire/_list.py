"""The arguments of LIST, in the basic and the extended form (RFC 5258, RFC 5819, RFC 6154), and of LSUB."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mailproto.imap.wire._commands import List, Lsub
from mailproto.imap.wire._cursor import Cursor
from mailproto.imap.wire._errors import IMAPWireError
from mailproto.imap.wire._mailbox_commands import status_items

__all__ = ["list_mailboxes", "lsub"]

_SELECTION = re.compile(rb"\(([A-Za-z-]++(?: [A-Za-z-]++)*)?\) ")
_RETURN = re.compile(rb" RETURN \(", re.IGNORECASE)

_SELECTION_OPTIONS = frozenset(("SUBSCRIBED", "REMOTE", "RECURSIVEMATCH", "SPECIAL-USE"))
_RETURN_OPTIONS = frozenset(("SUBSCRIBED", "CHILDREN", "SPECIAL-USE", "STATUS"))


def list_mailboxes(cursor: Cursor) -> List:
    """``SP [selection SP] reference SP patterns [SP "RETURN" SP options]``."""
    cursor.space()
    selection = None
    if cursor.text.startswith(b"(", cursor.position):
        selection = _selection(cursor)
    reference = cursor.reference()
    cursor.space()
    several = cursor.take(b"(")
    patterns = [cursor.list_mailbox()]
    if several:
        while not cursor.take(b")"):
            cursor.space()
            patterns.append(cursor.list_mailbox())
    returns, items = _returns(cursor) if cursor.match(_RETURN) else (None, ())
    return List(
        *_possible(reference, patterns),
        selection or frozenset(),
        returns or (),
        items,
        extended=several or selection is not None or returns is not None,
    )


def lsub(cursor: Cursor) -> Lsub:
    """``SP mailbox SP list-mailbox``."""
    cursor.space()
    reference = cursor.reference()
    cursor.space()
    return Lsub(*_possible(reference, [cursor.list_mailbox()]))


def _possible(reference: str | None, patterns: Iterable[str | None]) -> tuple[str, tuple[str, ...]]:
    """The reference, and those of the patterns that a mailbox can match."""
    if reference is None:
        return "", ()
    return reference, tuple(pattern for pattern in patterns if pattern is not None)


def _selection(cursor: Cursor) -> frozenset[str]:
    match = cursor.expect(_SELECTION, "selection options")
    options = frozenset((match[1] or b"").decode("ascii").upper().split())
    if not options <= _SELECTION_OPTIONS:
        raise IMAPWireError("Unknown selection option")
    if "RECURSIVEMATCH" in options and "SUBSCRIBED" not in options:
        # RFC 5258 6: RECURSIVEMATCH needs another option that selects mailboxes; here that is SUBSCRIBED.
        raise IMAPWireError("RECURSIVEMATCH needs SUBSCRIBED")
    return options


def _returns(cursor: Cursor) -> tuple[tuple[str, ...], tuple[str, ...]]:
    options: dict[str, None] = {}
    items: tuple[str, ...] = ()
    while not cursor.take(b")"):
        if options:
            cursor.space()
        option = cursor.atom()
        if option not in _RETURN_OPTIONS:
            raise IMAPWireError("Unknown return option")
        if option == "STATUS":
            cursor.space()
            items = status_items(cursor)
        options[option] = None
    return tuple(options), items
