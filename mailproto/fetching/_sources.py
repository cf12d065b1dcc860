"""Where messages are fetched from: a POP3 maildrop, or an IMAP mailbox."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from twisted.internet.defer import Deferred, DeferredList

from mailproto.client.errors import ClientError, CommandRefused, ConnectionLost
from mailproto.content import Content
from mailproto.fetching._arriving import Arriving
from mailproto.fetching._values import Listed
from mailproto.imap import IMAPClient
from mailproto.imap.values import FetchedMessage, UidSet
from mailproto.pop3 import POP3Client

__all__ = ["OWN", "Got", "IMAPSource", "POP3Source", "Source"]

LARGEST: Final = 1 << 30
"""Octets of the largest message that is fetched."""

TOO_MANY: Final = 2
"""How many times more messages an IMAP server may list than it has."""

OWN: Final = "="
"""What the id begins with that a message gets here because the server gives it none."""

_EMPTY: Final = "the server gives no octets of it"
"""No message is empty: the server could not read it."""

_KEPT_FLAGS: Final = frozenset({"\\Seen", "\\Answered", "\\Flagged", "\\Draft"})


class Got:
    """A message that the server has given: its octets, and what belongs to them."""

    __slots__ = ("content", "date", "flags", "zone")

    def __init__(
        self, content: Content, flags: frozenset[str] = frozenset(), date: int | None = None, zone: int = 0
    ) -> None:
        self.content, self.flags, self.date, self.zone = content, flags, date, zone


class Source(ABC):
    """A mailbox on a server, during one session."""

    @abstractmethod
    async def listed(self) -> Sequence[Listed]:
        """All messages.

        :raises ClientError: the server does not say.
        """

    @abstractmethod
    async def get(self, messages: Sequence[Listed]) -> Sequence[Got | str | None]:
        """Some messages, in order.  A text says why the server refuses one; None is one that is gone.

        :raises ConnectionLost: the connection has ended.
        """

    @abstractmethod
    async def remove(self, messages: Sequence[Listed]) -> None:
        """Remove messages, and wait until the server says that they are removed.

        :raises ClientError: they may be there still.
        """

    lost: ConnectionLost | None = None
    """Why the connection ended while `get` ran, which returns what had come before; None for a message that
    had not."""

    def is_renumbered(self, id: str, known: str) -> bool:
        """Whether two ids of the same octets are those of one message: the server has given it a new id, or
        gives none today, or gave none before."""
        return id.startswith(OWN) != known.startswith(OWN)


class POP3Source(Source):
    """A maildrop.  The ids are the server's unique ids; a message without one, or with that of another, has
    none."""

    def __init__(self, client: POP3Client) -> None:
        self._client = client

    async def listed(self) -> Sequence[Listed]:
        """LIST and UIDL."""
        listing, naming = self._client.list(), self._client.uidl()
        ids: Mapping[int, str] = {}
        try:
            sizes = await listing
        except BaseException:
            naming.addErrback(lambda _: None)
            raise
        with suppress(CommandRefused):  # RFC 1939: UIDL is optional
            ids = await naming
        often = Counter(ids.values())
        once = {number: id for number, id in ids.items() if often[id] == 1}
        return [Listed(number, once.get(number, ""), size) for number, size in sorted(sizes.items())]

    async def get(self, messages: Sequence[Listed]) -> Sequence[Got | str | None]:
        """RETR of all, pipelined."""
        files = [Arriving() for _ in messages]
        results = await _all(
            [
                self._client.save(message.handle, file, limit=LARGEST)
                for message, file in zip(messages, files, strict=True)
            ]
        )
        got: list[Got | str | None] = []
        for file, error in zip(files, results, strict=True):
            if isinstance(error, CommandRefused):
                got.append(str(error))
            elif isinstance(error, ConnectionLost):
                self.lost = error
                got.append(None)
            elif error is not None:
                raise error
            else:
                content = file.content()
                got.append(Got(content) if content else _EMPTY)
        return got

    async def remove(self, messages: Sequence[Listed]) -> None:
        """DELE of all, and QUIT, after which the server removes them."""
        client = self._client
        for start in range(0, len(messages), 1000):
            some = messages[start : start + 1000]
            for error in await _all([client.dele(message.handle) for message in some]):
                if error is not None and not isinstance(error, CommandRefused):
                    raise error
        await client.commit()


class IMAPSource(Source):
    """A mailbox.  The ids are UIDVALIDITY and UID.

    :param mailbox: its name.
    :param read_only: whether nothing will be removed.
    """

    def __init__(self, client: IMAPClient, mailbox: str, *, read_only: bool) -> None:
        self._client = client
        self._mailbox = mailbox
        self._read_only = read_only
        self._validity = 0

    async def listed(self) -> Sequence[Listed]:
        """SELECT, and the sizes of all messages."""
        client = self._client
        selected = await client.select(self._mailbox, read_only=self._read_only)
        self._validity = selected.uid_validity
        if not selected.exists:
            return []
        listed: dict[int, Listed] = {}  # a server may list one twice
        left = TOO_MANY * selected.exists + 1000
        async for message in client.fetch("1:*", "RFC822.SIZE"):
            left -= 1
            if left < 0:
                raise ClientError("The server lists more messages than it has")
            if message.uid > 0:
                id = f"{self._validity}:{message.uid}" if self._validity else ""
                size = message.size
                listed[message.uid] = Listed(message.uid, id, -1 if size is None else size)
        return sorted(listed.values())

    async def get(self, messages: Sequence[Listed]) -> Sequence[Got | str | None]:
        """FETCH of all; they do not become seen."""
        uids = UidSet(message.handle for message in messages)
        items = ("FLAGS", "INTERNALDATE", "BODY.PEEK[]")
        found: dict[int, FetchedMessage] = {}
        refused = ""
        try:
            async for message in self._client.fetch(uids, *items):
                found[message.uid] = message
        except CommandRefused as error:  # such as a message that the server cannot read
            refused = str(error)
        except ConnectionLost as error:
            self.lost = error
        if refused and len(messages) > 1:  # perhaps because of one of them
            left = [message for message in messages if message.handle not in found]
            got = {message: (await self.get([message]))[0] for message in left}
            return [got[each] if each in got else self._got(found[each.handle], "") for each in messages]
        return [self._got(found.get(message.handle), refused) for message in messages]

    def _got(self, message: FetchedMessage | None, refused: str) -> Got | str | None:
        content = None if message is None else message.content
        if message is None or content is None:
            return refused or None
        if not content:
            return refused or _EMPTY
        date, stamp, zone = message.internal_date, None, 0
        if date is not None:
            offset = date.utcoffset()
            stamp, zone = int(date.timestamp()), 0 if offset is None else int(offset.total_seconds()) // 60
        return Got(content, message.flags & _KEPT_FLAGS, stamp, zone)

    async def remove(self, messages: Sequence[Listed]) -> None:
        """STORE of ``\\Deleted``, and UID EXPUNGE."""
        uids = UidSet(message.handle for message in messages)
        await self._client.store(uids, add={"\\Deleted"})
        await self._client.expunge(uids)

    def is_renumbered(self, id: str, known: str) -> bool:
        """Whether the mailbox had another UIDVALIDITY then."""
        return id.partition(":")[0] != known.partition(":")[0]


async def _all(results: Sequence[Deferred[Any]]) -> list[Exception | None]:
    """Wait for all, and give each one's error."""
    ended = await DeferredList(results, consumeErrors=True)
    errors: list[Exception | None] = []
    for succeeded, value in ended:
        errors.append(None if succeeded else value.value)
    return errors
