"""One session's view of its mailbox: the only place that knows sequence numbers.

An `IMailbox` knows UIDs, and may change at any time.  A client is told of changes only at
certain moments.  Until it is told of an expunge, every message keeps its number
(RFC 9051 5.2, 7.5.1).  So a view is the mailbox as the client knows it.  It catches up by
calling ``changes_since``; a hint only says that there may be changes.  It returns what has
changed; `mailproto.imap.server._view_writer` makes responses of that.

A view keeps two parallel columns, 12 octets for each message: its UID, and a reference to its
set of flags, which messages share.  While the client is not told of removed messages, or of
changed flags, there is an octet more for each message.

Work on many messages is done some thousands at a time, with `pause` in between.  A session has one
command under way at a time, so during a pause nothing else uses its view.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from itertools import compress

from mailproto.awaiting import settle
from mailproto.errors import MailError
from mailproto.imap.server._errors import FLAG_NOT_KEPT
from mailproto.imap.server._flag_sets import FlagSets
from mailproto.imap.server._marks import Marks
from mailproto.imap.server._recent import RecentRanges
from mailproto.imap.wire import SequenceSet, flag_list
from mailproto.interfaces import IMailbox, IRecent
from mailproto.model import SEEN, FlagChange, FlagColumns, MailboxStatus

__all__ = ["MailboxView"]


_AT_ONCE = 2000
"""How many messages are handled before others may have their turn: some 1 ms."""


class MailboxView:
    """A selected mailbox as one client knows it.

    Await `load` once after making it, and `close` it in the end.

    :param read_only: selected by EXAMINE: ``\\Recent`` is not claimed, and nothing is changed.
    :param pause: awaited during long work, so that others have their turn.
    :param failed: called with the error if ``\\Recent`` could not be claimed; reading goes on.
    :ivar uids: in ascending order; the message at index i has sequence number i + 1.
    :ivar flags: the flags of the same messages, as last seen.
    """

    __slots__ = (
        "_changed",
        "_decided",
        "_failed",
        "_gone",
        "_modseq",
        "_on_hint",
        "_pause",
        "_recent",
        "_sets",
        "_stale",
        "_unwatch",
        "flags",
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
        self._sets = FlagSets()
        self._gone = Marks()  # removed messages that the client still counts
        self._changed = Marks()  # messages whose flags the client does not know
        self._recent = RecentRanges()
        self._decided = 0  # of how many messages it is known whether they are recent
        self._modseq = 0
        self._stale = False
        self._on_hint: Callable[[], None] | None = None
        self._unwatch: Callable[[], None] = _nothing

    # -- beginning and end

    async def load(self) -> MailboxStatus:
        """Read the whole mailbox, and begin to listen for changes.

        :returns: the mailbox's status at that time.
        :raises MailError: as the mailbox does; the view need not be closed then.
        """
        # Listening comes first, so that changes during the reading are hinted at.
        self._unwatch = self.mailbox.watch(self._hint)
        try:
            status = await settle(self.mailbox.status())
            await self.look(status)
            self._changed.clear()
        except BaseException:
            self.close()
            raise
        return status

    def close(self) -> None:
        """Stop listening for changes."""
        unwatch, self._unwatch = self._unwatch, _nothing
        unwatch()
        self._on_hint = None

    def _hint(self, modseq: int) -> None:
        if modseq > self._modseq:
            self._stale = True
            if self._on_hint is not None:
                self._on_hint()

    def on_hint(self, listener: Callable[[], None] | None) -> None:
        """Call ``listener`` whenever there may be updates (IDLE); None to stop."""
        self._on_hint = listener

    @property
    def is_stale(self) -> bool:
        """Whether there was a hint after the latest look at the mailbox."""
        return self._stale

    def expect_changes(self, mailbox: IMailbox) -> None:
        """The client has changed ``mailbox``: if it is this one, look again, because a hint may come late."""
        if mailbox.uid_validity == self.mailbox.uid_validity:
            self._stale = True

    # -- catching up

    async def look(self, status: MailboxStatus | None = None) -> None:
        """Take in what has changed since the latest look at the mailbox.

        :param status: the mailbox's, if the caller knows it.
        """
        self._stale = False  # a later hint makes it stale again
        try:
            await self._look()
            if len(self.uids) > self._decided and IRecent.providedBy(self.mailbox):
                if status is None:
                    status = await settle(self.mailbox.status())
                await self._claim_recent(self.mailbox, status)
            self._decided = len(self.uids)
        except BaseException:
            self._stale = True
            raise

    async def _look(self) -> None:
        changes = await settle(self.mailbox.changes_since(self._modseq))
        await self._take_changes(changes.changed)
        await self.vanish(changes.vanished)
        self._modseq = changes.modseq

    async def _claim_recent(self, mailbox: IRecent, status: MailboxStatus) -> None:
        """Find out which of the new messages are recent.

        A claim changes the mailbox, so none is made if no message can be recent.
        """
        if not status.recent:
            return
        if self.read_only:
            self._mark_recent(self.uids[-min(status.recent, len(self.uids))])
            return
        try:
            first = await settle(mailbox.claim_recent())
        except FLAG_NOT_KEPT as error:
            # This is no reason not to read.  The messages will be recent in a later session, too.
            self._failed(error)
            self._mark_recent(self.uids[-min(status.recent, len(self.uids))])
            return
        # Messages that came after the latest look are claimed, too.  A message that comes between these
        # two lines is shown as recent although it is not claimed: RFC 3501 2.3.2 prefers that error.
        await self._look()
        self._mark_recent(first)

    async def _take_changes(self, changed: FlagColumns) -> None:
        """Take in new messages, and the flags of known ones."""
        # Usually all messages are new.  The known ones come first, because UIDs ascend.
        known = bisect_right(changed.uids, self.uids[-1]) if self.uids else 0
        for start in range(0, known, _AT_ONCE):
            stop = min(start + _AT_ONCE, known)
            self._note_flags(changed.uids[start:stop], changed.flags[start:stop])
            await self._pause()
        for start in range(known, len(changed.uids), _AT_ONCE):
            self.uids.extend(changed.uids[start : start + _AT_ONCE])
            self.flags += self._sets.shared(changed.flags[start : start + _AT_ONCE])
            await self._pause()
        self._gone.resize(len(self.uids))
        self._changed.resize(len(self.uids))

    def _note_flags(self, uids: Sequence[int], flags: Sequence[frozenset[str]]) -> None:
        """Take in the flags of known messages, and mark those whose flags have changed."""
        for indexes, before, now in self._replace(uids, flags):
            differ = [a is not b and a != b for a, b in zip(before, now, strict=True)]
            if all(differ) and isinstance(indexes, range):
                self._changed.mark(indexes)
            elif any(differ):
                self._changed.mark(compress(indexes, differ))

    def _replace(
        self, uids: Sequence[int], flags: Sequence[frozenset[str]]
    ) -> Iterator[tuple[Sequence[int], Sequence[frozenset[str]], Sequence[frozenset[str]]]]:
        """Set the flags of messages: yields their indexes, and the flags before and now.

        UIDs of no message in the view are left out.
        """
        now = self._sets.shared(flags)
        first = bisect_left(self.uids, uids[0])
        stop = first + len(uids)
        if self.uids[first:stop] == array("I", uids):
            before = self.flags[first:stop]
            self.flags[first:stop] = now
            yield range(first, stop), before, now
            return
        found = [self.index(uid) for uid in uids]
        indexes = [at for at in found if at is not None]
        now = [each for each, at in zip(now, found, strict=True) if at is not None]
        before = [self.flags[at] for at in indexes]
        for at, each in zip(indexes, now, strict=True):
            self.flags[at] = each
        yield indexes, before, now

    def _mark_recent(self, first: int) -> None:
        """Mark the new messages from UID ``first`` on as recent."""
        at = max(bisect_left(self.uids, first), self._decided)
        if at == len(self.uids):
            return
        self._recent.add(self.uids[at], self.uids[-1], self.uids[at - 1] if at else 0)

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
            if some[-1] - some[0] == len(some) - 1:
                indexes = range(bisect_left(self.uids, some[0]), bisect_right(self.uids, some[-1]))
                if indexes:
                    self._gone.mark(indexes)
            elif found := [at for uid in some if (at := self.index(uid)) is not None]:
                self._gone.mark(found)
            await self._pause()

    async def expunge(self) -> AsyncIterator[list[int]]:
        """Drop the messages that are gone.

        :returns: the sequence number of each when the client hears of it, some at a time: each EXPUNGE
            changes the numbers of the messages that follow (RFC 9051 7.5.1).
        """
        gone, self._gone = self._gone, Marks()
        uids, flags, expunged = array("I"), list[frozenset[str]](), 0
        for some in _ranges(len(self.uids)):
            removed = gone.within(some)
            if len(removed) == len(some):
                pass
            elif removed:
                uids.extend(gone.unmarked(self.uids[some.start : some.stop], some))
                flags += gone.unmarked(self.flags[some.start : some.stop], some)
            else:
                uids += self.uids[some.start : some.stop]
                flags += self.flags[some.start : some.stop]
            if removed:
                yield [at + 1 - before for before, at in enumerate(removed, expunged)]
                expunged += len(removed)
            else:
                await self._pause()
        self.uids, self.flags, self._decided = uids, flags, len(uids)
        self._gone.resize(len(uids))
        self._changed.resize(len(uids))

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
            columns = stored.uids[start : start + _AT_ONCE], stored.flags[start : start + _AT_ONCE]
            for indexes, before, now in self._replace(*columns):
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

    def flags_at(self, indexes: Iterable[int]) -> list[bytes]:
        """The flag lists of messages, ``\\Recent`` included."""
        flags = self.flags
        if not self._recent:
            return [flag_list(flags[at]) for at in indexes]
        uids, recent = self.uids, self._recent
        first = recent.first
        return [flag_list(flags[at], (uid := uids[at]) >= first and uid in recent) for at in indexes]

    def is_recent(self, uid: int) -> bool:
        """Whether this session is the first that was told of the message (RFC 3501 2.3.2)."""
        return uid in self._recent

    # -- numbers

    def index(self, uid: int) -> int | None:
        """The index of the message ``uid``; None if the client does not know it."""
        at = bisect_left(self.uids, uid)
        return at if at < len(self.uids) and self.uids[at] == uid else None

    def indexes(self, sequence: SequenceSet, *, uid: bool) -> Sequence[int]:
        """The indexes of the messages in a set, in ascending order.

        :param uid: whether it is a set of UIDs; unknown UIDs are left out.
        :raises IMAPWireError: for a sequence number of no message.
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

    def present(self, indexes: Sequence[int]) -> Sequence[int]:
        """The UIDs of these messages, without messages that are known to be gone."""
        uids = self.uids
        if isinstance(indexes, range):
            some = uids[indexes.start : indexes.stop]
            return array("I", self._gone.unmarked(some, indexes)) if self._gone else some
        return array("I", [uids[at] for at in self.there(indexes)])

    def there(self, indexes: Sequence[int]) -> Sequence[int]:
        """These indexes without those of messages that are known to be gone."""
        return self._gone.without(indexes)

    # -- what SELECT tells

    def recent_count(self) -> int:
        """How many messages are recent in this session."""
        return self._recent.count(self.uids)

    async def first_unseen(self) -> int | None:
        """The sequence number of the first message without ``\\Seen``, or None."""
        for start in range(0, len(self.flags), _AT_ONCE):
            some = self.flags[start : start + _AT_ONCE]
            if any(SEEN not in flags for flags in set(some)):
                return next(at for at, flags in enumerate(some, start + 1) if SEEN not in flags)
            await self._pause()
        return None


def _ignore(error: MailError) -> None:
    """The default for ``failed``."""


def _nothing() -> None:
    """``_unwatch`` of a view that does not listen."""


async def _no_pause() -> None:
    """The default for ``pause``."""


def _ranges(size: int) -> Iterator[range]:
    """The indexes of ``size`` messages, some at a time."""
    return (range(start, min(start + _AT_ONCE, size)) for start in range(0, size, _AT_ONCE))


class _Gone(Collection[int]):
    """See `MailboxView.gone`."""

    def __init__(self, view: MailboxView) -> None:
        self._view = view

    def __contains__(self, uid: object) -> bool:
        return isinstance(uid, int) and self._view.index(uid) in self._view._gone

    def __iter__(self) -> Iterator[int]:
        view = self._view
        return (view.uids[at] for some in _ranges(len(view.uids)) for at in view._gone.within(some))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        return self._view.any_gone
