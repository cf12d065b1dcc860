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
from mailproto.backends.remote._uids import in_parts, uid_set
from mailproto.client.errors import CommandRefused
from mailproto.errors import NoSuchMailbox
from mailproto.imap.values import MailboxCounts, UidSet
from mailproto.model import DELETED, SEEN, Changes, FlagColumns

__all__ = ["TOMBSTONES", "DerivedModSeqs"]

TOMBSTONES = 10_000
"""Removed messages that are remembered; since an earlier time, all UIDs that do not exist are told."""

_AT_ONCE = 5000
"""Messages that are compared before others have their turn: some 2 ms."""


class DerivedModSeqs:
    """Knows the flags of all messages, some 28 octets for each, and compares them with the server's.

    What a connection has heard of the mailbox tells whether it has to compare again: the server tells of
    every change with the answer to NOOP (RFC 9051 5.2).

    :param modseqs: gives the account's modseqs.
    """

    def __init__(self, modseqs: ModSeqs) -> None:
        self._modseqs = modseqs
        self._lock = DeferredLock()
        self._known = FlagColumns()
        self._sizes = array("Q")  # of the same messages
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
        unseen = sum(SEEN not in each for each in flags)
        await turn()
        deleted = sum(DELETED in each for each in flags)
        await turn()
        return MailboxCounts(
            messages=len(flags),
            unseen=unseen,
            uid_next=self._uid_next,
            uid_validity=uid_validity_of(link.selected.uid_validity),
            modseq=self._modseq,
            size=sum(self._sizes),
            deleted=deleted,
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
        found, modseqs = array("I"), array("Q")
        flags: list[frozenset[str]] = []
        for some in in_parts(uids):
            places = [bisect_left(known.uids, uid) for uid in some]
            there = [
                place
                for place, uid in zip(places, some, strict=True)
                if place < len(known) and known.uids[place] == uid
            ]
            found.extend([known.uids[place] for place in there])
            flags += [known.flags[place] for place in there]
            modseqs.extend([known.modseqs[place] for place in there])
            await turn()
        return FlagColumns(found, flags, modseqs)

    async def changed_since(self, link: Link, name: str, uids: UidSet, modseq: int) -> UidSet:
        """Which of these messages have a greater modseq."""
        now = await self.flags(link, name, uids)
        changed = array("I")
        for start in range(0, len(now), _AT_ONCE):
            stop = start + _AT_ONCE
            pairs = zip(now.uids[start:stop], now.modseqs[start:stop], strict=True)
            changed.extend([uid for uid, each in pairs if each > modseq])
            await turn()
        return await uid_set(changed)

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
        known, at = self._known, 0
        modseqs, sizes = array("Q"), array("Q")
        new, gone = array("I"), array("I")
        now = 0
        for place, (uid, flags) in enumerate(zip(found.uids, found.flags, strict=True)):
            if not place % _AT_ONCE:
                await turn()
            while at < len(known) and known.uids[at] < uid:
                gone.append(known.uids[at])
                at += 1
            is_known = at < len(known) and known.uids[at] == uid
            if is_known and known.flags[at] == flags:
                modseqs.append(known.modseqs[at])
            else:
                now = now or self._modseqs.next()
                modseqs.append(now)
            sizes.append(self._sizes[at] if is_known else 0)
            if is_known:
                at += 1
            else:
                new.append(uid)
        gone.extend(known.uids[at:])
        for some in in_parts(gone):
            now = now or self._modseqs.next()
            for uid in some:
                self._vanished.append((now, uid))
            while len(self._vanished) > TOMBSTONES:
                self._forgotten = self._vanished.popleft()[0]
            await turn()
        if new:
            async for message in link.client.fetch(await uid_set(new), "RFC822.SIZE"):
                place = bisect_left(found.uids, message.uid)
                if place < len(found) and found.uids[place] == message.uid:
                    sizes[place] = octets_in(message.size)
        self._sizes = sizes
        self._known = FlagColumns(found.uids, found.flags, modseqs)
        self._uid_next = max(self._uid_next, uid_next, within_uids(found.uids[-1] + 1 if len(found) else 1))
        self._modseq = now or self._modseq
