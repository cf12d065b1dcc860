"""An account on an IMAP server."""

from __future__ import annotations

from collections.abc import Sequence

from mailproto.client.errors import CommandRefused
from mailproto.imap.values import MailboxInfo
from mailproto.mirroring._account_sides import Identity, ListedMailbox
from mailproto.mirroring._link import Link
from mailproto.mirroring._names import Levels, written
from mailproto.mirroring._remote_side import RemoteSide, permanent_id
from mailproto.mirroring._sides import Side
from mailproto.model import DELIMITER, INBOX

__all__ = ["RemoteAccount"]

_VIRTUAL = frozenset({"\\All", "\\Flagged", "\\Important"})
"""Uses of mailboxes that show the messages of others again (RFC 6154 2)."""

_NONE = ("", "NONEXISTENT", "TRYCREATE")
"""Codes with which a server says that there is no such mailbox; old ones have none."""


class RemoteAccount:
    """The account of an `IMAPClient` as an `AccountSide`."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.delimiter = DELIMITER
        self._prefix = ""

    async def mailboxes(self) -> Sequence[ListedMailbox]:
        """See `AccountSide`; those of other namespaces are left out."""
        client = await self._link.client()
        namespaces = await client.namespace()
        foreign = tuple(each.prefix for each in (*namespaces.others, *namespaces.shared) if each.prefix)
        listed = [info for info in await client.list() if not (foreign and info.name.startswith(foreign))]
        subscribed = {info.name for info in await client.list(subscribed=True)}
        if namespaces.personal:
            self._prefix = namespaces.personal[0].prefix
            self.delimiter = namespaces.personal[0].delimiter
        elif listed:
            self.delimiter = listed[0].delimiter
        # A server may list one twice.
        names = {info.name: info for info in listed if info.is_selectable}
        return [self._listed(info, name in subscribed) for name, info in names.items()]

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

    async def identity(self, name: str) -> Identity | None:
        """See `AccountSide`."""
        client = await self._link.client()
        try:
            # Not by STATUS, because some versions of Cyrus tell another MAILBOXID there each time.
            found = await client.select(name, read_only=True)
        except CommandRefused as error:
            if getattr(error.reply, "code", "") in _NONE:
                return None
            raise
        return Identity(permanent_id(found.mailbox_id), found.uid_validity)

    def name_of(self, levels: Levels) -> str:
        """See `AccountSide`."""
        name = written(levels, self.delimiter)
        return name if levels == (INBOX,) or name.startswith(self._prefix) else self._prefix + name

    async def create(self, name: str, special_use: str | None) -> bool:
        """See `AccountSide`."""
        client = await self._link.client()
        use = special_use if "CREATE-SPECIAL-USE" in client.capabilities else None
        try:
            try:
                await client.create(name, special_use=use)
            except CommandRefused as error:
                if use is None or _is_there(error):
                    raise
                await client.create(name)
        except CommandRefused as error:
            if not _is_there(error):
                raise
            return any(info.name == name and info.is_selectable for info in await client.list())
        return True

    async def rename(self, old: str, new: str) -> None:
        """See `AccountSide`."""
        client = await self._link.client()
        if client.selected is not None:  # it may be the one that gets another name
            await client.unselect()
        await client.rename(old, new)

    async def delete(self, name: str) -> None:
        """See `AccountSide`."""
        client = await self._link.client()
        if client.selected is not None:
            await client.unselect()
        await client.delete(name)

    async def subscribe(self, name: str, wanted: bool) -> None:
        """See `AccountSide`."""
        client = await self._link.client()
        await (client.subscribe(name) if wanted else client.unsubscribe(name))

    async def side(self, name: str, *, read_only: bool) -> Side:
        """See `AccountSide`."""
        return RemoteSide(await self._link.client(), name, read_only=read_only)


def _is_there(error: CommandRefused) -> bool:
    return getattr(error.reply, "code", "") == "ALREADYEXISTS"
