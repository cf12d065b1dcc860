"""Changes of a mailbox on a server without QRESYNC: found by comparing, with modseqs of our own."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import deque

from twisted.internet.defer import DeferredLock

from mailproto.awaiting import turn
from mailproto.backends._uid_runs import UidRuns
from mailproto.backends._watch import ModSeqs
from mailproto.backends.remote._checked import octets_in, uid_validity_of, within_uids
from mailproto.backends.remote._connections import Link
from mailproto.backends.remote._reading import columns_of, missing_among
from mailproto.client.errors import CommandRefused
from mailproto.errors import NoSuchMailbox
from mailproto.imap.values import MailboxCounts, UidSet
from mailproto.model import DELETED, SEEN, Changes, FlagColumns

__all__ = ["TOMBSTONES", "DerivedModSeqs"]

TOMBSTONES = 10_000
"""Removed messages that are remembered; since an earlier time, all UIDs that do not exist are told."""

_AT_ONCE = 10_000
"""Messages that are compared before others have their turn: some 2 ms."""


class DerivedModSeqs:
    """Knows the flags of all messages, some 20 octets for each, and compares them with the server's.

    What a connection has heard of the mailbox tells whether it has to compare again: the server tells of
    every change with the answer to NOOP (RFC 9051 5.2).

    :param modseqs: gives the account's modseqs.
    """

    def __init__(self, modseqs: ModSeqs) -> None:
        self._modseqs = modseqs
        self._lock = DeferredLock()
        self._known = FlagColumns()
        self._sizes: dict[int, int] = {}
        self._uid_next = 1
        self._modseq = self._forgotten = modseqs.next()
        self._vanished: deque[tuple[int, int]] = deque()  # modseqs and UIDs
        self._fresh: Link | None = None  # the connection that has heard of nothing since the last comparison

    def forget(self, link: Link | None) -> None:
        """Compare again at the next time: a connection has heard, or made, a change."""
        if link is None or self._fresh is link:
            self._fresh = None

    async def counts(self, link: Link, name: str) -> MailboxCounts:
        """How much is in the mailbox."""
        await self._compare(link, name)
        flags = self._known.flags
        return MailboxCounts(
            messages=len(flags),
            unseen=sum(SEEN not in each for each in flags),
            uid_next=self._uid_next,
            uid_validity=uid_validity_of(link.selected.uid_validity),
            modseq=self._modseq,
            size=sum(self._sizes.values()),
            deleted=sum(DELETED in each for each in flags),
        )

    async def changes(self, link: Link, name: str, modseq: int) -> Changes:
        """See `IMailbox.changes_since`."""
        await self._compare(link, name)
        known = self._known
        if modseq <= 0:
            return Changes(known, (), self._modseq)
        places: list[int] = []
        for start in range(0, len(known), _AT_ONCE):
            some = known.modseqs[start : start + _AT_ONCE]
            places += [place for place, each in enumerate(some, start) if each > modseq]
            await turn()
        changed = FlagColumns(
            array("I", (known.uids[place] for place in places)),
            [known.flags[place] for place in places],
            array("Q", (known.modseqs[place] for place in places)),
        )
        return Changes(changed, self._gone_since(modseq), self._modseq)

    async def flags(self, link: Link, name: str, uids: UidSet) -> FlagColumns:
        """The flags of those messages that exist."""
        await self._compare(link, name)
        known = self._known
        places = []
        for uid in uids:
            place = bisect_left(known.uids, uid)
            if place < len(known) and known.uids[place] == uid:
                places.append(place)
        return FlagColumns(
            array("I", (known.uids[place] for place in places)),
            [known.flags[place] for place in places],
            array("Q", (known.modseqs[place] for place in places)),
        )

    def _gone_since(self, modseq: int) -> UidSet | UidRuns:
        if modseq >= self._forgotten:
            return UidSet(uid for at, uid in self._vanished if at > modseq)
        return missing_among(self._known.uids, self._uid_next - 1)

    async def _compare(self, link: Link, name: str) -> None:
        """Learn what has changed."""
        await self._lock.acquire()
        try:
            was_fresh = self._fresh is link
            if was_fresh:
                await link.client.noop()
                if self._fresh is link:
                    return
            self._fresh = link
            try:
                await link.client.noop()
                await self._learn(link, name)
            except BaseException:
                self._fresh = None
                raise
        finally:
            self._lock.release()

    async def _ask_uid_next(self, link: Link, name: str) -> int:
        """The mailbox's UIDNEXT.

        :raises NoSuchMailbox: it is another mailbox now.
        """
        told = link.selected
        try:
            counts = await link.client.status(name, "UIDNEXT", "UIDVALIDITY")
        except CommandRefused:  # some servers do not want that of the selected mailbox
            return within_uids(told.uid_next)
        if counts.uid_validity and counts.uid_validity != told.uid_validity:
            link.leave()
            raise NoSuchMailbox(detail=f"{name} has another UIDVALIDITY now")
        return within_uids(counts.uid_next or told.uid_next)

    async def _learn(self, link: Link, name: str) -> None:
        uid_next = await self._ask_uid_next(link, name)
        found = await columns_of(link.client.fetch("1:*", "FLAGS"))
        before: dict[int, tuple[frozenset[str], int]] = {}
        known = self._known
        for start in range(0, len(known), _AT_ONCE):
            stop = start + _AT_ONCE
            values = zip(known.flags[start:stop], known.modseqs[start:stop], strict=True)
            before.update(zip(known.uids[start:stop], values, strict=True))
            await turn()
        modseqs = array("Q")
        now = 0
        new = array("I")
        for place, (uid, flags) in enumerate(zip(found.uids, found.flags, strict=True)):
            if not place % _AT_ONCE:
                await turn()
            had = before.pop(uid, None)
            if had is None:
                new.append(uid)
            if had is None or had[0] != flags:
                now = now or self._modseqs.next()
                modseqs.append(now)
            else:
                modseqs.append(had[1])
        for uid in before:
            now = now or self._modseqs.next()
            self._sizes.pop(uid, None)
            self._vanished.append((now, uid))
        while len(self._vanished) > TOMBSTONES:
            self._forgotten = self._vanished.popleft()[0]
        if new:
            self._sizes.update(dict.fromkeys(new, 0))
            async for message in link.client.fetch(UidSet(new), "RFC822.SIZE"):
                if message.uid in self._sizes:
                    self._sizes[message.uid] = octets_in(message.size)
        self._known = FlagColumns(found.uids, found.flags, modseqs)
        self._uid_next = max(self._uid_next, uid_next, within_uids(found.uids[-1] + 1 if len(found) else 1))
        self._modseq = now or self._modseq
