"""The messages of a mailbox in memory, in the order of their changes, and counted."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import islice, takewhile
from typing import Final

from mailproto.backends._keywords import MailboxKeywords
from mailproto.backends._uid_runs import UidRuns
from mailproto.backends._usage import Usage
from mailproto.backends._watch import ModSeqs, Watchers
from mailproto.message import Steps
from mailproto.model import (
    DELETED,
    SEEN,
    SYSTEM_FLAGS,
    Changes,
    FlagChange,
    FlagColumns,
    MailboxStatus,
    MessageInfo,
    StoreResult,
)

__all__ = ["AT_ONCE", "Message", "State"]

AT_ONCE: Final = 2000
"""Messages that are changed, or of which changes are told, before others have their turn: some 2 ms."""

_TOMBSTONES = 10_000
"""Runs of removed UIDs that a mailbox remembers at least; it remembers at most twice as many.

For changes since an earlier time, every UID that does not exist is reported instead.
"""


@dataclass(slots=True)
class Message:
    """One message; its summary is added to ``info`` when it is first read."""

    info: MessageInfo
    content: bytes
    flags: frozenset[str]
    modseq: int


class State:
    """The state that all objects of one mailbox share; their names may differ after a rename.

    :ivar messages: by ascending UID.
    :ivar keywords: limits the keywords.
    :ivar uid_next: the next message's UID.
    :ivar deleted: whether the mailbox was deleted.
    """

    def __init__(self, modseqs: ModSeqs, usage: Usage | None = None) -> None:
        self._modseqs = modseqs
        self._usage = Usage() if usage is None else usage
        self.modseq = modseqs.next()
        self.messages: dict[int, Message] = {}
        self.keywords = MailboxKeywords()
        self.deleted = False
        self.watchers: Watchers[None] = Watchers()
        self.uid_next = 1
        self._unclaimed = 1  # the first UID that no session has claimed as recent
        self._recent = self._unseen = self._marked_deleted = self._size = 0
        self._changed: dict[int, Message] = {}  # all messages, those that have changed last at the end
        self._vanished: deque[tuple[int, list[tuple[int, int]]]] = deque()  # modseqs, and runs of UIDs
        self._tombstones = 0  # how many runs
        self._forgotten = 0  # the modseq of the last tombstone that was dropped

    # Reading

    def status(self, uid_validity: int) -> MailboxStatus:
        """The mailbox's status."""
        return MailboxStatus(
            messages=len(self.messages),
            unseen=self._unseen,
            recent=self._recent,
            uid_next=self.uid_next,
            uid_validity=uid_validity,
            modseq=self.modseq,
            size=self._size,
            deleted=self._marked_deleted,
        )

    def deleted_storage(self) -> int:
        """The octets of the messages with ``\\Deleted``."""
        return sum(each.info.size or 0 for each in self.messages.values() if DELETED in each.flags)

    def of(self, uids: Iterable[int]) -> list[Message]:
        """Those of these messages that exist."""
        messages = self.messages
        return [messages[uid] for uid in uids if uid in messages]

    def change_steps(self, modseq: int) -> Steps[Changes]:
        """See `IMailbox.changes_since`; in steps, between which the mailbox may change.

        The result has the modseq from the beginning.  What changes later may be in it, and is in the next
        one's in any case.
        """
        now = self.modseq
        changed: Sequence[Message]
        if modseq <= 0:
            changed = list(self.messages.values())
        else:
            latest = takewhile(lambda message: message.modseq > modseq, reversed(self._changed.values()))
            changed = list(islice(latest, AT_ONCE + 1))
            if len(changed) <= AT_ONCE:
                changed.sort(key=_uid)
            else:
                changed = yield from self._sorted_steps(list(self._changed.values()), modseq)
        vanished = yield from self._vanished_steps(modseq)
        uids, flags, modseqs = array("I"), list[frozenset[str]](), array("Q")
        for start in range(0, len(changed), AT_ONCE):
            if start:
                yield
            some = changed[start : start + AT_ONCE]
            uids.extend([message.info.uid for message in some])
            flags += [message.flags for message in some]
            modseqs.extend([message.modseq for message in some])
        return Changes(FlagColumns(uids, flags, modseqs), vanished, now)

    def _sorted_steps(self, messages: Sequence[Message], modseq: int) -> Steps[list[Message]]:
        """The messages that have changed since ``modseq``, which are the last of ``messages``, by UID."""
        pieces: list[list[Message]] = []
        for stop in range(len(messages), 0, -AT_ONCE):
            some = messages[max(stop - AT_ONCE, 0) : stop]
            pieces.append(sorted((each for each in some if each.modseq > modseq), key=_uid))
            yield
            if len(pieces[-1]) < len(some):
                break
        changed: list[Message] = []
        ordered = merge(*pieces, key=_uid)
        while some := list(islice(ordered, AT_ONCE)):
            changed += some
            yield
        return changed

    def _vanished_steps(self, modseq: int) -> Steps[Sequence[int]]:
        vanished = UidRuns()
        if 0 < modseq < self._forgotten:
            last, uid_next = 0, self.uid_next
            there = array("I", self.messages)
            for start in range(0, len(there), AT_ONCE):
                yield
                for uid in there[start : start + AT_ONCE]:
                    vanished.add(last + 1, uid - 1)
                    last = uid
            vanished.add(last + 1, uid_next - 1)
        elif modseq > 0:
            latest = takewhile(lambda each: each[0] > modseq, reversed(self._vanished))
            runs = sorted([run for _, some in latest for run in some])
            for start in range(0, len(runs), AT_ONCE):
                if start:
                    yield
                for first, last in runs[start : start + AT_ONCE]:
                    vanished.add(first, last)
        return vanished

    def claim_recent(self) -> range:
        """See `IRecent.claim_recent`."""
        recent, self._recent = self._recent, 0
        self._unclaimed = self.uid_next
        first = next(islice(reversed(self.messages), recent - 1, None)) if recent else self.uid_next
        return range(first, self.uid_next)

    # Changing

    def next_modseq(self) -> int:
        """Return the modseq for a new change."""
        self.modseq = self._modseqs.next()
        return self.modseq

    def notify(self) -> None:
        """Call the listeners after a change."""
        self.watchers.notify(None, self.modseq)
        self._modseqs.notify()

    def add(self, message: Message) -> None:
        """Append a message, which gets its UID and its modseq."""
        uid, self.uid_next = self.uid_next, self.uid_next + 1
        message.info, message.modseq = message.info._replace(uid=uid), self.next_modseq()
        self.messages[uid] = self._changed[uid] = message
        self._recent += 1
        self._count(message, 1)

    def store(
        self,
        uids: Sequence[int],
        change: FlagChange,
        becomes: dict[frozenset[str], frozenset[str]],
        unchanged_since: int | None,
    ) -> StoreResult:
        """See `IMailbox.store`.

        :param becomes: what ``change`` makes of the sets of flags that the messages had.
        """
        messages = self.of(uids)
        refused: list[int] = []
        if unchanged_since is not None:
            refused = [each.info.uid for each in messages if each.modseq > unchanged_since]
            messages = [each for each in messages if each.modseq <= unchanged_since]
        for flags in {each.flags for each in messages}.difference(becomes):  # changed by others meanwhile
            becomes[flags] = change.apply(flags)
        if changed := [each for each in messages if becomes[each.flags] != each.flags]:
            self.set_flags(changed, becomes)
            self.notify()
        uids = array("I", [each.info.uid for each in messages])
        modseqs = array("Q", [each.modseq for each in messages])
        return StoreResult(FlagColumns(uids, [each.flags for each in messages], modseqs), refused)

    def set_flags(
        self, messages: Sequence[Message], becomes: Mapping[frozenset[str], frozenset[str]]
    ) -> None:
        """Give messages other flags, and all of them one new modseq.

        :param becomes: the new flags for those that they have.
        """
        modseq = self.next_modseq()
        changed = self._changed
        numbers = Counter([message.flags for message in messages])
        for before, number in numbers.items():
            after = becomes[before]
            self._unseen += ((SEEN in before) - (SEEN in after)) * number
            self._marked_deleted += ((DELETED in after) - (DELETED in before)) * number
        for message in messages:
            message.flags, message.modseq = becomes[message.flags], modseq
            uid = message.info.uid
            del changed[uid]
            changed[uid] = message

    def remove(self, uids: Sequence[int]) -> list[Message]:
        """Remove messages, which must exist, in ascending order of their UIDs; they get one new modseq."""
        modseq = self.next_modseq()
        removed = []
        for uid in uids:
            message = self.messages.pop(uid)
            del self._changed[uid]
            self._count(message, -1)
            removed.append(message)
        self._recent -= len(uids) - bisect_right(uids, self._unclaimed - 1)
        runs = _runs(uids)
        self._vanished.append((modseq, runs))
        self._tombstones += len(runs)
        if self._tombstones > 2 * _TOMBSTONES:
            while self._tombstones > _TOMBSTONES:
                self._forgotten, dropped = self._vanished.popleft()
                self._tombstones -= len(dropped)
        return removed

    def clear(self) -> Iterator[Sequence[Message]]:
        """Delete the mailbox; the result gives its messages, some at a time, and forgets them."""
        self.deleted = True
        messages, self.messages = self.messages, {}
        changed, self._changed = self._changed, {}
        self._usage.add(-self._size, -len(messages))
        self.next_modseq()
        return _emptied(messages, changed)

    def check_keywords(self, sets: Iterable[frozenset[str]]) -> None:
        """Check whether the mailbox may have these sets of flags.

        :raises TooManyKeywords: it has too many keywords.
        """
        self.keywords.check(
            map(_combination, sets), lambda: [_combination(each.flags) for each in self.messages.values()]
        )

    def _count(self, message: Message, sign: int) -> None:
        octets = sign * (message.info.size or 0)
        self._size += octets
        self._usage.add(octets, sign)
        if SEEN not in message.flags:
            self._unseen += sign
        if DELETED in message.flags:
            self._marked_deleted += sign


def _emptied(messages: dict[int, Message], changed: dict[int, Message]) -> Iterator[Sequence[Message]]:
    while messages:
        some = [messages.popitem()[1] for _ in range(min(len(messages), AT_ONCE))]
        for message in some:
            del changed[message.info.uid]
        yield some


def _uid(message: Message) -> int:
    return message.info.uid


def _runs(uids: Sequence[int]) -> list[tuple[int, int]]:
    """The first and last of each stretch of consecutive UIDs."""
    if uids[-1] - uids[0] == len(uids) - 1:
        return [(uids[0], uids[-1])]
    ends = [at for at in range(1, len(uids)) if uids[at] != uids[at - 1] + 1]
    return [(uids[start], uids[stop - 1]) for start, stop in zip([0, *ends], [*ends, len(uids)], strict=True)]


def _combination(flags: frozenset[str]) -> str:
    return " ".join(sorted(flags.difference(SYSTEM_FLAGS)))
