"""The list of an account's names, for all backends."""

from __future__ import annotations

from collections.abc import Mapping, Set

from mailproto.backends._names import superiors
from mailproto.model import MailboxEntry

__all__ = ["entries"]


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
