"""Which names of mailboxes are personal (RFC 2342)."""

from __future__ import annotations

from mailproto.interfaces import IAccount
from mailproto.interfaces.add_ons import IAccessControl

__all__ = ["prefixes_of_others"]


def prefixes_of_others(account: IAccount) -> tuple[str, ...]:
    """What the names of mailboxes begin with that belong to others, or are shared."""
    if not IAccessControl.providedBy(account):
        return ()
    return tuple(prefix for prefix in (account.other_users, account.shared) if prefix)
