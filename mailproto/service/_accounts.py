"""Making accounts, and giving them passwords."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

from mailproto.accounts import account_key
from mailproto.auth import is_disabled
from mailproto.errors import AccountExists, NoSuchAccount
from mailproto.interfaces import IDirectory

__all__ = ["ensure_account"]


async def ensure_account(
    directory: IDirectory,
    name: str,
    password: str,
    *,
    verify: Callable[[str, str, str], Awaitable[bool]],
    hash_password: Callable[[str], Awaitable[str]],
) -> None:
    """Make the account if it is missing; give it that password if it has another and is not disabled.

    :param verify: of (name, hash, password); so a restart with the same options writes nothing.
    """
    if not await _is_there(directory, name):
        with suppress(AccountExists):  # another process was faster, perhaps with another password
            await directory.add(name, await hash_password(password))
            return
    kept = await directory.find(name)
    stored = await directory.password_hash(kept)
    if is_disabled(stored):
        return
    if not stored or not await verify(account_key(kept), stored, password):
        await directory.set_password_hash(kept, await hash_password(password))


async def _is_there(directory: IDirectory, name: str) -> bool:
    try:
        await directory.find(name)
    except NoSuchAccount:
        return False
    return True
