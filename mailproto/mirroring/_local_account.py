"""An account of a store."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress

from mailproto.awaiting import settle
from mailproto.errors import InvalidMailboxName, LimitReached, MailboxExists, NoSuchMailbox
from mailproto.interfaces import IAccount
from mailproto.interfaces.add_ons import IAccessControl
from mailproto.mirroring._account_sides import Identity, ListedMailbox
from mailproto.mirroring._local_side import LocalSide
from mailproto.mirroring._names import Levels, written
from mailproto.mirroring._sides import Side
from mailproto.model import DELIMITER, canonical_mailbox_name

__all__ = ["LocalAccount"]

# Wildcards, controls, line separators and lone surrogates: a store has none of them in a name (RFC 9051 5.1).
_IMPOSSIBLE = re.compile("[%*\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class LocalAccount:
    """An `IAccount` as an `AccountSide`."""

    delimiter = DELIMITER

    def __init__(self, account: IAccount) -> None:
        self._account = account
        self._foreign: tuple[str, ...] = ()  # what the names of others' mailboxes begin with
        if IAccessControl.providedBy(account):
            self._foreign = tuple(prefix for prefix in (account.other_users, account.shared) if prefix)

    async def mailboxes(self) -> Sequence[ListedMailbox]:
        """See `AccountSide`; those of others are left out."""
        foreign = self._foreign
        return [
            ListedMailbox(
                entry.name,
                tuple(entry.name.split(DELIMITER)),
                entry.subscribed,
                min(entry.special_use, default=None),
            )
            for entry in await settle(self._account.list())
            if entry.selectable and not (foreign and entry.name.startswith(foreign))
        ]

    async def identity(self, name: str) -> Identity | None:
        """See `AccountSide`."""
        try:
            side = LocalSide(await settle(self._account.open(name)))
            await side.open()
        except NoSuchMailbox:
            return None
        return Identity(side.mailbox_id, side.uid_validity)

    def name_of(self, levels: Levels) -> str:
        """See `AccountSide`; the canonical spelling, because the account's list has that."""
        possible = tuple(_IMPOSSIBLE.sub("_", level) or "_" for level in levels)
        name = written(possible, DELIMITER)
        if f"{name}{DELIMITER}".startswith(self._foreign):
            name = f"_{name}"
        return canonical_mailbox_name(name)

    async def create(self, name: str, special_use: str | None) -> bool:
        """See `AccountSide`."""
        with suppress(MailboxExists):
            try:
                await settle(self._account.create(name, special_use))
            except (InvalidMailboxName, LimitReached):
                if special_use is None:
                    raise
                await settle(self._account.create(name))
        return True

    async def rename(self, old: str, new: str) -> None:
        """See `AccountSide`."""
        await settle(self._account.rename(old, new))

    async def delete(self, name: str) -> None:
        """See `AccountSide`."""
        await settle(self._account.delete(name))

    async def subscribe(self, name: str, wanted: bool) -> None:
        """See `AccountSide`."""
        await settle(self._account.subscribe(name) if wanted else self._account.unsubscribe(name))

    async def side(self, name: str, *, read_only: bool) -> Side:
        """See `AccountSide`."""
        return LocalSide(await settle(self._account.open(name)))
