"""The arguments of commands on messages, except FETCH and SEARCH (RFC 9051 6.4)."""

from __future__ import annotations

import re

from mailproto.imap.wire._commands import Copy, Store, UidExpunge
from mailproto.imap.wire._cursor import Cursor
from mailproto.imap.wire._errors import IMAPWireError
from mailproto.imap.wire._flags import bare_flags, flag_list
from mailproto.model import FlagChange, FlagOperation

__all__ = ["copy", "store", "uid_expunge"]

_OPERATION = re.compile(rb"([+-]?+FLAGS)(\.SILENT)? ", re.IGNORECASE)
_OPERATIONS = {operation.value.encode("ascii"): operation for operation in FlagOperation}


def copy(cursor: Cursor) -> Copy:
    """``SP set SP mailbox``; MOVE is the same."""
    sequence = cursor.sequence_set()
    cursor.space()
    return Copy(sequence, cursor.mailbox())


def store(cursor: Cursor) -> Store:
    """``SP set [SP "(UNCHANGEDSINCE" SP modseq ")"] SP operation SP flags`` (RFC 7162 3.1.3)."""
    sequence = cursor.sequence_set()
    cursor.space()
    unchanged_since = _unchanged_since(cursor) if cursor.take(b"(") else None
    match = cursor.expect(_OPERATION, "FLAGS, +FLAGS or -FLAGS")
    parenthesised = cursor.text.startswith(b"(", cursor.position)
    flags = flag_list(cursor) if parenthesised else bare_flags(cursor)
    change = FlagChange(_OPERATIONS[match[1].upper()], flags)
    return Store(sequence, change, match[2] is not None, unchanged_since)


def _unchanged_since(cursor: Cursor) -> int:
    if cursor.atom() != "UNCHANGEDSINCE":
        raise IMAPWireError("Unknown modifier of STORE")
    cursor.space()
    modseq = cursor.number()
    cursor.close()
    cursor.space()
    return modseq


def uid_expunge(cursor: Cursor) -> UidExpunge:
    """``SP set`` (RFC 4315)."""
    return UidExpunge(cursor.sequence_set())
