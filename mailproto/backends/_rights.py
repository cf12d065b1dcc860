"""Rights (RFC 4314): their letters, who has which, and the names of others' mailboxes."""

from __future__ import annotations

from collections.abc import Mapping

from mailproto.accounts import account_key
from mailproto.errors import InvalidRights, LimitReached, NoPermission, NoSuchMailbox
from mailproto.model import DELETED, DELIMITER, SEEN, FlagOperation, canonical_mailbox_name

__all__ = [
    "ALL",
    "ANYONE",
    "MAX_IDENTIFIERS",
    "OTHER_USERS",
    "SHARED",
    "NamesOfOthers",
    "allowed",
    "changed",
    "check_identifiers",
    "effective",
    "identifier_key",
    "in_order",
    "require",
]

ALL = "lrswipkxtea"
"""All rights, in the order of RFC 4314 2.1."""

ANYONE = "anyone"
"""The identifier for all accounts."""

OTHER_USERS = "user" + DELIMITER
"""What the names of others' mailboxes begin with."""

SHARED = "shared" + DELIMITER
"""What the names of shared mailboxes begin with."""

_SHARED_ACCOUNT = "shared"

MAX_IDENTIFIERS = 1000
"""The most identifiers to which a mailbox gives or denies rights."""

MAX_ACCOUNT_IDENTIFIERS = 10_000
"""The most identifiers in all mailboxes of an account: new mailboxes begin with those of the one above."""

MAX_IDENTIFIER_OCTETS = 400
"""The most octets of an identifier: more than the name of any account has."""

_OLD = {"c": "kx", "d": "te"}


def in_order(rights: object) -> str:
    """Rights in their usual order, each once."""
    return "".join(right for right in ALL if right in rights)  # type: ignore[operator]


def changed(present: str, rights: str, operation: FlagOperation) -> str:
    """The rights after a change.

    :raises InvalidRights: a letter is none of a right.
    """
    given = set("".join(_OLD.get(right, right) for right in rights))
    if not given.issubset(ALL):
        raise InvalidRights
    if operation is FlagOperation.ADD:
        given |= set(present)
    elif operation is FlagOperation.REMOVE:
        given = set(present) - given
    return in_order(given)


def identifier_key(identifier: str) -> str:
    """The form in which an identifier is stored.

    :raises InvalidRights: it cannot be one.
    """
    sign = "-" if identifier.startswith("-") else ""
    name = identifier.removeprefix("-")
    if not name or name.startswith("-") or "\0" in name:
        raise InvalidRights("Not an identifier")
    try:
        octets = len(name.encode())
    except UnicodeEncodeError:
        raise InvalidRights("Not an identifier") from None
    if octets > MAX_IDENTIFIER_OCTETS:
        raise InvalidRights("Identifier too long")
    return sign + (ANYONE if name.casefold() == ANYONE else account_key(name))


def check_identifiers(number: int) -> None:
    """Check how many identifiers all mailboxes of an account have.

    :raises LimitReached: they are too many.
    """
    if number > MAX_ACCOUNT_IDENTIFIERS:
        raise LimitReached("Too many identifiers")


def effective(acl: Mapping[str, str], key: str) -> str:
    """The rights of the account with a key (RFC 4314 2)."""
    given = set(acl.get(key, "") + acl.get(ANYONE, ""))
    return in_order(given.difference(acl.get("-" + key, "") + acl.get("-" + ANYONE, "")))


def require(rights: str, needed: str) -> None:
    """Check whether there are all of the needed rights.

    :raises NoSuchMailbox: who asks must not know that there is a mailbox.
    :raises NoPermission: a right is missing.
    """
    if not set(needed).issubset(rights):
        raise NoPermission if set("lrikxa") & set(rights) else NoSuchMailbox


def allowed(rights: str, flag: str) -> bool:
    """Whether a flag may be changed with these rights."""
    return {SEEN: "s", DELETED: "t"}.get(flag, "w") in rights


class NamesOfOthers:
    """What an account calls the mailboxes of others.

    :param viewer: the account's name.
    :ivar shared_account: the name of the account with the shared mailboxes: ``shared``, of the same domain.
    """

    def __init__(self, viewer: str) -> None:
        _, at, domain = viewer.partition("@")
        self.shared_account = _SHARED_ACCOUNT + at + domain
        self._key = account_key(self.shared_account)

    def split(self, name: str) -> tuple[str, str] | None:
        """The account and the mailbox there that a name means; None if it is no name of others' mailboxes."""
        if name.startswith(SHARED):
            return self.shared_account, canonical_mailbox_name(name.removeprefix(SHARED))
        if not name.startswith(OTHER_USERS):
            return None
        owner, _, mailbox = name.removeprefix(OTHER_USERS).partition(DELIMITER)
        return owner, canonical_mailbox_name(mailbox)

    def name_of(self, owner: str, mailbox: str) -> str:
        """The name of a mailbox of another account."""
        if account_key(owner) == self._key:
            return SHARED + mailbox
        return OTHER_USERS + owner + DELIMITER + mailbox
