"""Copies the messages that are on one side only."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mailproto.client.errors import ConnectionLost
from mailproto.content import Content
from mailproto.errors import MailError
from mailproto.mirroring._breathing import Breather
from mailproto.mirroring._flags import Flags, common_flags, flags_text, keeps, read_flags
from mailproto.mirroring._matching import match
from mailproto.mirroring._report import MirrorFailure, MirrorProgress, MirrorReport
from mailproto.mirroring._sides import MirrorError, ReadMessage, Side
from mailproto.mirroring._state import MailboxState, Pair
from mailproto.model import NewMessage

__all__ = ["Copying"]

_MESSAGES = 64
"""Messages that are appended at a time."""

_OCTETS = 1 << 22
"""Octets after which they are appended before there are so many."""


class Copying:
    """Copies from one side to the other.

    :param side: from which.
    """

    def __init__(
        self,
        state: MailboxState,
        sides: tuple[Side, Side],
        side: int,
        *,
        both: bool,
        dry_run: bool,
        breather: Breather,
        report: MirrorReport,
        progress: Callable[[MirrorProgress], object] | None,
    ) -> None:
        self._state = state
        self._sides = sides
        self._side = side
        self._here, self._there = sides[side], sides[1 - side]
        self._both = both
        self._dry_run = dry_run
        self._breather = breather
        self._report = report
        self._progress = progress
        self._done = self._total = self._octets = 0
        self._failed = 0
        self._listed = self._there.uid_next

    async def run(self) -> bool:
        """Copy.

        :returns: whether all messages were copied.
        """
        async for page in self._breather.each(self._state.new(self._side)):
            self._total += len(page)
        if self._dry_run:
            self._count(self._total)
            return True
        async for uids in self._breather.each(self._state.new(self._side)):
            if uids:
                await self._copy_page(uids)
        return not self._failed

    def _count(self, messages: int, octets: int = 0) -> None:
        if self._side:
            self._report.copied_back += messages
        else:
            self._report.copied += messages
        self._report.octets += octets
        self._done += messages
        self._octets += octets
        if self._progress is not None:
            self._progress(MirrorProgress(self._sides[0].name, self._done, self._total, self._octets))

    async def _copy_page(self, uids: Sequence[int]) -> None:
        flags = self._state.flags_seen(self._side, uids)
        batch: list[tuple[int, NewMessage]] = []
        octets = 0
        missing = set(uids)
        withheld = self._state.withheld(self._side, uids)
        async for message in self._here.read([uid for uid in uids if uid not in withheld]):
            missing.discard(message.uid)
            if message.content is None:
                self._fail(message.uid, "the server does not give it")
                continue
            new = self._new(message, message.content, read_flags(flags[message.uid]))
            batch.append((message.uid, new))
            octets += len(message.content)
            if len(batch) >= _MESSAGES or octets >= _OCTETS:
                await self._append(batch)
                batch, octets = [], 0
        if batch:
            await self._append(batch)
        # Those that are gone by now need no copy.
        for uid in sorted(await self._here.flags(sorted(missing))) if missing else ():
            self._fail(uid, "the server does not give it")

    def _new(self, message: ReadMessage, content: Content, seen: Flags) -> NewMessage:
        kept = frozenset(flag for flag in seen if keeps(self._there.permanent_flags, flag))
        return NewMessage(content, kept, message.internal_date, message.zone)

    async def _append(self, batch: Sequence[tuple[int, NewMessage]]) -> None:
        """Append messages, and note them; one by one, if they are refused together."""
        await self._breather.breathe()
        try:
            known = await self._there.append([message for _, message in batch])
        except ConnectionLost:
            raise
        except (MailError, ValueError) as error:
            if len(batch) == 1:
                self._fail(batch[0][0], str(error))
                return
            left = await self._found_of(batch)
            for each in left:
                await self._append([each])
            return
        if len(known) == len(batch):
            await self._note(batch, known)
        elif left := await self._found_of(batch):
            raise MirrorError(
                f"{self._there.name}: {len(left)} messages were appended, but are not there as they were"
            )

    async def _note(self, batch: Sequence[tuple[int, NewMessage]], known: Sequence[int]) -> None:
        told = await self._there.flags(known) if self._both else {}
        pairs: list[Pair] = []
        for (uid, message), other in zip(batch, known, strict=True):
            flags = message.flags
            if other in told:
                flags = common_flags(flags, told[other])
            pair = (other, uid) if self._side else (uid, other)
            pairs.append((*pair, flags_text(flags)))
        self._state.add(pairs)
        self._count(len(batch), sum(len(message.content) for _, message in batch))

    async def _found_of(self, batch: Sequence[tuple[int, NewMessage]]) -> Sequence[tuple[int, NewMessage]]:
        """Find by their octets which messages of a batch have been appended.

        :returns: the others.
        """
        new_side = 1 - self._side
        async for rows in self._there.listed_from(self._listed):
            self._state.see(new_side, rows)
            self._listed = max([self._listed, *(uid + 1 for uid, _ in rows)])
        await match(self._state, self._sides, self._breather)
        if await self._is_unknown(batch):
            raise MirrorError(f"{self._there.name}: it is not known whether messages were appended")
        missing = {uid for page in self._state.new(self._side, batch[0][0] - 1) for uid in page}
        left = [each for each in batch if each[0] in missing]
        found = [message for uid, message in batch if uid not in missing]
        self._count(len(found), sum(len(message.content) for message in found))
        return left

    async def _is_unknown(self, batch: Sequence[tuple[int, NewMessage]]) -> bool:
        """Whether messages could not be compared."""
        if self._state.withheld(self._side, [uid for uid, _ in batch]):
            return True
        async for uids in self._breather.each(self._state.new(1 - self._side)):
            if uids and self._state.withheld(1 - self._side, uids):
                return True
        return False

    def _fail(self, uid: int, reason: str) -> None:
        self._failed += 1
        self._report.failures.append(MirrorFailure(self._here.name, uid, reason))
