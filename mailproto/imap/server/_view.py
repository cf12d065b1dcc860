"""One session's view of its mailbox: the only place that knows sequence numbers.

An `IMailbox` knows UIDs, and may change at any time.  A client is told of changes only at
certain moments.  Until it is told of an expunge, every message keeps its number
(RFC 9051 5.2, 7.5.1).  So a view is the mailbox as the client knows it.  It catches up by
calling ``changes_since``; a hint only says that there may be changes.  It returns what has
changed; `mailproto.imap.server._view_writer` makes responses of that.

Work on many messages is done some thousands at a time, with `pause` in between.  A session has one
command under way at a time, so during a pause nothing else uses its view.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence

from mailproto.awaiting import Pending, at_once, settle
from mailproto.errors import MailError
from mailproto.imap.server._columns import MessageColumns
from mailproto.imap.server._errors import FLAG_NOT_KEPT
from mailproto.imap.server._recent import RecentRanges
from mailproto.imap.server._shared_columns import Look, Sharing
from mailproto.imap.wire import flag_list
from mailproto.interfaces import IMailbox, IRecent
from mailproto.model import Changes, MailboxStatus

__all__ = ["MailboxView"]

_GREATEST_UID = (1 << 32) - 1

_FEW = 100
"""New messages that are taken in at once, without a pause."""

_NOT_KNOWN = 1 << 64
"""Greater than any modseq: there may be changes of which there was no hint."""

_CLAIMS = 10
"""How often messages are claimed as recent while more keep coming."""


class MailboxView(MessageColumns):
    """A selected mailbox as one client knows it.

    Await `load` once after making it, and `close` it in the end.

    :param read_only: selected by EXAMINE: ``\\Recent`` is not claimed, and nothing is changed.
    :param pause: awaited during long work, so that others have their turn.
    :param sharing: where equal columns of other views are found; None to share with no other view.
    :param failed: called with the error if ``\\Recent`` could not be claimed; reading goes on.
    :param recent: whether this client is told of ``\\Recent``; if not, none is claimed.
    :param modseqs: whether the modseqs of messages are kept.
    """

    __slots__ = (
        "_decided",
        "_failed",
        "_held_at",
        "_hinted",
        "_is_slow",
        "_modseq",
        "_on_hint",
        "_recent",
        "_shows_recent",
        "_stale",
        "_unwatch",
        "mailbox",
        "read_only",
    )

    def __init__(
        self,
        mailbox: IMailbox,
        *,
        read_only: bool = False,
        pause: Callable[[], Awaitable[None]] | None = None,
        sharing: Sharing | None = None,
        failed: Callable[[MailError], None] | None = None,
        recent: bool = True,
        modseqs: bool = False,
    ) -> None:
        super().__init__(pause, sharing, modseqs=modseqs)
        self.mailbox = mailbox
        self._failed = failed or _ignore
        self.read_only = read_only or not mailbox.writable
        self._shows_recent = recent
        self._recent = RecentRanges()
        self._held_at: int | None = None
        self._decided = 0  # of how many messages it is known whether they are recent
        self._modseq = 0
        self._stale = False
        self._hinted = 0  # the greatest modseq of a hint, or `_NOT_KNOWN`, since the latest look
        self._is_slow = False  # whether the mailbox had to wait for a few changes
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
        self._leave()

    def _hint(self, modseq: int) -> None:
        if modseq > self._modseq:
            self._stale = True
            self._hinted = max(self._hinted, modseq)
            if self._on_hint is not None:
                self._on_hint()

    def on_hint(self, listener: Callable[[], None] | None) -> None:
        """Call ``listener`` whenever there may be updates (IDLE); None to stop."""
        self._on_hint = listener

    @property
    def is_stale(self) -> bool:
        """Whether there was a hint after the latest look at the mailbox."""
        return self._stale

    def expect_changes(self, mailbox: IMailbox) -> bool:
        """The client has changed ``mailbox``: if it is this one, look again, because a hint may come late.

        :returns: whether it is.
        """
        is_this = mailbox.uid_validity == self.mailbox.uid_validity
        if is_this:
            self._stale, self._hinted = True, _NOT_KNOWN
        return is_this

    # -- catching up

    async def look(self, status: MailboxStatus | None = None) -> None:
        """Take in what has changed since the latest look at the mailbox.

        :param status: the mailbox's, if the caller knows it.
        """
        self._stale, self._hinted = False, 0  # a later hint makes it stale again
        try:
            await self._look()
            is_longer = len(self.uids) > self._decided
            if is_longer and self._shows_recent and IRecent.providedBy(self.mailbox):
                if status is None:
                    status = await settle(self.mailbox.status())
                await self._claim_recent(self.mailbox, status)
            self._decided = len(self.uids)
        except BaseException:
            self._stale, self._hinted = True, _NOT_KNOWN
            raise

    def look_as_others(self) -> bool:
        """`look_at_once`, if another view has just seen what we would see; the mailbox is not asked.

        :returns: False if nothing was done.
        """
        sharing = self._sharing
        look = None if sharing is None else sharing.look
        return (
            look is not None
            and look.modseq == self._modseq
            and self._hinted <= look.changes.modseq
            and (look.is_claimed or not self._shows_recent)
            and self._decided == len(self.uids)
            and look.mailbox == self.mailbox
            and self._take_look(look.changes)
        )

    def look_at_once(self) -> bool:
        """`look`, if the mailbox need not wait, and if all that has changed are a few new messages of which
        none is recent for us.

        :returns: False if nothing was done.
        """
        if self._is_slow or self._decided != len(self.uids):
            return False
        look = self._seen_at_once()
        if look is None or not self._take_look(look.changes):
            self._hinted = _NOT_KNOWN
            return False
        if self._sharing is not None:
            self._sharing.look = look
        return True

    def _seen_at_once(self) -> Look | None:
        mailbox, modseq = self.mailbox, self._modseq
        is_claimed = False
        self._hinted = 0  # the answer is newer than all hints so far
        try:
            changes = at_once(mailbox.changes_since(modseq))
            if len(changes.vanished) or not 0 < len(changes.changed) <= _FEW:
                return None
            if self._shows_recent:
                # Usually, the first one who was told has claimed them.
                if IRecent.providedBy(mailbox) and at_once(mailbox.status()).recent:
                    return None
                is_claimed = True
        except Pending:
            self._is_slow = True
            return None
        except MailError:
            return None
        return Look(mailbox, modseq, changes, is_claimed)

    def _take_look(self, changes: Changes) -> bool:
        if not self.take_new(changes.changed, changes.modseq):
            return False
        self._modseq = changes.modseq
        self._decided = len(self.uids)
        self._stale = self._hinted > changes.modseq
        return True

    async def _look(self) -> None:
        changes = await settle(self.mailbox.changes_since(self._modseq))
        if len(changes.changed) + len(changes.vanished) > _FEW:
            self._is_slow = False  # that is why it had to wait
        async with self.turn(len(changes.changed)):
            await self.take(changes.changed, changes.modseq)
            await self.vanish(changes.vanished)
            await self.share()
        self._modseq = changes.modseq

    async def vanish(self, uids: Sequence[int]) -> None:
        """See `MessageColumns.vanish`."""
        await super().vanish(uids)
        if self._held_at is None and self.any_gone:
            self._held_at = self._modseq

    @property
    def modseq(self) -> int:
        """The client knows all changes up to it, once it has been told of `take_changed`; removed messages
        that it still counts keep it low (RFC 7162 3.2)."""
        return self._modseq if self._held_at is None else self._held_at

    @property
    def looked_at(self) -> int:
        """The mailbox's modseq when it was looked at last; the client may not know all changes up to it."""
        return self._modseq

    @property
    def is_ahead(self) -> bool:
        """Whether the client's own change has a modseq above those of changes by others that were not looked
        at yet."""
        return self.applied > self._modseq

    async def keep_modseqs(self) -> None:
        """Keep the modseqs of messages from now on; what has changed lately has been told."""
        if self.modseqs is None:
            changes = await settle(self.mailbox.changes_since(0))
            # What has changed since the latest look is taken in by the next one.
            await self.note_modseqs(changes.changed, self._modseq)

    async def _claim_recent(self, mailbox: IRecent, status: MailboxStatus) -> None:
        """Find out which of the new messages are recent.

        A claim changes the mailbox, so none is made if no message can be recent.
        """
        if not status.recent:
            return
        if self.read_only:
            self._mark_recent(self._newest(status.recent))
            return
        for _ in range(_CLAIMS):
            try:
                claimed = await settle(mailbox.claim_recent())
            except FLAG_NOT_KEPT as error:
                # This is no reason not to read.  The messages will be recent in a later session, too.
                self._failed(error)
                claimed = self._newest(status.recent)
            # Messages that came after the latest look are claimed, too.
            await self._look()
            self._mark_recent(claimed)
            if not self.uids or self.uids[-1] < claimed.stop:
                return
            # Others have come since, which are to be claimed before the client is told of them.
            self._decided = bisect_left(self.uids, claimed.stop)

    def _newest(self, count: int) -> range:
        """The UIDs of the last messages."""
        return range(self.uids[-min(count, len(self.uids))], _GREATEST_UID + 1)

    async def expunge(self) -> AsyncIterator[tuple[list[int], Sequence[int]]]:
        """See `MessageColumns.expunge`."""
        async for some in super().expunge():
            yield some
        self._decided = len(self.uids)
        self._held_at = None

    def forget_recent(self) -> None:
        """From now on, nothing is recent for this client."""
        self._shows_recent = False
        self._recent = RecentRanges()

    def _mark_recent(self, uids: range) -> None:
        """Mark those of the new messages that have these UIDs as recent."""
        first = max(bisect_left(self.uids, uids.start), self._decided)
        last = bisect_left(self.uids, uids.stop) - 1
        if first <= last:
            self._recent.add(self.uids[first], self.uids[last], self.uids[first - 1] if first else 0)

    # -- flags

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

    # -- what SELECT tells

    def recent_count(self) -> int:
        """How many messages are recent in this session."""
        return self._recent.count(self.uids) if self._recent else 0


def _ignore(error: MailError) -> None:
    """The default for ``failed``."""


def _nothing() -> None:
    """``_unwatch`` of a view that does not listen."""
