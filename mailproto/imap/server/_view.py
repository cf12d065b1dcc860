"""What one session sees of its mailbox: the only place that knows sequence numbers.

An `IMailbox` knows UIDs, and changes at any time.  A client is told of changes only at
certain moments, and until it is told of an expunge every message keeps its number
(RFC 9051 5.2, 7.5.1).  So a view is the mailbox as the client knows it, and catches up
by asking ``changes_since``; hints only say that asking is worth it.

Two parallel columns are all that is kept of a message, 12 octets: its UID, and a
reference to its set of flags, which messages share.

What takes time with the number of messages is done some thousands at a time, with `pause` in
between, and what it tells is given out in as many pieces.  A session has one command under way at
a time, so nothing else looks at its view meanwhile.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from itertools import compress

from mailproto.errors import MailError
from mailproto.imap.server._errors import FLAG_NOT_KEPT
from mailproto.imap.wire import SequenceSet, flag_list
from mailproto.interfaces import IMailbox, IRecent
from mailproto.model import SEEN, SYSTEM_FLAGS, FlagChange, FlagColumns, MailboxStatus

__all__ = ["MailboxView"]


_AT_ONCE = 2000
"""Messages that are looked at before others may have their turn: some 2 ms."""

_INTERNED_LIMIT = 4096
_interned: dict[frozenset[str], frozenset[str]] = {}


def _intern(flags: frozenset[str]) -> frozenset[str]:
    """One object for all equal sets, whoever's mailbox they are in."""
    if len(_interned) >= _INTERNED_LIMIT:
        _interned.clear()
    return _interned.setdefault(flags, flags)


class MailboxView:
    """A selected mailbox as one client knows it.

    Make it, await `load` once, and `close` it in the end.  Methods that return octets
    return untagged responses, ready to be sent; from then on the client knows.

    :param read_only: selected by EXAMINE: ``\\Recent`` is not claimed, nothing is changed.
    :param pause: awaited in the midst of what takes long, so that others have their turn.
    :param failed: called with what kept ``\\Recent`` from being claimed, which is no reason not to read.
    :ivar uids: ascending; the message at index i has sequence number i + 1.
    :ivar flags: of the same messages, as last seen.
    :ivar gone: UIDs of messages that vanished, and that the client still counts.
    """

    __slots__ = (
        "_announced",
        "_failed",
        "_keywords",
        "_modseq",
        "_new_sets",
        "_on_hint",
        "_pause",
        "_recent",
        "_stale",
        "_unannounced",
        "_unwatch",
        "flags",
        "gone",
        "mailbox",
        "read_only",
        "uids",
    )

    def __init__(
        self,
        mailbox: IMailbox,
        *,
        read_only: bool = False,
        pause: Callable[[], Awaitable[None]] | None = None,
        failed: Callable[[MailError], None] | None = None,
    ) -> None:
        self.mailbox = mailbox
        self._failed = failed or _ignore
        self._pause = pause or _no_pause
        self.read_only = read_only or not mailbox.writable
        self.uids = array("I")
        self.flags: list[frozenset[str]] = []
        self.gone: set[int] = set()
        # Ranges of UIDs [first, last] that are \Recent here, ascending.
        self._recent: list[tuple[int, int]] = []
        self._announced = 0  # how many messages the client knows to exist
        self._unannounced: list[int] = []  # indexes of those whose flags it does not know
        self._keywords: frozenset[str] = frozenset()
        self._new_sets: set[frozenset[str]] = set()  # of flags, that came since FLAGS was told last
        self._modseq = 0
        self._stale = False
        self._on_hint: Callable[[], None] | None = None
        self._unwatch: Callable[[], None] = _nothing

    # -- beginning and end

    async def load(self) -> MailboxStatus:
        """See everything that is there, and begin to listen.

        :returns: the mailbox's status at that time.
        :raises MailError: as the mailbox does; nothing is left to close then.
        """
        # Listening comes first: what changes in between is hinted at.
        self._unwatch = self.mailbox.watch(self._hint)
        try:
            status = await self.mailbox.status()
            await self._pull(status)
            self._learn_keywords()
            self._unannounced, self._announced = [], len(self.uids)
        except BaseException:
            self.close()
            raise
        return status

    def close(self) -> None:
        """Listen no more."""
        unwatch, self._unwatch = self._unwatch, _nothing
        unwatch()
        self._on_hint = None

    def _hint(self, modseq: int) -> None:
        if modseq > self._modseq:
            self._stale = True
            if self._on_hint is not None:
                self._on_hint()

    def on_hint(self, listener: Callable[[], None] | None) -> None:
        """Call ``listener`` whenever there may be something to tell; None to stop (IDLE)."""
        self._on_hint = listener

    @property
    def is_stale(self) -> bool:
        """Whether a change was hinted at that was not looked at yet."""
        return self._stale

    # -- catching up

    def has_updates(self, *, expunges: bool) -> bool:
        """Whether `update` would look at the mailbox or tell anything."""
        return self._stale or (expunges and bool(self.gone))

    async def update(self, *, expunges: bool) -> AsyncIterator[bytes]:
        """What the client is to be told now, in untagged responses.

        The mailbox is asked only if it hinted at a change.

        :param expunges: whether messages may lose their numbers now (RFC 9051 7.5.1).
        """
        if self._stale:
            await self._pull()
            differ, known = self._unannounced, self._announced
            self._unannounced, self._announced = [], len(self.uids)
            if self._learn_keywords():
                yield self._flags_response()
            if len(self.uids) > known:
                yield self.exists()
            for some in _pieces(differ):
                yield self.render_flags(some, uid=True)
        if expunges and self.gone:
            # Last: what was told before it counts with the numbers from before.
            async for piece in self._expunge():
                yield piece

    async def _pull(self, status: MailboxStatus | None = None) -> None:
        """Take in what changed."""
        self._stale = False  # a hint that comes from here on asks for another look
        try:
            await self._look()
            if len(self.uids) > self._announced and IRecent.providedBy(self.mailbox):
                await self._claim_recent(status or await self.mailbox.status())
        except BaseException:
            self._stale = True
            raise

    async def _look(self) -> None:
        """Ask for what changed since the last look."""
        changes = await self.mailbox.changes_since(self._modseq)
        differ = await self._take_changes(changes.changed)
        self._unannounced = sorted({*self._unannounced, *differ}) if self._unannounced else differ
        await self.vanish(changes.vanished)
        self._modseq = changes.modseq

    async def _claim_recent(self, status: MailboxStatus) -> None:
        """See which of the messages that were not told of yet are recent.

        A claim is a change of the mailbox: none is made if there is nothing to be claimed.
        """
        if not status.recent:
            return
        if self.read_only:
            self._mark_recent(self.uids[-min(status.recent, len(self.uids))])
            return
        try:
            first = await IRecent(self.mailbox).claim_recent()
        except FLAG_NOT_KEPT as error:
            # Nobody is kept from reading by it: some later session sees them as recent, too.
            self._failed(error)
            self._mark_recent(self.uids[-min(status.recent, len(self.uids))])
            return
        # What came since the look is claimed, too; what comes between these two lines is taken
        # for recent, which is the way to err (RFC 3501 2.3.2).
        await self._look()
        self._mark_recent(first)

    async def _take_changes(self, changed: FlagColumns) -> list[int]:
        """Note flags and new messages; the indexes of known messages whose flags are others now."""
        differ: list[int] = []
        # The usual case is that all are new; the rest go first, by ascending UID.
        known = bisect_right(changed.uids, self.uids[-1]) if self.uids else 0
        for start in range(0, known, _AT_ONCE):
            stop = min(start + _AT_ONCE, known)
            differ += self._note_flags(changed.uids[start:stop], changed.flags[start:stop])
            await self._pause()
        for start in range(known, len(changed.uids), _AT_ONCE):
            some = changed.flags[start : start + _AT_ONCE]
            interned = {flags: _intern(flags) for flags in set(some)}  # messages share few sets
            self.uids.extend(changed.uids[start : start + _AT_ONCE])
            self.flags += map(interned.__getitem__, some)
            self._new_sets.update(interned.values())
            await self._pause()
        return differ

    def _note_flags(self, uids: Sequence[int], flags: Sequence[frozenset[str]]) -> list[int]:
        """The flags of known messages, by ascending UID; the indexes of those that had others."""
        differ = []
        for uid, now in zip(uids, flags, strict=True):
            at = self.index(uid)
            if at is not None and self.flags[at] != now:
                self.flags[at] = now = _intern(now)
                self._new_sets.add(now)
                differ.append(at)
        return differ

    def _mark_recent(self, first: int) -> None:
        """Messages that were not told of yet, from UID ``first`` on, are recent."""
        at = max(bisect_left(self.uids, first), self._announced)
        if at == len(self.uids):
            return
        start, stop = self.uids[at], self.uids[-1]
        if self._recent and at and self.uids[at - 1] <= self._recent[-1][1]:
            start = self._recent.pop()[0]
        self._recent.append((start, stop))

    async def _expunge(self) -> AsyncIterator[bytes]:
        """Forget the messages that are gone, and tell of each."""
        gone, self.gone = sorted(self.gone), set()
        uids, flags = array("I"), list[frozenset[str]]()
        start = expunged = 0
        for some in _pieces(gone):
            told = []
            for uid in some:
                at = bisect_left(self.uids, uid, start)
                uids += self.uids[start:at]
                flags += self.flags[start:at]
                start = at + 1
                # Each number counts with those before it already gone (RFC 9051 7.5.1).
                told.append(b"* %d EXPUNGE\r\n" % (start - expunged))
                expunged += 1
            yield b"".join(told)
        uids += self.uids[start:]
        flags += self.flags[start:]
        self.uids, self.flags, self._announced = uids, flags, len(uids)

    async def vanish(self, uids: Sequence[int]) -> None:
        """These are gone, by the client itself or by others: the next `update` tells."""
        for some in _pieces(uids):
            self.gone.update(compress(some, [self.index(uid) is not None for uid in some]))
            await self._pause()

    # -- flags

    async def apply(self, change: FlagChange, stored: FlagColumns, *, silent: bool) -> list[int]:
        """Take in the result of the client's own STORE.

        :returns: indexes of the messages to answer with; if ``silent``, only of those whose
            flags are not what the client must expect (RFC 9051 6.4.6).
        """
        answered: list[int] = []
        expected: dict[frozenset[str], frozenset[str]] = {}
        for start in range(0, len(stored), _AT_ONCE):
            uids, flags = stored.uids[start : start + _AT_ONCE], stored.flags[start : start + _AT_ONCE]
            for uid, now in zip(uids, flags, strict=True):
                at = self.index(uid)
                if at is None:
                    continue
                if silent:
                    before = self.flags[at]
                    if before not in expected:
                        expected[before] = change.apply(before)
                if not silent or expected[before] != now:
                    answered.append(at)
                    self._new_sets.add(now)
                self.flags[at] = _intern(now)
            await self._pause()
        return answered

    def announce_keywords(self) -> bytes:
        """FLAGS, if flags that are about to be told have names that were not announced yet."""
        return self._flags_response() if self._learn_keywords() else b""

    def _learn_keywords(self) -> bool:
        """Whether messages that are new or changed have keywords not seen before."""
        sets, self._new_sets = self._new_sets, set()
        unknown = frozenset().union(*sets).difference(SYSTEM_FLAGS, self._keywords)
        self._keywords |= unknown
        return bool(unknown)

    def render_flags(self, indexes: Iterable[int], *, uid: bool) -> bytes:
        """FETCH responses with the flags of these messages, and their UIDs."""
        flags = self.flags_at(indexes := list(indexes))
        if uid:
            return b"".join(
                [
                    b"* %d FETCH (UID %d FLAGS %b)\r\n" % (at + 1, self.uids[at], rendered)
                    for at, rendered in zip(indexes, flags, strict=True)
                ]
            )
        return b"".join(
            [
                b"* %d FETCH (FLAGS %b)\r\n" % (at + 1, rendered)
                for at, rendered in zip(indexes, flags, strict=True)
            ]
        )

    def flags_at(self, indexes: Iterable[int]) -> list[bytes]:
        """Flag lists of messages, ``\\Recent`` included."""
        flags = self.flags
        if not self._recent:
            return [flag_list(flags[at]) for at in indexes]
        uids, first = self.uids, self._recent[0][0]
        return [flag_list(flags[at], (uid := uids[at]) >= first and self.is_recent(uid)) for at in indexes]

    def is_recent(self, uid: int) -> bool:
        """Whether this session was the first to be told of the message (RFC 3501 2.3.2)."""
        return any(first <= uid <= last for first, last in reversed(self._recent))

    # -- numbers

    def index(self, uid: int) -> int | None:
        """Where ``uid`` is; None for one that the client does not know."""
        at = bisect_left(self.uids, uid)
        return at if at < len(self.uids) and self.uids[at] == uid else None

    def indexes(self, sequence: SequenceSet, *, uid: bool) -> Sequence[int]:
        """Where the messages of a set are, ascending.

        :param uid: whether it is a set of UIDs; unknown ones are left out.
        :raises IMAPWireError: for a sequence number that is not there.
        """
        if not uid:
            numbers = sequence.resolve_numbers(len(self.uids))
            if numbers[-1] - numbers[0] == len(numbers) - 1:
                return range(numbers[0] - 1, numbers[-1])
            return [number - 1 for number in numbers]
        chosen = sequence.resolve_uids(self.uids)
        if not chosen:
            return ()
        first = bisect_left(self.uids, chosen[0])
        if self.uids[first + len(chosen) - 1] == chosen[-1]:
            return range(first, first + len(chosen))
        return [bisect_left(self.uids, uid) for uid in chosen]

    def present(self, indexes: Sequence[int]) -> list[int]:
        """The UIDs of these messages, without those that are known to be gone."""
        uids, gone = self.uids, self.gone
        if isinstance(indexes, range) and not gone:
            return uids[indexes.start : indexes.stop].tolist()
        return [uid for at in indexes if (uid := uids[at]) not in gone]

    # -- what SELECT tells

    def exists(self) -> bytes:
        """EXISTS and RECENT: they always come together."""
        return b"* %d EXISTS\r\n* %d RECENT\r\n" % (len(self.uids), self.recent_count())

    def recent_count(self) -> int:
        """How many messages are recent here."""
        uids = self.uids
        return sum(bisect_left(uids, last + 1) - bisect_left(uids, first) for first, last in self._recent)

    async def first_unseen(self) -> int | None:
        """The lowest sequence number without ``\\Seen``."""
        for start in range(0, len(self.flags), _AT_ONCE):
            some = self.flags[start : start + _AT_ONCE]
            if any(SEEN not in flags for flags in set(some)):
                return next(at for at, flags in enumerate(some, start + 1) if SEEN not in flags)
            await self._pause()
        return None

    def _flags_response(self) -> bytes:
        """FLAGS: the system flags, and every keyword that was seen here (RFC 9051 7.3.5)."""
        return b"* FLAGS %b\r\n" % flag_list(self._keywords.union(SYSTEM_FLAGS))

    async def describe(self, status: MailboxStatus) -> bytes:
        """All that the response to SELECT and EXAMINE tells before its tagged OK."""
        permanent = frozenset() if self.read_only else self.mailbox.permanent_flags
        uid_next = max(status.uid_next, self.uids[-1] + 1 if self.uids else 1)
        unseen = await self.first_unseen() if status.unseen else None
        return b"".join(
            (
                self._flags_response(),
                b"* OK [PERMANENTFLAGS %b] Flags that are kept\r\n" % flag_list(permanent),
                self.exists(),
                b"* OK [UNSEEN %d] First unseen\r\n" % unseen if unseen else b"",
                b"* OK [UIDVALIDITY %d] UIDs are valid\r\n" % self.mailbox.uid_validity,
                b"* OK [UIDNEXT %d] Predicted next UID\r\n" % uid_next,
            )
        )


def _ignore(error: MailError) -> None:
    """A failure that is not told."""


def _nothing() -> None:
    """A view that listens to nothing."""


async def _no_pause() -> None:
    """A view that nobody waits for."""


def _pieces(values: Sequence[int]) -> Iterator[Sequence[int]]:
    return (values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE))
