"""STORE with UNCHANGEDSINCE of messages of which only other flags have changed (RFC 7162 3.1.12).

A mailbox keeps one modseq for all flags of a message, and refuses to store whatever has changed.  But the
client only cares for the flags that it adds or removes, and the view knows how they were when the client was
told last: if they are the same still, the flags are stored after all.
"""

from __future__ import annotations

from array import array
from collections.abc import AsyncIterator, Iterator, Sequence

from mailproto.awaiting import settle
from mailproto.errors import MailError
from mailproto.imap.server._errors import SessionOver
from mailproto.imap.server._session import Session
from mailproto.model import FlagChange, StoreResult

__all__ = ["store_again"]

_ROUNDS = 3
"""How often it is tried, if others go on changing the same messages."""

_AT_ONCE = 2000
"""Messages that are looked at before others have their turn: some 1 ms."""


async def store_again(
    session: Session, change: FlagChange, since: int, refused: Sequence[int]
) -> AsyncIterator[StoreResult]:
    """Store again what was refused, but for messages whose flags in ``change`` differ.

    :param change: adds or removes flags.
    :param refused: UIDs.
    :returns: what was stored each time, and all that is refused still; the caller takes it in before
        the next.
    """
    view = session.selected
    look_at = _Compared(change)
    uids, known = array("I"), list[frozenset[str]]()
    for some in _pieces(refused):
        for uid in some:
            at = view.index(uid)
            # Otherwise the client's knowledge is older than the session's, which does not know how it was.
            if at is not None and (view.modseqs or ())[at] <= since:
                uids.append(uid)
                known.append(look_at.those(view.flags[at]))
        await session.yield_turn()
    try:
        for _ in range(_ROUNDS):
            if not uids:
                return
            await view.look()
            same = array("I")
            for start in range(0, len(uids), _AT_ONCE):
                some = uids[start : start + _AT_ONCE]
                for uid, flags in zip(some, known[start : start + _AT_ONCE], strict=True):
                    at = view.index(uid)
                    if at is not None and look_at.those(view.flags[at]) == flags:
                        same.append(uid)
                await session.yield_turn()
            if not same:
                return
            second = await settle(view.mailbox.store(same, change, view.looked_at))
            left = set(second.refused)
            done = set(same) - left
            refused = array("I", [uid for uid in refused if uid not in done])
            yield StoreResult(second.changed, refused)
            known = [flags for uid, flags in zip(uids, known, strict=True) if uid in left]
            uids = array("I", [uid for uid in uids if uid in left])
    except SessionOver:
        raise
    except MailError as error:  # what is stored already must be told
        session.tell_failed("STORE", error)


class _Compared:
    """Finds the flags that a change is about; keywords are compared without case."""

    def __init__(self, change: FlagChange) -> None:
        self._names = frozenset(flag.lower() for flag in change.flags)
        self._found: dict[frozenset[str], frozenset[str]] = {}

    def those(self, flags: frozenset[str]) -> frozenset[str]:
        """Those of ``flags``."""
        found = self._found.get(flags)
        if found is None:
            found = self._found[flags] = self._names.intersection(map(str.lower, flags))
        return found


def _pieces(uids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (uids[start : start + _AT_ONCE] for start in range(0, len(uids), _AT_ONCE))
