"""Which addresses belong to an account (RFC 6409 6.1)."""

from __future__ import annotations

from mailproto.accounts import account_key, account_keys
from mailproto.model import Address

__all__ = ["is_own_address"]


def is_own_address(account: str, path: Address) -> bool:
    """Whether ``path`` belongs to an account because of the account's name.

    The account ``alice@example.org`` owns ``alice@example.org`` and ``alice+anything@example.org``, in
    every spelling.  An account ``alice`` owns ``alice`` in every domain.
    """
    own = account_key(account)
    if "@" not in own:
        own = account_key(f"{account}@{path.domain}")
    return own in account_keys(path.local, path.domain)
