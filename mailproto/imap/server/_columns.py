"""The messages of a selected mailbox by their numbers, as one client knows them: their UIDs and flags."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import compress
from operator import or_

from mailproto.imap.server._flag_sets import FlagSets
from mailproto.imap.server._marks import Marks
from mailproto.imap.server._runs import Runs
from mailproto.imap.server._saved import SavedResult
from mailproto.imap.server._shared_columns import SHARED_FROM, SharedColumns, SharedUIDs, Sharing
from mailproto.imap.wire import IMAPWireError, SequenceSet
from mailproto.model import SEEN, FlagChange, FlagColumns

__all__ = ["MessageColumns"]


_AT_ONCE = 2000
"""How many messages are handled before others may have their turn: some 1 ms."""


_FEW_RANGES = 100
"""So many ranges of a set take a tenth of a millisecond to be read, and to be looked for."""


class MessageColumns:
    """Two parallel columns, 12 octets for each message: its UID, and a reference to its set of flags, which
    messages share.  Views that know the same share the columns, and those that know the same messages share
    the UIDs.  While the client is not told of removed messages, or of changed flags, there is an octet more
    for each message.  A client that wants modseqs has a third column, with 8 octets, which is not shared.

    :param pause: awaited during long work, so that others have their turn.
    :param sharing: where equal columns of other views are found; None to share with nobody.
    :ivar uids: in ascending order; the message at index i has sequence number i + 1.
    :ivar flags: the flags of the same messages, as last seen.
    :ivar modseqs: of the same messages, as last seen; None if they are not kept.
    :ivar applied: the greatest modseq that `apply` has taken in; 0 if modseqs are not kept.
    :ivar saved: the messages that ``$`` stands for.
    :ivar touched: the indexes of messages whose flags were set, or that were removed, since it was cleared;
        None if nobody wants to know.  What it has must be used before `expunge`.
    """

    __slots__ = (
        "_changed",
        "_gone",
        "_pause",
        "_sets",
        "_shared",
        "_sharing",
        "_uids_of",
        "applied",
        "flags",
        "modseqs",
        "saved",
        "touched",
        "uids",
    )

    def __init__(
        self,
        pause: Callable[[], Awaitable[None]] | None = None,
        sharing: Sharing | None = None,
        *,
        modseqs: bool = False,
    ) -> None:
        self._pause = pause or _no_pause
        self._sharing = sharing
        self._shared: SharedColumns | None = None  # with whom ours are shared
        self.uids = array("I")
        self._uids_of: SharedUIDs | None = None  # if other views may have the same object
        self.flags: list[frozenset[str]] = []
        self.modseqs = array("Q") if modseqs else None
        self.applied = 0
        self.saved = SavedResult()
        self.touched: Marks | None = None
        self._sets = FlagSets()
        self._gone = Marks()  # removed messages that the client still counts
        self._changed = Marks()  # messages whose flags the client does not know

    async def take(self, changed: FlagColumns, modseq: int = 0) -> None:
        """Take in new messages, and the flags of known ones.

        :param modseq: see `Changes.modseq`.  No message gets a greater one here, because some changes before
            it may be missing, and the client would take it to know them.
        """
        if not len(changed):
            return
        if not self.uids and await self._find(changed):
            await self._add_modseqs(changed.modseqs, modseq)
            return
        self._own()
        # Usually all messages are new.  The known ones come first, because UIDs ascend.
        known = bisect_right(changed.uids, self.uids[-1]) if self.uids else 0
        if known < len(changed.uids):
            self._own_uids()
        for start in range(0, known, _AT_ONCE):
            stop = min(start + _AT_ONCE, known)
            modseqs = self._capped(changed.modseqs[start:stop], modseq)
            self._note_flags(changed.uids[start:stop], changed.flags[start:stop], modseqs)
            await self._pause()
        for start in range(known, len(changed.uids), _AT_ONCE):
            self.uids.extend(changed.uids[start : start + _AT_ONCE])
            self.flags += self._sets.shared(changed.flags[start : start + _AT_ONCE])
            await self._pause()
        await self._add_modseqs(changed.modseqs[known:], modseq)
        if len(self.uids) == len(changed.uids) >= SHARED_FROM:  # they have grown, with room for a tenth more
            self.uids, self.flags = self.uids[:], self.flags[:]
        self._resize()

    def take_new(self, new: FlagColumns, modseq: int) -> bool:
        """`take`, and `share`, at once, if all of a few messages are new.

        :returns: False if some are not, or if the columns were not shared; then nothing was done.
        """
        size = len(self.uids) + len(new)
        sharing = None if size < SHARED_FROM else self._sharing
        shared = self._shared
        if not self.uids or new.uids[0] <= self.uids[-1] or (sharing is not None and shared is None):
            return False
        flags = self._sets.shared(new.flags)
        if sharing is None or shared is None:
            self._add(new.uids, flags)
        elif (longer := sharing.longer(shared, new.uids, flags)) is not None:
            shared.leave()
            self._join(longer)
        else:
            self._add(new.uids, flags)
            if self._uids_of is None:
                self._hold(SharedUIDs(self.uids))
            if self._uids_of is not None:
                self._shared = sharing.offer_longer(shared, new.uids, flags, self._uids_of, self.flags)
        if self.modseqs is not None:
            self.modseqs.extend(self._capped(new.modseqs, modseq))
        self._resize()
        return True

    def _add(self, uids: Sequence[int], flags: Sequence[frozenset[str]]) -> None:
        self._own()
        self._own_uids()
        self.uids.extend(uids)
        self.flags += flags

    @asynccontextmanager
    async def turn(self, changed: int) -> AsyncIterator[None]:
        """For the time in which our columns may be others than those that we share.

        :param changed: the number of changed messages.
        """
        sharing = self._sharing
        if sharing is None or not changed or len(self.uids) + changed < SHARED_FROM:
            yield
            return
        await sharing.begin()
        try:
            yield
        finally:
            sharing.end()

    async def _find(self, columns: FlagColumns) -> bool:
        """Share the columns of another view, if they are the same as these."""
        if self._sharing is None or len(columns) < SHARED_FROM:
            return False
        shared = self._sharing.latest
        if shared is None or not await shared.equal(columns.uids, columns.flags, self._pause):
            return False
        self._join(shared)
        for start in range(0, len(self.flags), _AT_ONCE):
            self._sets.shared(self.flags[start : start + _AT_ONCE])
            await self._pause()
        self._resize()
        return True

    def _join(self, shared: SharedColumns) -> None:
        self._hold(shared.uids_of)
        self._shared, self.flags = shared, shared.flags

    def _hold(self, uids: SharedUIDs) -> None:
        if self._uids_of is not uids:
            self._let_uids_go()
            uids.holders += 1
            self._uids_of, self.uids = uids, uids.uids

    def _own(self) -> None:
        """Make the flags our own, before they are changed; the UIDs stay as they are (`_own_uids`)."""
        shared, self._shared = self._shared, None
        if shared is not None and not shared.leave():
            self.flags = self.flags[:]

    def _own_uids(self) -> None:
        """Make the UIDs our own, before some are added; `_own` comes first."""
        if not self._let_uids_go():
            self.uids = self.uids[:]

    def _let_uids_go(self) -> bool:
        """Whether nobody else has our UIDs."""
        shared, self._uids_of = self._uids_of, None
        return shared is None or shared.leave()

    def _leave(self) -> None:
        """The columns will be changed by nobody through us."""
        shared, self._shared = self._shared, None
        if shared is not None:
            shared.leave()
        self._let_uids_go()

    async def share(self) -> None:
        """Share the columns with views that have the same, or will have."""
        if self._sharing is None or self._shared is not None or len(self.uids) < SHARED_FROM:
            return
        shared = self._sharing.latest
        if shared is not None and await shared.equal(self.uids, self.flags, self._pause):
            self._join(shared)
        else:
            if self._uids_of is None:
                self._hold(self._sharing.same_uids(self.uids))
            if self._uids_of is not None:
                self._shared = self._sharing.offer(self._uids_of, self.flags)

    def _resize(self) -> None:
        self._gone.resize(len(self.uids))
        self._changed.resize(len(self.uids))
        if self.touched is not None:
            self.touched.resize(len(self.uids))

    def begin_touched(self) -> None:
        """Begin to note which messages are `touched`."""
        self.touched = Marks()
        self._resize()

    def _note_flags(
        self, uids: Sequence[int], flags: Sequence[frozenset[str]], modseqs: Sequence[int]
    ) -> None:
        """Take in the flags of known messages, and mark those whose flags, or known modseqs, have changed."""
        others = self._other_modseqs(uids, modseqs)
        for indexes, before, now in self._replace(uids, flags, modseqs):
            differ = [a is not b and a != b for a, b in zip(before, now, strict=True)]
            if others is not None:
                differ = list(map(or_, differ, others))
            if all(differ) and isinstance(indexes, range):
                self._changed.mark(indexes)
            elif any(differ):
                self._changed.mark(compress(indexes, differ))

    def _replace(
        self, uids: Sequence[int], flags: Sequence[frozenset[str]], modseqs: Sequence[int]
    ) -> Iterator[tuple[Sequence[int], Sequence[frozenset[str]], Sequence[frozenset[str]]]]:
        """Set the flags and modseqs of messages: yields their indexes, and the flags before and now.

        UIDs of no message in the view are left out.
        """
        self._own()
        now = self._sets.shared(flags)
        first = bisect_left(self.uids, uids[0])
        stop = first + len(uids)
        if self.uids[first:stop] == array("I", uids):
            before = self.flags[first:stop]
            self.flags[first:stop] = now
            if self.modseqs is not None:
                self.modseqs[first:stop] = array("Q", modseqs)
            if self.touched is not None:
                self.touched.mark(range(first, stop))
            yield range(first, stop), before, now
            return
        found = [self.index(uid) for uid in uids]
        if self.modseqs is not None:
            for known, modseq in zip(found, modseqs, strict=True):
                if known is not None:
                    self.modseqs[known] = modseq
        indexes = [at for at in found if at is not None]
        now = [each for each, at in zip(now, found, strict=True) if at is not None]
        before = [self.flags[at] for at in indexes]
        for at, each in zip(indexes, now, strict=True):
            self.flags[at] = each
        if self.touched is not None:
            self.touched.mark(indexes)
        yield indexes, before, now

    def take_changed(self) -> Iterator[list[int]]:
        """The indexes of messages whose flags have changed since the client was told, some at a time.

        After this, the view takes the client to know these flags.
        """
        changed, self._changed = self._changed, Marks()
        self._changed.resize(len(self.uids))
        if changed:
            for some in _ranges(len(self.uids)):
                if differ := changed.within(some):
                    yield differ

    # -- modseqs

    async def note_modseqs(self, current: FlagColumns, modseq: int) -> None:
        """Begin to keep modseqs, with those of all messages that exist.

        :param modseq: the greatest that a message may have here, as in `take`.
        """
        modseqs = array("Q", [modseq]) * len(self.uids)  # what is gone keeps that
        for start in range(0, len(current), _AT_ONCE):
            some = current.uids[start : start + _AT_ONCE]
            theirs = [min(each, modseq) for each in current.modseqs[start : start + _AT_ONCE]]
            first = bisect_left(self.uids, some[0])
            if self.uids[first : first + len(some)] == array("I", some):
                modseqs[first : first + len(some)] = array("Q", theirs)
            else:
                for uid, each in zip(some, theirs, strict=True):
                    if (at := self.index(uid)) is not None:
                        modseqs[at] = each
            await self._pause()
        self.modseqs = modseqs

    async def changed_since(self, modseq: int, indexes: Sequence[int]) -> Sequence[int]:
        """Those of some indexes whose messages have a greater modseq; modseqs are kept."""
        found = array("I")
        modseqs = self.modseqs or ()
        for start in range(0, len(indexes), _AT_ONCE):
            found.extend([at for at in indexes[start : start + _AT_ONCE] if modseqs[at] > modseq])
            await self._pause()
        return found

    async def _add_modseqs(self, modseqs: Sequence[int], modseq: int) -> None:
        """Add those of new messages."""
        if self.modseqs is None:
            return
        for start in range(0, len(modseqs), _AT_ONCE):
            self.modseqs.extend(self._capped(modseqs[start : start + _AT_ONCE], modseq))
            await self._pause()

    def _capped(self, modseqs: Sequence[int], modseq: int) -> Sequence[int]:
        if self.modseqs is None or not modseqs or max(modseqs) <= modseq:
            return modseqs
        return [min(each, modseq) for each in modseqs]

    def _other_modseqs(self, uids: Sequence[int], modseqs: Sequence[int]) -> list[bool] | None:
        """Which of the messages in the view had another modseq; None if modseqs are not kept."""
        known = self.modseqs
        if known is None:
            return None
        pairs = zip(map(self.index, uids), modseqs, strict=True)
        return [known[at] != modseq for at, modseq in pairs if at is not None]

    # -- removed messages

    @property
    def gone(self) -> Collection[int]:
        """The UIDs of removed messages that the client still counts; `present` and `there` are faster."""
        return _Gone(self)

    @property
    def any_gone(self) -> bool:
        """Whether the client still counts messages that were removed."""
        return bool(self._gone)

    async def vanish(self, uids: Sequence[int]) -> None:
        """Note that messages were removed; they keep their numbers until `expunge`."""
        for start in range(0, len(uids), _AT_ONCE):
            some = uids[start : start + _AT_ONCE]
            indexes = range(bisect_left(self.uids, some[0]), bisect_right(self.uids, some[-1]))
            if some[-1] - some[0] == len(some) - 1:
                found: Sequence[int] = indexes
            elif len(indexes) < 4 * len(some):
                between = self.uids[indexes.start : indexes.stop]
                found = list(compress(indexes, map(set(some).__contains__, between)))
            else:
                found = [at for uid in some if (at := self.index(uid)) is not None]
            if found:
                self._gone.mark(found)
                if self.touched is not None:
                    self.touched.mark(found)
            await self._pause()

    async def expunge(self) -> AsyncIterator[tuple[list[int], Sequence[int]]]:
        """Drop the messages that are gone.

        :returns: the sequence number of each when the client hears of it, and their UIDs, some at a time:
            each EXPUNGE changes the numbers of the messages that follow (RFC 9051 7.5.1).
        """
        gone, self._gone = self._gone, Marks()
        uids, flags, expunged = array("I"), list[frozenset[str]](), 0
        modseqs = None if self.modseqs is None else array("Q")
        for some in _ranges(len(self.uids)):
            removed = gone.within(some)
            if modseqs is not None and self.modseqs is not None:
                modseqs.extend(gone.unmarked(self.modseqs[some.start : some.stop], some))
            if len(removed) == len(some):
                pass
            elif removed:
                uids.extend(gone.unmarked(self.uids[some.start : some.stop], some))
                flags += gone.unmarked(self.flags[some.start : some.stop], some)
            else:
                uids += self.uids[some.start : some.stop]
                flags += self.flags[some.start : some.stop]
            if removed:
                numbers = [at + 1 - before for before, at in enumerate(removed, expunged)]
                yield numbers, [self.uids[at] for at in removed]
                expunged += len(removed)
            else:
                await self._pause()
        self._leave()
        self.uids, self.flags, self.modseqs = uids, flags, modseqs
        if self.touched is not None:
            self.touched.clear()
        self._resize()
        await self.share()

    # -- flags

    @property
    def keywords(self) -> Collection[str]:
        """The keywords that were seen here, in that order; at most `_flag_sets.KEYWORDS`."""
        return self._sets.keywords

    async def apply(self, change: FlagChange, stored: FlagColumns, *, silent: bool) -> Sequence[int]:
        """Take in the result of the client's own STORE.

        :returns: indexes of the messages to answer with.  If ``silent``, only messages whose flags
            differ from what the client expects (RFC 9051 6.4.6).
        """
        answered = array("I")
        expected: dict[frozenset[str], frozenset[str]] = {}
        for start in range(0, len(stored), _AT_ONCE):
            some = stored[start : start + _AT_ONCE]
            if self.modseqs is not None:
                self.applied = max(self.applied, *some.modseqs)
            for indexes, before, now in self._replace(some.uids, some.flags, some.modseqs):
                if not silent:
                    answered.extend(indexes)
                    continue
                for flags in set(before).difference(expected):
                    expected[flags] = change.apply(flags)
                differ = [expected[a] != b for a, b in zip(before, now, strict=True)]
                if any(differ):
                    answered.extend(compress(indexes, differ))
            await self._pause()
        return answered

    async def first_unseen(self) -> int | None:
        """The sequence number of the first message without ``\\Seen``, or None."""
        for start in range(0, len(self.flags), _AT_ONCE):
            some = self.flags[start : start + _AT_ONCE]
            if any(SEEN not in flags for flags in set(some)):
                return next(at for at, flags in enumerate(some, start + 1) if SEEN not in flags)
            await self._pause()
        return None

    # -- numbers

    def index(self, uid: int) -> int | None:
        """The index of the message ``uid``; None if the client does not know it."""
        at = bisect_left(self.uids, uid)
        return at if at < len(self.uids) and self.uids[at] == uid else None

    async def indexes(self, sequence: SequenceSet, *, uid: bool) -> Sequence[int]:
        """The indexes of the messages in a set, in ascending order.

        :param uid: whether it is a set of UIDs; unknown UIDs are left out.
        :raises IMAPWireError: for a sequence number of no message.
        """
        if len(sequence.ranges) > _FEW_RANGES:
            await self._pause()  # the wire has just read them
        uids = self.uids
        is_saved = not sequence.ranges
        if uid or is_saved:
            if not uids:
                return ()
            merged = self.saved if is_saved else sequence.merged(uids[-1])
            ranges: list[range] = []
            for start in range(0, len(merged), _AT_ONCE):
                if start:
                    await self._pause()
                ranges += [
                    range(bisect_left(uids, low), bisect_right(uids, high))
                    for low, high in merged[start : start + _AT_ONCE]
                ]
        else:
            merged = sequence.merged(len(uids))
            if merged[0][0] < 1 or merged[-1][1] > len(uids):
                raise IMAPWireError("No such message")
            ranges = [range(low - 1, high) for low, high in merged]
        if len(ranges) < 2:
            return ranges[0] if ranges else ()
        if (count := sum(map(len, ranges))) and ranges[-1].stop - ranges[0].start == count:
            return range(ranges[0].start, ranges[-1].stop)
        return Runs(ranges)

    def present(self, indexes: Sequence[int]) -> Sequence[int]:
        """The UIDs of these messages, without messages that are known to be gone."""
        uids = self.uids
        if isinstance(indexes, range):
            some = uids[indexes.start : indexes.stop]
            return array("I", self._gone.unmarked(some, indexes)) if self._gone else some
        if isinstance(indexes, Runs) and not self._gone:
            found = array("I")
            for each in indexes.ranges:
                found += uids[each.start : each.stop]
            return found
        return array("I", [uids[at] for at in self.there(indexes)])

    def there(self, indexes: Sequence[int]) -> Sequence[int]:
        """These indexes without those of messages that are known to be gone."""
        return self._gone.without(indexes)


async def _no_pause() -> None:
    """The default for ``pause``."""


def _ranges(size: int) -> Iterator[range]:
    """The indexes of ``size`` messages, some at a time."""
    return (range(start, min(start + _AT_ONCE, size)) for start in range(0, size, _AT_ONCE))


class _Gone(Collection[int]):
    """See `MessageColumns.gone`."""

    def __init__(self, columns: MessageColumns) -> None:
        self._columns = columns

    def __contains__(self, uid: object) -> bool:
        return isinstance(uid, int) and self._columns.index(uid) in self._columns._gone

    def __iter__(self) -> Iterator[int]:
        columns = self._columns
        return (columns.uids[at] for some in _ranges(len(columns.uids)) for at in columns._gone.within(some))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        return self._columns.any_gone
