"""Work for the writer: puts a message in the place of another one."""

from __future__ import annotations

from twisted.python.failure import Failure

from mailproto.backends.sqlite._changing import remove
from mailproto.backends.sqlite._placing import Append, append_all
from mailproto.backends.sqlite._room import adds_content
from mailproto.backends.sqlite._transactions import Transaction
from mailproto.errors import NoSuchMailbox, NoSuchMessage
from mailproto.model import AppendedMessage

__all__ = ["replace"]


@adds_content
def replace(transaction: Transaction, mailbox: int, uid: int, append: Append) -> AppendedMessage:
    """See `IReplacing.replace`.

    What is replaced is removed first, so that it does not count when room is looked for.
    """
    row = transaction.execute(
        "SELECT messages.size, source.account = target.account FROM mailboxes AS source"
        " LEFT JOIN mailboxes AS target ON target.id = ?"
        " LEFT JOIN messages ON messages.mailbox = source.id AND messages.uid = ? WHERE source.id = ?",
        (append.mailbox, uid, mailbox),
    ).fetchone()
    if row is None:
        raise NoSuchMailbox
    size, is_same_account = row
    if size is None:
        raise NoSuchMessage
    remove(transaction, mailbox, [uid])
    is_no_larger = bool(is_same_account) and append.arrivals[0].body.size <= size
    [appended] = append_all(transaction, [append._replace(has_room=is_no_larger)])
    if isinstance(appended, Failure):
        appended.raiseException()  # what was removed is there again: the writer undoes everything
    [one] = appended
    return one
