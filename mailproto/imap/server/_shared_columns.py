"""Sessions that know the same of a mailbox share its columns: they would take 12 octets for each message.

Those that know the same messages, but other flags, share the UIDs: these are 4 of the 12 octets.

Columns are shared because they are equal, whatever the mailboxes are: a mailbox's name, and who asks, only
say where to look for equal ones.  So it does not matter whether two accounts have the same name.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple, TypeAlias
from weakref import ReferenceType, WeakValueDictionary, ref

from twisted.internet.defer import Deferred

from mailproto.interfaces import IMailbox
from mailproto.model import Changes
from mailproto.typing import ReactorTime

__all__ = ["SHARED_FROM", "Look", "Shared", "SharedColumns", "SharedUIDs", "Sharing"]

SHARED_FROM: Final = 1000
"""The fewest messages of a mailbox whose columns are shared."""

_AT_ONCE: Final = 5000
"""How many messages are compared before others may have their turn: some 0.1 ms."""


class SharedUIDs:
    """UIDs that several views may have, or `SharedColumns`; nobody changes them.

    :ivar holders: how many have them.
    """

    __slots__ = ("__weakref__", "holders", "uids")

    def __init__(self, uids: array[int]) -> None:
        self.uids = uids
        self.holders = 0

    def leave(self) -> bool:
        """As `SharedColumns.leave`."""
        self.holders -= 1
        return not self.holders


class SharedColumns:
    """Columns that several views may have; nobody changes them.

    :ivar views: how many have them.
    """

    __slots__ = ("__weakref__", "flags", "uids_of", "views")

    def __init__(self, uids: SharedUIDs, flags: list[frozenset[str]]) -> None:
        self.uids_of = uids
        uids.holders += 1
        self.flags = flags
        self.views = 1

    @property
    def uids(self) -> array[int]:
        """The UIDs."""
        return self.uids_of.uids

    def leave(self) -> bool:
        """One view has them no more.

        :returns: whether nobody else has them: then the view may change them, because nobody will find them.
        """
        self.views -= 1
        if self.views:
            return False
        self.uids_of.leave()
        self.uids_of, self.flags = SharedUIDs(array("I")), []
        return True

    async def equal(
        self, uids: Sequence[int], flags: Sequence[frozenset[str]], pause: Callable[[], Awaitable[None]]
    ) -> bool:
        """Whether they are equal to others; if so, one view more has them."""
        if len(self.uids) != len(uids):
            return False
        self.views += 1  # meanwhile they stay as they are
        is_equal = False
        try:
            for start in range(0, len(uids), _AT_ONCE):
                some = slice(start, start + _AT_ONCE)
                if self.uids[some] != array("I", uids[some]) or self.flags[some] != list(flags[some]):
                    return False
                await pause()
            is_equal = True
        finally:
            if not is_equal:
                self.leave()
        return True


_Longer: TypeAlias = tuple[
    Callable[[], SharedColumns | None],
    Callable[[], SharedColumns | None],
    Sequence[int],
    Sequence[frozenset[str]],
]
"""Columns, the same with some messages more, and the UIDs and flags of these."""


def _nothing() -> None:
    """A reference to nothing."""


class Look(NamedTuple):
    """What one view saw when it looked at its mailbox, for others that will ask the same.

    :ivar mailbox: views of an equal one may use it.
    :ivar modseq: that of the mailbox at the look before.
    :ivar is_claimed: whether it was found that none of the messages is recent any more.
    """

    mailbox: IMailbox
    modseq: int
    changes: Changes
    is_claimed: bool


class Sharing:
    """The latest columns of one mailbox; one view at a time changes its own.

    While views wait for their turn, they have none of their own, or those that they share.

    :ivar look: the latest look at it that found a few new messages.
    """

    __slots__ = ("__weakref__", "_clock", "_is_busy", "_latest", "_longer", "_uids", "_waiting", "look")

    def __init__(self, clock: ReactorTime) -> None:
        self._clock = clock
        self._latest: ReferenceType[SharedColumns] | None = None
        self._uids: ReferenceType[SharedUIDs] | None = None  # that some view had lately
        self._longer: _Longer = (_nothing, _nothing, [], [])
        self.look: Look | None = None
        self._is_busy = False
        self._waiting: deque[Deferred[None]] = deque()

    @property
    def latest(self) -> SharedColumns | None:
        """What some view has; None if there is nothing."""
        return None if self._latest is None else self._latest()

    def same_uids(self, uids: array[int]) -> SharedUIDs:
        """Equal UIDs that another view has, or these for others to have, too, from now on."""
        known = None if self._uids is None else self._uids()
        if known is None or known.uids != uids:
            known = SharedUIDs(uids)
            self._uids = ref(known)
        return known

    def offer(self, uids: SharedUIDs, flags: list[frozenset[str]]) -> SharedColumns:
        """Let other views have these columns, too, from now on."""
        columns = SharedColumns(uids, flags)
        self._latest = ref(columns)
        return columns

    def offer_longer(
        self,
        shorter: SharedColumns,
        new_uids: Sequence[int],
        new_flags: Sequence[frozenset[str]],
        uids: SharedUIDs,
        flags: list[frozenset[str]],
    ) -> SharedColumns:
        """`offer` for columns that are others with some messages more."""
        longer = self.offer(uids, flags)
        self._longer = ref(shorter), ref(longer), list(new_uids), list(new_flags)
        return longer

    def longer(
        self, shorter: SharedColumns, new_uids: Sequence[int], new_flags: Sequence[frozenset[str]]
    ) -> SharedColumns | None:
        """Columns that are these with some messages more, if some view has them; one view more has them then.

        That costs nothing, however many messages there are.
        """
        before, after, uids, flags = self._longer
        if before() is not shorter or uids != list(new_uids) or flags != list(new_flags):
            return None
        found = after()
        if found is not None:
            found.views += 1
        return found

    async def begin(self) -> None:
        """Wait for one's turn; `end` must follow."""
        if self._is_busy:
            turn: Deferred[None] = Deferred()
            self._waiting.append(turn)
            await turn
        self._is_busy = True

    def end(self) -> None:
        """It is the next one's turn."""
        if self._waiting:
            self._clock.callLater(0, self._waiting.popleft().callback, None)
        else:
            self._is_busy = False


class Shared:
    """The columns of all mailboxes that sessions of a factory have selected."""

    def __init__(self, clock: ReactorTime) -> None:
        self._clock = clock
        self._sharing: WeakValueDictionary[tuple[str, str, int], Sharing] = WeakValueDictionary()

    def of(self, account: str, mailbox: str, uid_validity: int) -> Sharing:
        """Those of one mailbox."""
        key = account, mailbox, uid_validity
        sharing = self._sharing.get(key)
        if sharing is None:
            sharing = self._sharing[key] = Sharing(self._clock)
        return sharing
