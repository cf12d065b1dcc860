"""The messages that a SEARCH has saved, which commands name by ``$`` (RFC 5182)."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import overload

__all__ = ["SavedResult"]


class SavedResult(Sequence[tuple[int, int]]):
    """Messages as ranges of UIDs: (first, last), ascending.

    Neighbours in the view are one range, whatever UIDs are between them: no message ever gets one of these.
    So nothing has to be done here when messages are expunged.  It takes at most 4 octets for each message of
    the mailbox.
    """

    __slots__ = ("firsts", "lasts")

    def __init__(self) -> None:
        self.firsts = array("I")
        self.lasts = array("I")

    def __len__(self) -> int:
        return len(self.firsts)

    @overload
    def __getitem__(self, at: int) -> tuple[int, int]: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[tuple[int, int]]: ...
    def __getitem__(self, at: int | slice) -> tuple[int, int] | Sequence[tuple[int, int]]:
        if isinstance(at, int):
            return self.firsts[at], self.lasts[at]
        return list(zip(self.firsts[at], self.lasts[at], strict=True))

    def add(self, uids: Sequence[int], indexes: Iterable[int]) -> None:
        """Add messages, which come after those that are there already.

        :param uids: of all messages of the view.
        :param indexes: of the messages, ascending.
        """
        first = before = -2
        for at in indexes:
            if at != before + 1:
                if first >= 0:
                    self._add(uids, first, before)
                first = at
            before = at
        if first >= 0:
            self._add(uids, first, before)

    def _add(self, uids: Sequence[int], first: int, last: int) -> None:
        if first and self.lasts and self.lasts[-1] == uids[first - 1]:
            self.lasts[-1] = uids[last]
        else:
            self.firsts.append(uids[first])
            self.lasts.append(uids[last])
