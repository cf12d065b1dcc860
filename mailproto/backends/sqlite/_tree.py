# ruff: noqa: S608 - every SQL text here is made of its own words alone
"""Work for the writer: changes of accounts and of mailbox names."""

from __future__ import annotations

import time

from mailproto.accounts import account_key, check_account_name
from mailproto.backends._names import (
    DEFAULT_MAILBOXES,
    MAX_RETIRED,
    check_length,
    check_name,
    check_names,
    check_rename,
    check_special_use,
    superiors,
)
from mailproto.backends.sqlite._acl import forget_viewer, inherit, tell_viewers
from mailproto.backends.sqlite._annotations import copy_annotations
from mailproto.backends.sqlite._changing import discard_mailboxes
from mailproto.backends.sqlite._room import adds_content
from mailproto.backends.sqlite._writer import Transaction
from mailproto.errors import (
    AccountExists,
    InvalidMailboxName,
    MailboxExists,
    NoSuchAccount,
    NoSuchMailbox,
)
from mailproto.model import DELIMITER, INBOX, canonical_mailbox_name

__all__ = [
    "add_account",
    "create",
    "create_beside_inbox",
    "delete",
    "delete_account",
    "rename",
    "set_password_hash",
    "subscribe",
    "subscribe_other",
    "unsubscribe",
]


_TREE = (
    "id IN (SELECT id FROM mailboxes WHERE account = ? AND name = ?"
    " UNION ALL SELECT id FROM mailboxes WHERE account = ? AND name > ? AND name < ?)"
)
"""A mailbox and its inferiors; see `_tree`."""

_MAILBOXES = "SELECT id FROM mailboxes WHERE account = ?"

_RETIRED_AT_ONCE = 1000
"""So many former names beyond `MAX_RETIRED` are forgotten together."""


@adds_content
def add_account(transaction: Transaction, name: str, password_hash: str) -> None:
    """See `IDirectory.add`."""
    name = check_account_name(name)
    row = transaction.execute(
        "INSERT INTO accounts (folded, name, password_hash, revision) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING RETURNING id",
        (account_key(name), name, password_hash, _next_revision(transaction)),
    ).fetchone()
    if row is None:
        raise AccountExists
    for mailbox, special_use in DEFAULT_MAILBOXES:
        _insert(transaction, row[0], mailbox, special_use)
        _subscribe(transaction, row[0], mailbox)


def set_password_hash(transaction: Transaction, name: str, password_hash: str, replacing: str | None) -> None:
    """See `IDirectory.set_password_hash`."""
    row = transaction.execute(
        "SELECT id, password_hash FROM accounts WHERE folded = ?", (account_key(name),)
    ).fetchone()
    if row is None:
        raise NoSuchAccount
    account, present = row
    if replacing in (None, present):
        transaction.execute("UPDATE accounts SET password_hash = ? WHERE id = ?", (password_hash, account))
    if replacing is None:
        transaction.execute(
            "UPDATE accounts SET revision = ? WHERE id = ?", (_next_revision(transaction), account)
        )


def delete_account(transaction: Transaction, name: str) -> None:
    """See `IDirectory.delete`."""
    row = transaction.execute("SELECT id FROM accounts WHERE folded = ?", (account_key(name),)).fetchone()
    if row is None:
        raise NoSuchAccount
    mailboxes = [mailbox for (mailbox,) in transaction.execute(_MAILBOXES, row)]
    transaction.touched.update(dict.fromkeys(mailboxes, _next_modseq(transaction, row[0])))
    tell_viewers(transaction, row[0], "account = ?", row)
    discard_mailboxes(transaction, "account = ?", row)
    transaction.execute("DELETE FROM subscriptions WHERE account = ?", row)
    transaction.execute("DELETE FROM retired WHERE account = ?", row)
    transaction.execute("DELETE FROM annotations WHERE account = ?", row)
    forget_viewer(transaction, row[0], name)
    transaction.execute("DELETE FROM names WHERE account = ?", row)
    transaction.execute("DELETE FROM accounts WHERE id = ?", row)
    _next_revision(transaction)


def _next_revision(transaction: Transaction) -> int:
    transaction.accounts_changed = True
    row = transaction.execute("UPDATE directory SET revision = revision + 1 RETURNING revision").fetchone()
    return int(row[0])


@adds_content
def create(transaction: Transaction, account: int, name: str, special_use: str | None) -> None:
    """See `IAccount.create`."""
    name, special_use = canonical_mailbox_name(name), check_special_use(special_use)
    check_name(name)
    if _find(transaction, account, name) is not None:
        raise MailboxExists
    _insert_superiors(transaction, account, name)
    _insert(transaction, account, name, special_use)
    _check_room(transaction, account, "mailboxes")


def delete(transaction: Transaction, account: int, name: str) -> None:
    """See `IAccount.delete`."""
    name = canonical_mailbox_name(name)
    if name == INBOX:
        raise InvalidMailboxName("INBOX cannot be deleted")
    mailbox = _find(transaction, account, name)
    if mailbox is None:
        raise NoSuchMailbox
    _retire(transaction, account, "id = ?", (mailbox,))
    tell_viewers(transaction, account, "id = ?", (mailbox,))
    discard_mailboxes(transaction, "id = ?", (mailbox,))
    transaction.touched[mailbox] = _next_modseq(transaction, account)


def rename(transaction: Transaction, account: int, old: str, new: str) -> None:
    """See `IAccount.rename`; for other mailboxes than INBOX.

    The number of statements does not depend on how many mailboxes move.
    """
    old, new = canonical_mailbox_name(old), canonical_mailbox_name(new)
    tree = _tree(account, old)
    deepest, longest = transaction.execute(
        "SELECT max(length(name) - length(replace(name, ?, ''))), max(length(CAST(name AS BLOB)))"
        f" FROM mailboxes WHERE {_TREE}",
        (DELIMITER, *tree),
    ).fetchone()
    if longest is None:
        raise NoSuchMailbox
    if _exists(transaction, account, new):
        raise MailboxExists
    check_rename(old, new, [old])
    check_length(
        new.count(DELIMITER) + deepest - old.count(DELIMITER),
        len(new.encode()) + longest - len(old.encode()),
    )
    _retire(transaction, account, _TREE, tree)
    _insert_superiors(transaction, account, new)
    transaction.execute(
        f"UPDATE mailboxes SET name = ? || substr(name, ?) WHERE {_TREE}", (new, len(old) + 1, *tree)
    )
    _renew_validities(transaction, account, new)
    _check_room(transaction, account, "mailboxes")
    tell_viewers(transaction, account, _TREE, _tree(account, new))
    _next_modseq(transaction, account)


@adds_content
def create_beside_inbox(transaction: Transaction, account: int, name: str) -> tuple[int, int]:
    """Make the mailbox for a rename of INBOX; returns the ids of INBOX and of the new one (RFC 9051
    6.3.6)."""
    name = canonical_mailbox_name(name)
    inbox = _find(transaction, account, INBOX)
    if inbox is None:
        raise NoSuchAccount
    if _exists(transaction, account, name):
        raise MailboxExists
    check_name(name)
    _insert_superiors(transaction, account, name)
    made = _insert(transaction, account, name, None)
    copy_annotations(transaction, account, inbox, made)
    _check_room(transaction, account, "mailboxes")
    return inbox, made


def subscribe(transaction: Transaction, account: int, name: str) -> None:
    """See `IAccount.subscribe`."""
    name = canonical_mailbox_name(name)
    if not _exists(transaction, account, name):
        raise NoSuchMailbox
    subscribe_other(transaction, account, name)


def subscribe_other(transaction: Transaction, account: int, name: str) -> None:
    """Subscribe to a mailbox that exists, and may be another account's."""
    if _subscribe(transaction, account, name):
        _check_room(transaction, account, "subscriptions")
        _next_modseq(transaction, account)


def unsubscribe(transaction: Transaction, account: int, name: str) -> None:
    """See `IAccount.unsubscribe`."""
    gone = transaction.execute(
        "DELETE FROM subscriptions WHERE account = ? AND name = ?", (account, canonical_mailbox_name(name))
    )
    if gone.rowcount:
        _next_modseq(transaction, account)


def _find(transaction: Transaction, account: int, name: str) -> int | None:
    """A mailbox's id, or None.  :raises NoSuchAccount:"""
    row = transaction.execute(
        "SELECT accounts.id, mailboxes.id FROM accounts LEFT JOIN mailboxes"
        " ON mailboxes.account = accounts.id AND mailboxes.name = ? WHERE accounts.id = ?",
        (_stored(name), account),
    ).fetchone()
    if row is None:
        raise NoSuchAccount
    found: int | None = row[1]
    return found


def _stored(name: str) -> str:
    """The name, or "" for one that cannot be stored, which no mailbox has."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return ""
    return name


def _tree(account: int, name: str) -> tuple[object, ...]:
    """The values for `_TREE`; the names below ``name`` are between the last two."""
    name = _stored(name)
    return account, name, account, name + DELIMITER, name + chr(ord(DELIMITER) + 1)


def _exists(transaction: Transaction, account: int, name: str) -> bool:
    """Whether ``name`` is the name of a mailbox or of a mailbox's superior."""
    if _find(transaction, account, name) is not None:
        return True
    there = transaction.execute(f"SELECT 1 FROM mailboxes WHERE {_TREE} LIMIT 1", _tree(account, name))
    return there.fetchone() is not None


def _check_room(transaction: Transaction, account: int, kind: str) -> None:
    """Check whether the account may have so many mailboxes or subscriptions.

    :raises LimitReached: undoes what was done.
    """
    check_names(*_number(transaction, account, kind))


def _number(transaction: Transaction, account: int, kind: str) -> tuple[int, int]:
    """How many names of a kind the account has, and their octets."""
    row = transaction.execute(
        "SELECT number, octets FROM names WHERE account = ? AND kind = ?", (account, kind)
    ).fetchone()
    return (row[0], row[1]) if row else (0, 0)


def _insert(transaction: Transaction, account: int, name: str, special_use: str | None) -> int:
    row = transaction.execute(
        "INSERT INTO mailboxes (account, name, special_use, uid_validity, modseq) VALUES (?, ?, ?, ?, ?)"
        " RETURNING id",
        (account, name, special_use, _next_validity(transaction), _next_modseq(transaction, account)),
    ).fetchone()
    if (above := name.rpartition(DELIMITER)[0]) and inherit(transaction, account, row[0], above):
        tell_viewers(transaction, account, "id = ?", (row[0],))
    return int(row[0])


def _insert_superiors(transaction: Transaction, account: int, name: str) -> None:
    for superior in superiors(name):
        if _find(transaction, account, superior) is None:
            _insert(transaction, account, superior, None)


def _renew_validities(transaction: Transaction, account: int, name: str) -> None:
    """Give ``name`` and its inferiors larger UIDVALIDITYs than earlier mailboxes with their names had."""
    rows = transaction.execute(
        "SELECT id FROM mailboxes LEFT JOIN retired"
        " ON retired.account = mailboxes.account AND retired.name = mailboxes.name"
        f" WHERE {_TREE} AND mailboxes.uid_validity <= coalesce(retired.uid_validity,"
        " (SELECT uid_validity FROM retired WHERE account = ? AND name = ''), 0)",
        (*_tree(account, name), account),
    ).fetchall()
    if not rows:
        return
    last = _next_validity(transaction, len(rows))
    transaction.connection.executemany(
        "UPDATE mailboxes SET uid_validity = ? WHERE id = ?",
        [(last - at, id_) for at, (id_,) in enumerate(rows)],
    )


def _retire(transaction: Transaction, account: int, which: str, those: tuple[object, ...]) -> None:
    """Remember the UIDVALIDITYs of the mailboxes that match ``which``: they give up their names.

    If there are very many, those of the oldest mailboxes are forgotten, except for the largest of these:
    that is kept for the name "".
    """
    transaction.execute(
        "INSERT INTO retired (account, name, uid_validity)"
        f" SELECT account, name, uid_validity FROM mailboxes WHERE {which}"
        " ON CONFLICT DO UPDATE SET uid_validity = max(retired.uid_validity, excluded.uid_validity)",
        those,
    )
    number, _ = _number(transaction, account, "retired")
    if number > MAX_RETIRED + _RETIRED_AT_ONCE:
        [forgotten] = transaction.execute(
            "SELECT uid_validity FROM retired WHERE account = ? ORDER BY uid_validity LIMIT 1 OFFSET ?",
            (account, number - MAX_RETIRED - 1),
        ).fetchone()
        transaction.execute(
            "DELETE FROM retired WHERE account = ? AND uid_validity <= ?", (account, forgotten)
        )
        transaction.execute(
            "INSERT INTO retired (account, name, uid_validity) VALUES (?, '', ?)"
            " ON CONFLICT DO UPDATE SET uid_validity = max(retired.uid_validity, excluded.uid_validity)",
            (account, forgotten),
        )


def _next_validity(transaction: Transaction, number: int = 1) -> int:
    """A UIDVALIDITY larger than all before; the present time if possible (RFC 9051 2.3.1.1).

    :param number: so many are taken, and this is the largest.
    """
    row = transaction.execute(
        "UPDATE validity SET last = max(last + ?, ?) RETURNING last", (number, int(time.time()))
    ).fetchone()
    return int(row[0])


def _next_modseq(transaction: Transaction, account: int) -> int:
    """The modseq for a change of the account's list."""
    [modseq] = transaction.execute(
        "UPDATE accounts SET modseq = modseq + 1, listed = modseq + 1 WHERE id = ? RETURNING modseq",
        (account,),
    ).fetchone()
    transaction.accounts[account] = modseq
    return int(modseq)


def _subscribe(transaction: Transaction, account: int, name: str) -> bool:
    """Subscribe; returns whether the subscription is new."""
    new = transaction.execute(
        "INSERT INTO subscriptions (account, name) VALUES (?, ?) ON CONFLICT DO NOTHING", (account, name)
    )
    return new.rowcount > 0
