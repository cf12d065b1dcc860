"""One session's view of its mailbox: the only place that knows sequence numbers.

An `IMailbox` knows UIDs, and may change at any time.  A client is told of changes only at
certain moments.  Until it is told of an expunge, every message keeps its number
(RFC 9051 5.2, 7.5.1).  So a view is the mailbox as the client knows it.  It catches up by
calling ``changes_since``; a hint only says that there may be changes.

A view keeps two parallel columns, 12 octets for each message: its UID, and a reference to its
set of flags, which messages share.

Work on many messages is done some thousands at a time, with `pause` in between, and its responses
come in as many pieces.  A session has one command under way at a time, so during a pause nothing
else uses its view.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from itertools import compress

from mailproto.awaiting import settle
from mailproto.errors import MailError
from mailproto.imap.server._errors import FLAG_NOT_KEPT
from mailproto.imap.wire import SequenceSet, flag_list
from mailproto.interfaces import IMailbox, IRecent
from mailproto.model import SEEN, SYSTEM_FLAGS, FlagChange, FlagColumns, MailboxStatus

__all__ = ["MailboxView"]


_AT_ONCE = 2000
"""How many messages are handled before others may have their turn: some 2 ms."""

_INTERNED_LIMIT = 4096
_interned: dict[frozenset[str], frozenset[str]] = {}


def _intern(flags: frozenset[str]) -> frozenset[str]:
    """Return the same object for all equal sets, in all mailboxes."""
    if len(_interned) >= _INTERNED_LIMIT:
        _interned.clear()
    return _interned.setdefault(flags, flags)


class MailboxView:
    """A selected mailbox as one client knows it.

    Await `load` once after making it, and `close` it in the end.  Methods that return octets
    return untagged responses, which must be sent: the view takes the client to know them.

    :param read_only: selected by EXAMINE: ``\\Recent`` is not claimed, and nothing is changed.
    :param pause: awaited during long work, so that others have their turn.
    :param failed: called with the error if ``\\Recent`` could not be claimed; reading goes on.
    :ivar uids: in ascending order; the message at index i has sequence number i + 1.
    :ivar flags: the flags of the same messages, as last seen.
    :ivar gone: UIDs of messages that were removed, and that the client still counts.
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
        # Ranges of UIDs [first, last] that are \Recent in this session, in ascending order.
        self._recent: list[tuple[int, int]] = []
        self._announced = 0  # how many messages the client knows of
        self._unannounced: list[int] = []  # indexes of messages whose flags the client does not know
        self._keywords: frozenset[str] = frozenset()
        self._new_sets: set[frozenset[str]] = set()  # sets of flags that came after the latest FLAGS response
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
            await self._pull(status)
            self._learn_keywords()
            self._unannounced, self._announced = [], len(self.uids)
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

    # -- catching up

    def has_updates(self, *, expunges: bool) -> bool:
        """Whether `update` would read the mailbox or give any responses."""
        return self._stale or (expunges and bool(self.gone))

    async def update(self, *, expunges: bool) -> AsyncIterator[bytes]:
        """Give the untagged responses that tell the client of changes.

        The mailbox is read only if it has hinted at a change.

        :param expunges: whether EXPUNGE responses are allowed now (RFC 9051 7.5.1).
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
            # Expunges come last, because the responses above use the numbers from before them.
            async for piece in self._expunge():
                yield piece

    async def _pull(self, status: MailboxStatus | None = None) -> None:
        """Read the changes from the mailbox."""
        self._stale = False  # a later hint makes it stale again
        try:
            await self._look()
            if len(self.uids) > self._announced and IRecent.providedBy(self.mailbox):
                if status is None:
                    status = await settle(self.mailbox.status())
                await self._claim_recent(self.mailbox, status)
        except BaseException:
            self._stale = True
            raise

    async def _look(self) -> None:
        """Read what has changed since the latest look at the mailbox."""
        changes = await settle(self.mailbox.changes_since(self._modseq))
        differ = await self._take_changes(changes.changed)
        self._unannounced = sorted({*self._unannounced, *differ}) if self._unannounced else differ
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

    async def _take_changes(self, changed: FlagColumns) -> list[int]:
        """Take in flags and new messages; return the indexes of known messages whose flags have changed."""
        differ: list[int] = []
        # Usually all messages are new.  The known ones come first, because UIDs ascend.
        known = bisect_right(changed.uids, self.uids[-1]) if self.uids else 0
        for start in range(0, known, _AT_ONCE):
            stop = min(start + _AT_ONCE, known)
            differ += self._note_flags(changed.uids[start:stop], changed.flags[start:stop])
            await self._pause()
        for start in range(known, len(changed.uids), _AT_ONCE):
            some = changed.flags[start : start + _AT_ONCE]
            interned = {flags: _intern(flags) for flags in set(some)}  # few different sets
            self.uids.extend(changed.uids[start : start + _AT_ONCE])
            self.flags += map(interned.__getitem__, some)
            self._new_sets.update(interned.values())
            await self._pause()
        return differ

    def _note_flags(self, uids: Sequence[int], flags: Sequence[frozenset[str]]) -> list[int]:
        """Take in the flags of known messages; return the indexes of those whose flags have changed."""
        differ = []
        for uid, now in zip(uids, flags, strict=True):
            at = self.index(uid)
            if at is not None and self.flags[at] != now:
                self.flags[at] = now = _intern(now)
                self._new_sets.add(now)
                differ.append(at)
        return differ

    def _mark_recent(self, first: int) -> None:
        """Mark the new messages from UID ``first`` on as recent."""
        at = max(bisect_left(self.uids, first), self._announced)
        if at == len(self.uids):
            return
        start, stop = self.uids[at], self.uids[-1]
        if self._recent and at and self.uids[at - 1] <= self._recent[-1][1]:
            start = self._recent.pop()[0]
        self._recent.append((start, stop))

    async def _expunge(self) -> AsyncIterator[bytes]:
        """Drop the messages that are gone, and give an EXPUNGE response for each."""
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
                # Each EXPUNGE changes the numbers in those that follow (RFC 9051 7.5.1).
                told.append(b"* %d EXPUNGE\r\n" % (start - expunged))
                expunged += 1
            yield b"".join(told)
        uids += self.uids[start:]
        flags += self.flags[start:]
        self.uids, self.flags, self._announced = uids, flags, len(uids)

    async def vanish(self, uids: Sequence[int]) -> None:
        """Note that messages were removed: the next `update` tells the client."""
        for some in _pieces(uids):
            self.gone.update(compress(some, [self.index(uid) is not None for uid in some]))
            await self._pause()

    # -- flags

    async def apply(self, change: FlagChange, stored: FlagColumns, *, silent: bool) -> list[int]:
        """Take in the result of the client's own STORE.

        :returns: indexes of the messages to answer with.  If ``silent``, only messages whose flags
            differ from what the client expects (RFC 9051 6.4.6).
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
        """A FLAGS response if the next responses have keywords that the client does not know; or nothing."""
        return self._flags_response() if self._learn_keywords() else b""

    def _learn_keywords(self) -> bool:
        """Whether new or changed messages have keywords that were not seen before."""
        sets, self._new_sets = self._new_sets, set()
        unknown = frozenset().union(*sets).difference(SYSTEM_FLAGS, self._keywords)
        self._keywords |= unknown
        return bool(unknown)

    def render_flags(self, indexes: Iterable[int], *, uid: bool) -> bytes:
        """FETCH responses with the flags of these messages, and with their UIDs if ``uid``."""
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
        """The flag lists of messages, ``\\Recent`` included."""
        flags = self.flags
        if not self._recent:
            return [flag_list(flags[at]) for at in indexes]
        uids, first = self.uids, self._recent[0][0]
        return [flag_list(flags[at], (uid := uids[at]) >= first and self.is_recent(uid)) for at in indexes]

    def is_recent(self, uid: int) -> bool:
        """Whether this session is the first that was told of the message (RFC 3501 2.3.2)."""
        return any(first <= uid <= last for first, last in reversed(self._recent))

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

    def present(self, indexes: Sequence[int]) -> list[int]:
        """The UIDs of these messages, without messages that are known to be gone."""
        uids, gone = self.uids, self.gone
        if isinstance(indexes, range) and not gone:
            return uids[indexes.start : indexes.stop].tolist()
        return [uid for at in indexes if (uid := uids[at]) not in gone]

    # -- what SELECT tells

    def exists(self) -> bytes:
        """EXISTS and RECENT, which always come together."""
        return b"* %d EXISTS\r\n* %d RECENT\r\n" % (len(self.uids), self.recent_count())

    def recent_count(self) -> int:
        """How many messages are recent in this session."""
        uids = self.uids
        return sum(bisect_left(uids, last + 1) - bisect_left(uids, first) for first, last in self._recent)

    async def first_unseen(self) -> int | None:
        """The sequence number of the first message without ``\\Seen``, or None."""
        for start in range(0, len(self.flags), _AT_ONCE):
            some = self.flags[start : start + _AT_ONCE]
            if any(SEEN not in flags for flags in set(some)):
                return next(at for at, flags in enumerate(some, start + 1) if SEEN not in flags)
            await self._pause()
        return None

    def _flags_response(self) -> bytes:
        """FLAGS: the system flags, and every keyword seen in this mailbox (RFC 9051 7.3.5)."""
        return b"* FLAGS %b\r\n" % flag_list(self._keywords.union(SYSTEM_FLAGS))

    async def describe(self, status: MailboxStatus) -> bytes:
        """The untagged responses to SELECT and EXAMINE."""
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
    """The default for ``failed``."""


def _nothing() -> None:
    """``_unwatch`` of a view that does not listen."""


async def _no_pause() -> None:
    """The default for ``pause``."""


def _pieces(values: Sequence[int]) -> Iterator[Sequence[int]]:
    return (values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE))
