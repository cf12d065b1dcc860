"""The arguments of commands on messages, except FETCH and SEARCH (RFC 9051 6.4)."""

from __future__ import annotations

import re

from mailproto.imap.wire._arguments import NO_OPTIONS, ArgumentReader
from mailproto.imap.wire._commands import Copy, Store, UidExpunge
from mailproto.imap.wire._flags import bare_flags, flag_list
from mailproto.model import FlagChange, FlagOperation

__all__ = ["copy", "store", "uid_expunge"]

_OPERATION = re.compile(rb"([+-]?+FLAGS)(\.SILENT)? ", re.IGNORECASE)
_OPERATIONS = {operation.value.encode("ascii"): operation for operation in FlagOperation}


def copy(arguments: ArgumentReader) -> Copy:
    """``SP set SP mailbox``; MOVE is the same."""
    sequence = arguments.sequence_set()
    arguments.space()
    return Copy(sequence, arguments.mailbox_here())


def store(arguments: ArgumentReader) -> Store:
    """``SP set [SP "(" modifiers ")"] SP operation SP flags`` (RFC 4466 2.5)."""
    sequence = arguments.sequence_set()
    modifiers = NO_OPTIONS
    if arguments.follows(b" ("):
        modifiers = arguments.options(arguments.syntax.store_modifiers, "modifier of STORE", least=1)
    arguments.space()
    match = arguments.expect(_OPERATION, "FLAGS, +FLAGS or -FLAGS")
    flags = flag_list(arguments) if arguments.follows(b"(") else bare_flags(arguments)
    change = FlagChange(_OPERATIONS[match[1].upper()], flags)
    return Store(sequence, change, match[2] is not None, modifiers)


def uid_expunge(arguments: ArgumentReader) -> UidExpunge:
    """``SP set`` (RFC 4315)."""
    return UidExpunge(arguments.sequence_set())
