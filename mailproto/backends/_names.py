"""Mailbox names: which are valid, how they relate, how they are listed, and which ones a new account has."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Set

from mailproto.errors import InvalidMailboxName
from mailproto.model import DELIMITER, INBOX, MailboxEntry

__all__ = [
    "DEFAULT_MAILBOXES",
    "MAX_DEPTH",
    "MAX_NAME_OCTETS",
    "SPECIAL_USES",
    "check_name",
    "check_rename",
    "check_special_use",
    "entries",
    "is_inferior",
    "superiors",
]

MAX_NAME_OCTETS = 1000
"""The most octets of a mailbox's full name in UTF-8; several of them fit into one command line."""

MAX_DEPTH = 32
"""The most levels of a mailbox's name, because creating a mailbox creates all its superiors."""

DEFAULT_MAILBOXES: tuple[tuple[str, str | None], ...] = (
    (INBOX, None),
    ("Archive", "\\Archive"),
    ("Drafts", "\\Drafts"),
    ("Junk", "\\Junk"),
    ("Sent", "\\Sent"),
    ("Trash", "\\Trash"),
)
"""The mailboxes of a new account, all subscribed: each name with its special use (RFC 6154)."""

SPECIAL_USES = {use.casefold(): use for _, use in DEFAULT_MAILBOXES if use}
"""The special uses that a new mailbox may have; the others of RFC 6154 are for virtual mailboxes."""


def check_name(name: str) -> None:
    """Check the canonical name of a mailbox.

    :raises InvalidMailboxName: the name has an empty level, ``%``, ``*``, a control character or a line
        separator, is not Unicode text, or is too long or too deep.
    """
    levels = name.split(DELIMITER)
    if not all(levels) or any(map(_is_forbidden, name)):
        raise InvalidMailboxName
    if len(levels) > MAX_DEPTH or len(name.encode()) > MAX_NAME_OCTETS:
        raise InvalidMailboxName("Mailbox name too long")


def _is_forbidden(character: str) -> bool:
    # Cc: C0 and C1 controls; Cs: lone surrogates; Zl, Zp: the line separators of RFC 5198.
    return character in "%*" or unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}


def check_special_use(special_use: str | None) -> str | None:
    """Return the special use in its usual spelling.

    :raises InvalidMailboxName: mailboxes cannot have this special use (RFC 6154 3).
    """
    if special_use is None:
        return None
    try:
        return SPECIAL_USES[special_use.casefold()]
    except KeyError:
        raise InvalidMailboxName("Special use not supported") from None


def check_rename(old: str, new: str, moving: Iterable[str]) -> dict[str, str]:
    """The new names of the mailboxes ``moving``: ``old`` and its inferiors.

    :raises InvalidMailboxName: a new name is not valid, or ``new`` is below ``old``.
    """
    check_name(new)
    if is_inferior(new, old):
        raise InvalidMailboxName("A mailbox cannot go below itself")
    moves = {name: new + name[len(old) :] for name in moving}
    for name in moves.values():
        check_name(name)
    return moves


def is_inferior(name: str, superior: str) -> bool:
    """Whether ``name`` is below ``superior``, at any depth."""
    return name.startswith(superior + DELIMITER)


def superiors(name: str) -> Iterator[str]:
    """The names above ``name``, from the top."""
    at = name.find(DELIMITER)
    while at >= 0:
        yield name[:at]
        at = name.find(DELIMITER, at + 1)


def entries(mailboxes: Mapping[str, str | None], subscribed: Set[str]) -> list[MailboxEntry]:
    """The result of `IAccount.list`.

    :param mailboxes: the selectable mailboxes, each with its special use or None.
    :param subscribed: the subscribed names; their mailboxes need not exist.
    """
    holders = {name for mailbox in mailboxes for name in superiors(mailbox)}
    return [
        MailboxEntry(
            name,
            selectable=name in mailboxes,
            subscribed=name in subscribed,
            exists=name in mailboxes or name in holders,
            special_use=frozenset({use}) if (use := mailboxes.get(name)) else frozenset(),
        )
        for name in sorted(mailboxes.keys() | holders | subscribed)
    ]
