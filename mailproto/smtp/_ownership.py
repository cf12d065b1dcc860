"""Whose address that is (RFC 6409 6.1)."""

from __future__ import annotations

import unicodedata

from mailproto.domains import canonical_domain
from mailproto.model import Address

__all__ = ["is_own_address"]

_DETAIL = "+"


def is_own_address(account: str, path: Address) -> bool:
    """Whether ``path`` is the address that the account has by its name.

    ``alice@example.org`` has ``alice@example.org`` and ``alice+anything@example.org``, in
    whatever case, the domain in U-labels or A-labels; an account ``alice`` has that
    name in every domain.
    """
    name, at, domain = account.rpartition("@")
    if not at:
        name, domain = account, path.domain
    if canonical_domain(path.domain) != canonical_domain(domain):
        return False
    own, local = _folded(name), _folded(path.local)
    base, detail, _ = local.partition(_DETAIL)
    return local == own or (bool(detail) and base == own)


def _folded(local: str) -> str:
    return unicodedata.normalize("NFC", local).casefold()
