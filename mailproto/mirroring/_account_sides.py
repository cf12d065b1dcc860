"""One of two accounts, as mirroring sees it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from mailproto._arguments import wrong_type
from mailproto.awaiting import settle
from mailproto.client.errors import CommandRefused
from mailproto.errors import InvalidMailboxName, LimitReached, MailboxExists
from mailproto.imap import IMAPClient
from mailproto.imap.values import MailboxInfo
from mailproto.interfaces import IAccount
from mailproto.interfaces.add_ons import IAccessControl
from mailproto.mirroring._local_side import LocalSide
from mailproto.mirroring._remote_side import RemoteMailbox, RemoteSide
from mailproto.mirroring._sides import Side
from mailproto.model import DELIMITER, INBOX, canonical_mailbox_name

__all__ = ["AccountSide", "Levels", "ListedMailbox", "account_side"]

Levels = tuple[str, ...]
"""The levels of a mailbox's name, from the top; they mean the same on all servers."""

_VIRTUAL = frozenset({"\\All", "\\Flagged", "\\Important"})
"""Uses of mailboxes that show the messages of others again (RFC 6154 2)."""

# Wildcards, controls, line separators and lone surrogates: a store has none of them in a name (RFC 9051 5.1).
_IMPOSSIBLE = re.compile("[%*\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class ListedMailbox:
    """A mailbox of an account."""

    name: str
    levels: Levels
    is_subscribed: bool = False
    special_use: str | None = None
    is_virtual: bool = False


class AccountSide(Protocol):
    """An account."""

    delimiter: str

    async def mailboxes(self) -> Sequence[ListedMailbox]:
        """Its own mailboxes that can have messages, by name.  :raises MailError: it cannot be read."""

    def name_of(self, levels: Levels) -> str:
        """The name that a mailbox has here."""

    async def create(self, name: str, special_use: str | None) -> None:
        """Make a mailbox, with that special use if that is possible.  :raises MailError: it is refused."""

    async def subscribe(self, name: str, wanted: bool) -> None:
        """Subscribe to a mailbox, or no more.  :raises MailError: it is refused."""

    async def side(self, name: str, *, read_only: bool) -> Side:
        """One of its mailboxes.  :raises MailError: there is none."""


def account_side(name: str, account: object) -> AccountSide:
    """An account as an `AccountSide`.  :raises TypeError: it is none."""
    if isinstance(account, IMAPClient):
        return RemoteAccount(account)
    if IAccount.providedBy(account):
        return LocalAccount(account)
    raise wrong_type(name, account, "an IMAPClient or an IAccount")


def _written(levels: Levels, delimiter: str) -> str:
    """Levels with this delimiter, which no level can have in it."""
    if not delimiter:
        return "_".join(levels)
    return delimiter.join(level.replace(delimiter, "_") for level in levels)


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

    def name_of(self, levels: Levels) -> str:
        """See `AccountSide`; the canonical spelling, because the account's list has that."""
        possible = tuple(_IMPOSSIBLE.sub("_", level) or "_" for level in levels)
        name = _written(possible, DELIMITER)
        if f"{name}{DELIMITER}".startswith(self._foreign):
            name = f"_{name}"
        return canonical_mailbox_name(name)

    async def create(self, name: str, special_use: str | None) -> None:
        """See `AccountSide`."""
        with suppress(MailboxExists):
            try:
                await settle(self._account.create(name, special_use))
            except (InvalidMailboxName, LimitReached):
                if special_use is None:
                    raise
                await settle(self._account.create(name))

    async def subscribe(self, name: str, wanted: bool) -> None:
        """See `AccountSide`."""
        await settle(self._account.subscribe(name) if wanted else self._account.unsubscribe(name))

    async def side(self, name: str, *, read_only: bool) -> Side:
        """See `AccountSide`."""
        return LocalSide(await settle(self._account.open(name)))


class RemoteAccount:
    """The account of an `IMAPClient` as an `AccountSide`."""

    def __init__(self, client: IMAPClient) -> None:
        self._client = client
        self.delimiter = DELIMITER
        self._prefix = ""

    async def mailboxes(self) -> Sequence[ListedMailbox]:
        """See `AccountSide`; those of other namespaces are left out."""
        client = self._client
        namespaces = await client.namespace()
        foreign = tuple(each.prefix for each in (*namespaces.others, *namespaces.shared) if each.prefix)
        listed = [info for info in await client.list() if not (foreign and info.name.startswith(foreign))]
        subscribed = {info.name for info in await client.list(subscribed=True)}
        if namespaces.personal:
            self._prefix = namespaces.personal[0].prefix
            self.delimiter = namespaces.personal[0].delimiter
        elif listed:
            self.delimiter = listed[0].delimiter
        return [self._listed(info, info.name in subscribed) for info in listed if info.is_selectable]

    def _listed(self, info: MailboxInfo, is_subscribed: bool) -> ListedMailbox:
        uses = info.special_use
        return ListedMailbox(
            info.name,
            self._levels(info),
            is_subscribed,
            min(uses - _VIRTUAL - {"\\Inbox"}, default=None),
            bool(uses & _VIRTUAL),
        )

    def _levels(self, info: MailboxInfo) -> Levels:
        name, delimiter = info.name, info.delimiter
        if name.upper() == INBOX:
            return (INBOX,)
        levels = name.removeprefix(self._prefix).split(delimiter) if delimiter else [name]
        if levels[0].upper() == INBOX:
            levels[0] = INBOX
        return tuple(levels)

    def name_of(self, levels: Levels) -> str:
        """See `AccountSide`."""
        name = _written(levels, self.delimiter)
        return name if levels == (INBOX,) or name.startswith(self._prefix) else self._prefix + name

    async def create(self, name: str, special_use: str | None) -> None:
        """See `AccountSide`."""
        use = special_use if "CREATE-SPECIAL-USE" in self._client.capabilities else None
        try:
            try:
                await self._client.create(name, special_use=use)
            except CommandRefused as error:
                if use is None or _is_there(error):
                    raise
                await self._client.create(name)
        except CommandRefused as error:
            if not _is_there(error):
                raise

    async def subscribe(self, name: str, wanted: bool) -> None:
        """See `AccountSide`."""
        await (self._client.subscribe(name) if wanted else self._client.unsubscribe(name))

    async def side(self, name: str, *, read_only: bool) -> Side:
        """See `AccountSide`."""
        return RemoteSide(RemoteMailbox(self._client, name), read_only=read_only)


def _is_there(error: CommandRefused) -> bool:
    return getattr(error.reply, "code", "") == "ALREADYEXISTS"
