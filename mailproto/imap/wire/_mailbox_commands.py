"""The arguments of commands about mailboxes (RFC 3501 6.3)."""

from __future__ import annotations

import re

from mailproto.imap.wire._commands import Append, Create, MailboxName, Rename, Select, Status
from mailproto.imap.wire._cursor import Cursor, LiteralWanted
from mailproto.imap.wire._dates import date_time
from mailproto.imap.wire._errors import IMAPWireError
from mailproto.imap.wire._flags import flag_list

__all__ = ["append", "create", "mailbox_name", "rename", "select", "status", "status_items"]

_PARAMETERS = re.compile(rb" \(([A-Za-z0-9-]++(?: [A-Za-z0-9-]++)*)\)")
_USE = re.compile(rb" \(USE \((\\[A-Za-z]++(?: \\[A-Za-z]++)*)?\)\)", re.IGNORECASE)
_STATUS_ITEMS = re.compile(rb"\(([A-Za-z]++(?: [A-Za-z]++)*) ?+\)")

_SPECIAL_USES = {
    use.upper(): use
    for use in ("\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Important", "\\Junk", "\\Sent", "\\Trash")
}
_KNOWN_STATUS_ITEMS = frozenset(
    ("MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "SIZE", "DELETED", "HIGHESTMODSEQ")
)


def mailbox_name(cursor: Cursor) -> MailboxName:
    """``SP mailbox``."""
    cursor.space()
    return MailboxName(cursor.mailbox())


def select(cursor: Cursor) -> Select:
    """``SP mailbox [SP "(" parameters ")"]`` (RFC 4466 2.4), parameters without values only."""
    cursor.space()
    mailbox = cursor.mailbox()
    match = cursor.match(_PARAMETERS)
    return Select(mailbox, tuple(match[1].decode("ascii").upper().split()) if match else ())


def create(cursor: Cursor) -> Create:
    """``SP mailbox [SP "(USE (" attribute "))"]`` (RFC 6154 3)."""
    cursor.space()
    mailbox = cursor.mailbox()
    match = cursor.match(_USE)
    uses = match[1].decode("ascii").split() if match and match[1] else []
    if len(uses) > 1:
        raise IMAPWireError("A mailbox can have one special use only", code="USEATTR", bad=False)
    return Create(mailbox, _SPECIAL_USES.get(uses[0].upper(), uses[0]) if uses else None)


def rename(cursor: Cursor) -> Rename:
    """``SP mailbox SP mailbox``."""
    cursor.space()
    old = cursor.mailbox()
    cursor.space()
    return Rename(old, cursor.mailbox())


def status(cursor: Cursor) -> Status:
    """``SP mailbox SP "(" items ")"``."""
    cursor.space()
    mailbox = cursor.mailbox()
    cursor.space()
    return Status(mailbox, status_items(cursor))


def status_items(cursor: Cursor) -> tuple[str, ...]:
    """The items of STATUS (RFC 9051 6.3.11, RFC 7162 3.1.7), none twice."""
    match = cursor.expect(_STATUS_ITEMS, "a list of status items")
    items = dict.fromkeys(match[1].decode("ascii").upper().split())
    if not items.keys() <= _KNOWN_STATUS_ITEMS:
        raise IMAPWireError("Unknown status item")
    return tuple(items)


def append(cursor: Cursor) -> Append:
    """``SP mailbox [SP flags] [SP date-time] SP literal``.

    :raises LiteralWanted: always, if the arguments are valid: the message is not part of the text.
    """
    cursor.space()
    mailbox = cursor.mailbox()
    cursor.space()
    flags: frozenset[str] = frozenset()
    if cursor.text.startswith(b"(", cursor.position):
        flags = flag_list(cursor)
        cursor.space()
    internal_date = None
    if cursor.text.startswith(b'"', cursor.position):
        internal_date = date_time(cursor)
        cursor.space()
    raise LiteralWanted(Append(mailbox, flags, internal_date, cursor.message_size()))
