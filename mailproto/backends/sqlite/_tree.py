"""Work for the writer: changes of accounts and of mailbox names."""

from __future__ import annotations

import time

from mailproto.accounts import account_key, check_account_name
from mailproto.backends._names import (
    DEFAULT_MAILBOXES,
    check_name,
    check_rename,
    check_special_use,
    superiors,
)
from mailproto.backends.sqlite._changing import discard_messages
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
    "unsubscribe",
]


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
    for mailbox in _mailboxes(transaction, row[0]).values():
        _discard(transaction, row[0], mailbox)
    transaction.execute("DELETE FROM subscriptions WHERE account = ?", row)
    transaction.execute("DELETE FROM retired WHERE account = ?", row)
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


def delete(transaction: Transaction, account: int, name: str) -> None:
    """See `IAccount.delete`."""
    name = canonical_mailbox_name(name)
    if name == INBOX:
        raise InvalidMailboxName("INBOX cannot be deleted")
    mailbox = _find(transaction, account, name)
    if mailbox is None:
        raise NoSuchMailbox
    _retire(transaction, account, name)
    _discard(transaction, account, mailbox)


def rename(transaction: Transaction, account: int, old: str, new: str) -> None:
    """See `IAccount.rename`; for other mailboxes than INBOX."""
    old, new = canonical_mailbox_name(old), canonical_mailbox_name(new)
    mailboxes = _inferiors(transaction, account, old)
    mailbox = _find(transaction, account, old)
    if mailbox is not None:
        mailboxes[old] = mailbox
    if not mailboxes:
        raise NoSuchMailbox
    if _exists(transaction, account, new):
        raise MailboxExists
    moves = check_rename(old, new, list(mailboxes))
    for name in moves:
        _retire(transaction, account, name)
    _insert_superiors(transaction, account, new)
    for name, target_name in moves.items():
        _rename_one(transaction, account, mailboxes[name], target_name)
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
    return inbox, _insert(transaction, account, name, None)


def subscribe(transaction: Transaction, account: int, name: str) -> None:
    """See `IAccount.subscribe`."""
    name = canonical_mailbox_name(name)
    if not _exists(transaction, account, name):
        raise NoSuchMailbox
    if _subscribe(transaction, account, name):
        _next_modseq(transaction, account)


def unsubscribe(transaction: Transaction, account: int, name: str) -> None:
    """See `IAccount.unsubscribe`."""
    gone = transaction.execute(
        "DELETE FROM subscriptions WHERE account = ? AND name = ?", (account, canonical_mailbox_name(name))
    )
    if gone.rowcount:
        _next_modseq(transaction, account)


def _mailboxes(transaction: Transaction, account: int) -> dict[str, int]:
    """The names and ids of all mailboxes.  :raises NoSuchAccount:"""
    rows = transaction.execute("SELECT name, id FROM mailboxes WHERE account = ?", (account,))
    mailboxes: dict[str, int] = dict(rows.fetchall())
    if not mailboxes:  # every account has an INBOX
        raise NoSuchAccount
    return mailboxes


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


def _inferiors(transaction: Transaction, account: int, name: str) -> dict[str, int]:
    """Names and ids of the mailboxes below ``name``, at any depth."""
    name = _stored(name)
    rows = transaction.execute(
        "SELECT name, id FROM mailboxes WHERE account = ? AND name > ? AND name < ?",
        (account, name + DELIMITER, name + chr(ord(DELIMITER) + 1)),
    )
    return dict(rows.fetchall())


def _exists(transaction: Transaction, account: int, name: str) -> bool:
    """Whether ``name`` is the name of a mailbox or of a mailbox's superior."""
    return _find(transaction, account, name) is not None or bool(_inferiors(transaction, account, name))


def _insert(transaction: Transaction, account: int, name: str, special_use: str | None) -> int:
    row = transaction.execute(
        "INSERT INTO mailboxes (account, name, special_use, uid_validity, modseq) VALUES (?, ?, ?, ?, ?)"
        " RETURNING id",
        (account, name, special_use, _next_validity(transaction), _next_modseq(transaction, account)),
    ).fetchone()
    return int(row[0])


def _insert_superiors(transaction: Transaction, account: int, name: str) -> None:
    for superior in superiors(name):
        if _find(transaction, account, superior) is None:
            _insert(transaction, account, superior, None)


def _rename_one(transaction: Transaction, account: int, mailbox: int, name: str) -> None:
    # An older mailbox with the new name may have had a larger UIDVALIDITY.
    [reused] = transaction.execute(
        "SELECT count(*) FROM retired, mailboxes WHERE mailboxes.id = ? AND retired.account = ?"
        " AND retired.name = ? AND retired.uid_validity >= mailboxes.uid_validity",
        (mailbox, account, name),
    ).fetchone()
    if reused:
        transaction.execute(
            "UPDATE mailboxes SET uid_validity = ? WHERE id = ?", (_next_validity(transaction), mailbox)
        )
    transaction.execute("UPDATE mailboxes SET name = ? WHERE id = ?", (name, mailbox))


def _retire(transaction: Transaction, account: int, name: str) -> None:
    """Remember the UIDVALIDITY of a mailbox that gives up its name."""
    transaction.execute(
        "INSERT INTO retired (account, name, uid_validity)"
        " SELECT account, name, uid_validity FROM mailboxes WHERE account = ? AND name = ?"
        " ON CONFLICT DO UPDATE SET uid_validity = max(retired.uid_validity, excluded.uid_validity)",
        (account, name),
    )


def _next_validity(transaction: Transaction) -> int:
    """A UIDVALIDITY larger than all before; the present time if possible (RFC 9051 2.3.1.1)."""
    row = transaction.execute(
        "UPDATE validity SET last = max(last + 1, ?) RETURNING last", (int(time.time()),)
    ).fetchone()
    return int(row[0])


def _next_modseq(transaction: Transaction, account: int) -> int:
    """The modseq for a change of the account's list."""
    [modseq] = transaction.execute(
        "UPDATE accounts SET modseq = modseq + 1 WHERE id = ? RETURNING modseq", (account,)
    ).fetchone()
    transaction.accounts[account] = modseq
    return int(modseq)


def _discard(transaction: Transaction, account: int, mailbox: int) -> None:
    discard_messages(transaction, mailbox)
    transaction.execute("DELETE FROM mailboxes WHERE id = ?", (mailbox,))
    transaction.touched[mailbox] = _next_modseq(transaction, account)


def _subscribe(transaction: Transaction, account: int, name: str) -> bool:
    """Subscribe; returns whether the subscription is new."""
    new = transaction.execute(
        "INSERT INTO subscriptions (account, name) VALUES (?, ?) ON CONFLICT DO NOTHING", (account, name)
    )
    return new.rowcount > 0
