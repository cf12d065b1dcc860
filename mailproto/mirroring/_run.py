"""One run for one pair of mailboxes.

The order of the steps makes it safe to stop anywhere: what is done on a side is done before it is noted, and
doing it again changes nothing.  Only appending is different: the messages that were appended last are then
found by their octets (`match`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mailproto.mirroring._breathing import Breather
from mailproto.mirroring._copying import Copying
from mailproto.mirroring._exchanged import Exchanged
from mailproto.mirroring._flags import (
    Flags,
    changed_flags,
    common_flags,
    flags_text,
    keeps,
    merged_flags,
    read_flags,
)
from mailproto.mirroring._matching import match
from mailproto.mirroring._report import MirrorProgress, MirrorReport
from mailproto.mirroring._sides import MirrorError, Side
from mailproto.mirroring._state import MailboxState, MirrorState, Pair

__all__ = ["MailboxRun"]


class MailboxRun:
    """One run.

    :param source: side 0.
    :param target: side 1.
    """

    def __init__(
        self,
        source: Side,
        target: Side,
        *,
        both: bool,
        dry_run: bool,
        breather: Breather,
        report: MirrorReport,
        progress: Callable[[MirrorProgress], object] | None,
    ) -> None:
        self._sides = (source, target)
        self._both = both
        self._dry_run = dry_run
        self._breather = breather
        self._report = report
        self._progress = progress

    async def run(self, states: MirrorState) -> None:
        """Mirror.

        :raises Exchanged: nothing is done, because a mailbox has the name of another one.
        :raises MirrorError: it cannot go on.
        :raises MailError: a side fails.
        """
        source, target = self._sides
        for each in self._sides:
            await each.open()
        can = target.is_writable and (source.is_writable or not self._both)
        if not can and not self._dry_run:
            name = source.name if target.is_writable else target.name
            raise MirrorError(f"{name} cannot be changed")
        state = states.mailbox(source.name, target.name)
        await self._breather.aside(state.see_nothing)
        ids = (source.mailbox_id, target.mailbox_id)
        if self._are_others(state) and not states.has_compared:
            raise Exchanged(f"{source.name} is another mailbox now")
        validity = (source.uid_validity, target.uid_validity)
        if 0 in validity or state.validity != validity or self._are_others(state):
            state.begin_anew(validity)
        state.note_identity(ids)
        await self._look(state)
        self._report.matched += await match(state, self._sides, self._breather)
        if not state.has_withheld():  # otherwise the next run looks at the same messages of the target
            state.note_next(target.uid_next)
        for side in (0, 1) if self._both else (0,):
            await self._remove_vanished(state, side)
        for side in (0, 1) if self._both else (0,):
            await self._change_flags(state, side)
        failed = [False, False]
        for side in (0, 1) if self._both else (0,):
            copying = Copying(
                state,
                self._sides,
                side,
                both=self._both,
                dry_run=self._dry_run,
                breather=self._breather,
                report=self._report,
                progress=self._progress,
            )
            failed[side] = not await copying.run()
        before = state.modseqs
        state.finish(
            (
                before[0] if failed[0] else source.modseq,
                before[1] if failed[1] or not self._both else target.modseq,
            )
        )
        self._report.mailboxes += 1

    def _are_others(self, state: MailboxState) -> bool:
        """Whether other mailboxes have the names now.  UIDVALIDITY may be the same, where it is the time."""
        return any(
            known and side.mailbox_id and known != side.mailbox_id
            for known, side in zip(state.identities, self._sides, strict=True)
        )

    async def _look(self, state: MailboxState) -> None:
        """Note what is new on both sides."""
        source, target = self._sides
        async for rows in source.changes(state.modseqs[0]):
            state.see(0, rows)
            await self._breather.breathe()
        theirs = target.changes(state.modseqs[1]) if self._both else target.listed_from(state.next_target)
        async for rows in theirs:
            state.see(1, rows)
            await self._breather.breathe()

    # -- what is gone

    async def _remove_vanished(self, state: MailboxState, side: int) -> None:
        """Remove what is gone from one side from the other, if it was known on both."""
        here = self._sides[side]
        if here.present is not None:
            present = here.present
            for pairs in state.pairs(side):
                await self._remove(state, side, [pair for pair in pairs if pair[side] not in present])
            return
        for low, high in here.vanished.ranges:
            while pairs := state.pairs_between(side, low, high):
                await self._remove(state, side, pairs)

    async def _remove(self, state: MailboxState, side: int, pairs: Sequence[Pair]) -> None:
        await self._breather.breathe()
        if not pairs:
            return
        there = self._sides[1 - side]
        uids = sorted((pair[0] if side else pair[1]) for pair in pairs)
        present = there.present
        uids = [uid for uid in uids if present is None or uid in present]
        if uids and not self._dry_run:
            await there.remove(uids)
        self._report.removed += len(uids)
        state.forget(pair[0] for pair in pairs)

    # -- flags

    async def _change_flags(self, state: MailboxState, side: int) -> None:
        for rows in state.seen_pairs(side):
            if side == 1:  # those that were seen on both sides are done
                rows = [row for row in rows if row[3] is None]
            await self._agree(state, rows)
            await self._breather.breathe()

    async def _agree(
        self, state: MailboxState, rows: Sequence[tuple[int, int, str, str | None, str | None]]
    ) -> None:
        """Bring the changes of flags to both sides, or (one way) to the target."""
        wanted: list[dict[tuple[Flags, Flags], list[tuple[int, int]]]] = [{}, {}]
        agreed_on: dict[int, Flags] = {}  # by the source's UID
        changed: set[int] = set()
        for source_uid, target_uid, agreed, ours, theirs in rows:
            if ours == agreed and (theirs == agreed or theirs is None or not self._both):
                continue
            if ours is None and theirs == agreed:
                continue
            before, uids = self._common(read_flags(agreed)), (source_uid, target_uid)
            now = [self._common(read_flags(agreed if each is None else each)) for each in (ours, theirs)]
            if self._both:
                merged = merged_flags(before, now[0], now[1])
                changes = [changed_flags(now[0], merged), changed_flags(now[1], merged)]
            else:
                merged = now[0]
                add, remove = changed_flags(before, merged)
                if theirs is not None:  # as far as it is not so already
                    add, remove = changed_flags(now[1], add)[0], common_flags(now[1], remove)
                changes = [(frozenset(), frozenset()), (add, remove)]
            for side, change in enumerate(changes):
                if any(change):
                    wanted[side].setdefault(change, []).append(uids)
                    changed.add(source_uid)
            agreed_on[source_uid] = merged
        self._report.flagged += len(changed)
        if self._dry_run:
            return
        for side in (0, 1):
            for (add, remove), pairs in wanted[side].items():
                told = await self._sides[side].change(sorted(uids[side] for uids in pairs), add, remove)
                for uids in pairs if self._both and add else ():
                    # What a side does not keep has not been taken from it by somebody.  But what it had, and
                    # has not any more, was taken away just now: that is a change, which the next run sees.
                    if uids[side] in told:
                        not_kept, _ = changed_flags(told[uids[side]], add)
                        agreed_on[uids[0]] = changed_flags(not_kept, agreed_on[uids[0]])[0]
        state.agree((flags_text(flags), uid) for uid, flags in agreed_on.items())

    def _common(self, flags: Flags) -> Flags:
        """Those flags that are mirrored: that the target keeps, and (both ways) the source, too."""
        sides = self._sides if self._both else self._sides[1:]
        return frozenset(flag for flag in flags if all(keeps(side.permanent_flags, flag) for side in sides))
