"""A mailbox on an IMAP server."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from mailproto._arguments import check_type, wrong_type
from mailproto.imap import IMAPClient
from mailproto.imap.values import Fetched, FetchedMessage, UidSet
from mailproto.mirroring._flags import Flags
from mailproto.mirroring._link import is_client_source
from mailproto.mirroring._sides import BATCH, MirrorError, ReadMessage, Row
from mailproto.model import DELETED, NewMessage

__all__ = ["RemoteMailbox", "RemoteSide", "permanent_id"]

_PERMANENT_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")

_TOO_MANY = 2
"""How many times more rows a server may list than it has messages: flags of some change meanwhile."""


@dataclass(frozen=True, slots=True)
class RemoteMailbox:
    """A mailbox on an IMAP server, for `mirror`.

    :ivar client: has signed in, and is used by nobody else meanwhile; or a function that connects one, and is
        called again when the connection is lost.
    :ivar name: as the server has it, in Unicode.
    """

    client: IMAPClient | Callable[[], Awaitable[IMAPClient]]
    name: str = "INBOX"

    def __post_init__(self) -> None:
        if not is_client_source(self.client):
            raise wrong_type("client", self.client, "an IMAPClient, or a function that gives one")
        check_type("name", self.name, str, "a mailbox's name, a str")


def permanent_id(told: str | None) -> str:
    """A MAILBOXID, if it is one (RFC 8474 7); otherwise ""."""
    return told if told and _PERMANENT_ID.fullmatch(told) else ""


class RemoteSide:
    """A mailbox of an `IMAPClient` as a `Side`.

    :param read_only: nothing will be changed there.
    """

    def __init__(self, client: IMAPClient, name: str, *, read_only: bool) -> None:
        self._client = client
        self._read_only = read_only
        self.name = name
        self.mailbox_id = ""
        self.uid_validity = 0
        self.uid_next = 1
        self.modseq = 0
        self.permanent_flags: Flags = frozenset()
        self.is_writable = False
        self.present: UidSet | None = None
        self.vanished = UidSet()
        self._exists = 0

    async def open(self) -> None:
        """See `Side`.  QRESYNC is enabled if the server has it."""
        client = self._client
        if "QRESYNC" not in client.enabled:
            if client.selected is not None:
                await client.unselect()
            await client.enable("QRESYNC")
        box = await client.select(self.name, read_only=self._read_only)
        self._exists = box.exists
        self.uid_validity = box.uid_validity
        self.mailbox_id = permanent_id(box.mailbox_id)
        self.modseq = box.modseq or 0
        self.permanent_flags = box.flags if self._read_only else box.permanent_flags
        if self._read_only:  # EXAMINE may tell of no permanent flags at all
            self.permanent_flags |= {"\\*"}
        self.is_writable = not box.is_read_only
        if box.uid_next:
            self.uid_next = box.uid_next
        else:
            uids = await self._all()
            self.uid_next = uids[-1] + 1 if uids else 1

    def _has_all(self, listed: UidSet, found: UidSet) -> bool:
        """Whether all that is found is listed, but for what has come since the mailbox was opened."""
        for low, high in found.ranges:
            end = min(high + 1, self.uid_next)
            if bisect_left(listed, end) - bisect_left(listed, low) < end - low:
                return False
        return True

    async def _all(self) -> UidSet:
        return (await self._client.search("ALL")).uids

    async def changes(self, since: int) -> AsyncIterator[Sequence[Row]]:
        """See `Side`: by QRESYNC, CONDSTORE, or all flags."""
        client = self._client
        self.present, self.vanished = None, UidSet()
        if not self._exists:
            self.present = await self._all()
            if self.present and not client.exists:
                raise MirrorError(f"{self.name}: the server says that there are no messages, and finds some")
        elif 0 < since <= self.modseq and "QRESYNC" in client.enabled:
            fetched = client.fetch("1:*", "FLAGS", changed_since=since, vanished=True)
            async for rows in self._rows(fetched):
                yield rows
            self.vanished = fetched.vanished
        elif 0 < since <= self.modseq:
            self.present = await self._all()
            async for rows in self._rows(client.fetch("1:*", "FLAGS", changed_since=since)):
                yield rows
        else:
            uids = array("I")
            async for rows in self._rows(client.fetch("1:*", "FLAGS")):
                uids.extend([uid for uid, _ in rows])
                yield rows
            self.present = UidSet(uids)
            if len(self.present) < min(self._exists, client.exists):
                raise MirrorError(
                    f"{self.name}: the server has listed {len(self.present)} of {client.exists} messages"
                )
            if not self._has_all(self.present, await self._all()):
                raise MirrorError(f"{self.name}: the server finds messages that it has not listed")
            later = len(self.present) - bisect_left(self.present, self.uid_next)
            if later > max(0, client.exists - self._exists):  # something was listed under another UID
                raise MirrorError(f"{self.name}: the server has listed messages that cannot be there")

    async def listed_from(self, uid: int) -> AsyncIterator[Sequence[Row]]:
        """See `Side`.  ``*`` also means the last message if its UID is less."""
        async for rows in self._rows(self._client.fetch(f"{uid}:*", "FLAGS")):
            yield [row for row in rows if row[0] >= uid]

    async def sizes(self, uids: Sequence[int]) -> AsyncIterator[tuple[int, int]]:
        """See `Side`."""
        async for message in self._client.fetch(uids, "RFC822.SIZE"):
            yield message.uid, message.size or 0

    async def read(self, uids: Sequence[int]) -> AsyncIterator[ReadMessage]:
        """See `Side`."""
        wanted = set(uids)
        async for message in self._client.fetch(uids, "FLAGS", "INTERNALDATE", "BODY.PEEK[]"):
            if message.uid not in wanted:
                continue  # it has come already, or was not asked for
            wanted.remove(message.uid)
            # No message is empty (RFC 3502 3 has another meaning for that): the server could not read it.
            content = message.content or None
            date = message.internal_date
            seconds = None if date is None else int(date.timestamp())
            offset = None if date is None else date.utcoffset()
            zone = 0 if offset is None else int(offset.total_seconds()) // 60
            yield ReadMessage(message.uid, content, message.flags, seconds, zone)

    async def append(self, messages: Sequence[NewMessage]) -> Sequence[int]:
        """See `Side`."""
        appended = await self._client.append(self.name, *messages)
        known = appended.uid_validity == self.uid_validity and len(appended.uids) == len(messages)
        return appended.uids if known else ()

    async def flags(self, uids: Sequence[int]) -> Mapping[int, Flags]:
        """Some servers keep fewer flags than they say."""
        return {message.uid: message.flags async for message in self._client.fetch(uids, "FLAGS")}

    async def change(self, uids: Sequence[int], add: Flags, remove: Flags) -> Mapping[int, Flags]:
        """See `Side`."""
        told: list[FetchedMessage] = []
        if add:
            told += (await self._client.store(uids, add=add, silent=False)).changed
        if remove:
            told += (await self._client.store(uids, remove=remove, silent=False)).changed
        return {message.uid: message.flags for message in told if "FLAGS" in message.items}

    async def remove(self, uids: Sequence[int]) -> None:
        """See `Side`."""
        await self._client.store(uids, add={DELETED})
        await self._client.expunge(uids)

    async def _rows(self, fetched: Fetched) -> AsyncIterator[Sequence[Row]]:
        """What is listed.  :raises MirrorError: it has no end."""
        rows: list[Row] = []
        left = _TOO_MANY * max(self._exists, self._client.exists) + _TOO_MANY * BATCH
        async for message in fetched:
            left -= 1
            if left < 0:
                raise MirrorError(f"{self.name}: the server lists more messages than it has")
            if message.uid > 0 and "FLAGS" in message.items:
                rows.append((message.uid, message.flags))
                if len(rows) == BATCH:
                    yield rows
                    rows = []
        yield rows
