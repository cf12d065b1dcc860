"""The arguments of commands about mailboxes (RFC 3501 6.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mailproto.imap.wire._arguments import NO_OPTIONS, ArgumentReader, Option, Options, Steps, Upload
from mailproto.imap.wire._commands import (
    Append,
    AppendMessage,
    Create,
    Literal,
    MailboxName,
    Rename,
    Select,
    Status,
)
from mailproto.imap.wire._dates import zoned_date_time
from mailproto.imap.wire._errors import IMAPWireError
from mailproto.imap.wire._flags import flag_list

__all__ = [
    "append",
    "append_message",
    "create",
    "mailbox_name",
    "rename",
    "select",
    "special_use",
    "status",
    "status_items",
]

_USES = re.compile(rb"\((\\[A-Za-z]++(?: \\[A-Za-z]++)*)?\)")
_STATUS_ITEMS = re.compile(rb"\(([A-Za-z-]++(?: [A-Za-z-]++)*) ?+\)")
_DATA = re.compile(rb"~|[A-Za-z0-9]++(?= )")
"""The first word of what stands for a message: ``~`` of a literal8, or a word such as CATENATE."""

_SPECIAL_USES = {
    use.upper(): use
    for use in ("\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Important", "\\Junk", "\\Sent", "\\Trash")
}


def mailbox_name(arguments: ArgumentReader) -> MailboxName:
    """``SP mailbox``."""
    arguments.space()
    return MailboxName(arguments.mailbox_here())


def select(arguments: ArgumentReader) -> Select:
    """``SP mailbox [SP "(" parameters ")"]`` (RFC 4466 2.4)."""
    mailbox = arguments.mailbox()
    return Select(mailbox, _parameters(arguments, arguments.syntax.select_parameters))


def create(arguments: ArgumentReader) -> Create:
    """``SP mailbox [SP "(" parameters ")"]`` (RFC 4466 2.2)."""
    mailbox = arguments.mailbox()
    return Create(mailbox, _parameters(arguments, arguments.syntax.create_parameters))


def _parameters(arguments: ArgumentReader, table: Mapping[str, Option[Any]]) -> Options:
    return arguments.options(table, "parameter", least=1) if arguments.follows(b" (") else NO_OPTIONS


def special_use(arguments: ArgumentReader) -> str | None:
    """``SP "(" attribute ")"``, the value of CREATE's USE (RFC 6154 3)."""
    arguments.space()
    match = arguments.expect(_USES, "a special use")
    uses = match[1].decode("ascii").split() if match[1] else []
    if len(uses) > 1:
        raise IMAPWireError("A mailbox can have one special use only", code="USEATTR", bad=False)
    return _SPECIAL_USES.get(uses[0].upper(), uses[0]) if uses else None


def rename(arguments: ArgumentReader) -> Rename:
    """``SP mailbox SP mailbox``."""
    arguments.space()
    old = arguments.mailbox_here()
    arguments.space()
    return Rename(old, arguments.mailbox_here())


def status(arguments: ArgumentReader) -> Status:
    """``SP mailbox SP "(" items ")"``."""
    arguments.space()
    mailbox = arguments.mailbox_here()
    arguments.space()
    return Status(mailbox, status_items(arguments))


def status_items(arguments: ArgumentReader) -> tuple[str, ...]:
    """The items of STATUS (RFC 9051 6.3.11, RFC 7162 3.1.7), none twice."""
    match = arguments.expect(_STATUS_ITEMS, "a list of status items")
    items = dict.fromkeys(match[1].decode("ascii").upper().split())
    if not items.keys() <= arguments.syntax.status_items:
        raise IMAPWireError("Unknown status item")
    return tuple(items)


def append(arguments: ArgumentReader) -> Steps[Append]:
    """``SP mailbox 1*(SP message)``, for `Streamed`; see `append_message`."""
    mailbox = yield from arguments.wait(arguments.mailbox)
    messages: list[AppendMessage] = []
    while True:
        if len(messages) == arguments.syntax.append_messages:
            text = "APPEND takes one message" if len(messages) == 1 else "Too many messages"
            raise IMAPWireError(text, code="" if len(messages) == 1 else "LIMIT", bad=len(messages) == 1)
        messages.append((yield from append_message(arguments, mailbox)))
        if not arguments.follows(b" ") or arguments.at_end():
            return Append(mailbox, tuple(messages))


def append_message(arguments: ArgumentReader, mailbox: str) -> Steps[AppendMessage]:
    """``[SP flags] [SP date-time] SP (literal / data of an extension)`` (RFC 4466 2.3)."""
    flags: frozenset[str] = frozenset()
    if arguments.follows(b" ("):
        arguments.space()
        flags = flag_list(arguments)
    internal_date, zone = None, 0
    if arguments.follows(b' "'):
        arguments.space()
        internal_date, zone = zoned_date_time(arguments)
    arguments.space()
    word = arguments.match(_DATA)
    if word is None:
        size, _ = arguments.announced_here()
        message = AppendMessage(flags, internal_date, Literal(size), zone)
        yield Upload(Append(mailbox, (message,)), size, False)
        return message
    read = arguments.syntax.append_data.get(word[0].decode("ascii").upper())
    if read is None:
        raise IMAPWireError("Expected a literal")
    steps = read(arguments)
    while True:
        try:
            wanted = next(steps)
        except StopIteration as end:
            return AppendMessage(flags, internal_date, end.value, zone)
        if wanted is not None:
            message = AppendMessage(flags, internal_date, wanted.arguments, zone)
            wanted = wanted._replace(arguments=Append(mailbox, (message,)))
        yield wanted
