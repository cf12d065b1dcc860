"""Whose address that is (RFC 6409 6.1)."""

from __future__ import annotations

from mailproto.accounts import account_key, account_keys
from mailproto.model import Address

__all__ = ["is_own_address"]


def is_own_address(account: str, path: Address) -> bool:
    """Whether ``path`` is the address that the account has by its name.

    ``alice@example.org`` has ``alice@example.org`` and ``alice+anything@example.org``, in every
    spelling; an account ``alice`` has that name in every domain.
    """
    own = account_key(account)
    if "@" not in own:
        own = account_key(f"{account}@{path.domain}")
    return own in account_keys(path.local, path.domain)
