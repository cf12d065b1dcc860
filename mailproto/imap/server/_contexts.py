"""Results of searches that are kept, so that a client is told how they change (RFC 5267 4.3)."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Iterator, Sequence

from mailproto.errors import MailError, NoSuchMailbox
from mailproto.imap.server._errors import SessionOver
from mailproto.imap.server._requests import SearchAsked
from mailproto.imap.server._search import find_in, numbers_in
from mailproto.imap.server._session import Session
from mailproto.imap.server._view import MailboxView
from mailproto.imap.wire import ordered_set_pieces, quoted_or_literal, set_pieces

__all__ = ["Context", "Contexts"]

_AT_ONCE = 2000
"""Messages that are compared before others may have their turn: some 1 ms."""

_WRITTEN_AT_ONCE = 10_000


class Context:
    """A search whose changes are told.

    :param asked: the search; its keys name messages by UIDs only.
    :param found: the UIDs of its results, in the requested order.
    :param limit: how many results it may have, if they are sorted.
    """

    def __init__(self, asked: SearchAsked, found: array[int], limit: int) -> None:
        self.asked = asked
        self._limit = limit
        self._order = found if asked.order is not None else None
        self._found = array("I", sorted(found)) if asked.order is not None else found

    async def updates(self, session: Session, touched: Sequence[int]) -> AsyncIterator[bytes]:
        """Give the responses of this context.

        :param touched: the indexes of messages that may be results now, or be none any more.
        """
        asked = self.asked
        now = await find_in(session, asked.view, asked.key, uid=True, within=touched)
        removed, added = await self._change(session, touched, now)
        if self._order is None:
            for word, uids in ((b"REMOVEFROM", removed), (b"ADDTO", added)):
                if uids:
                    async for piece in self._told(session, word, [(0, uids)]):
                        yield piece
        elif removed or added:
            async for piece in self._reorder(session, set(removed), set(added)):
                yield piece

    async def _change(
        self, session: Session, touched: Sequence[int], now: array[int]
    ) -> tuple[array[int], array[int]]:
        """Take in that ``now`` has the results among the ``touched`` messages.

        :returns: the UIDs of those that have gone, and of those that have come.
        """
        uids, found = self.asked.view.uids, self._found
        removed, added = array("I"), array("I")
        at = 0
        while at < len(touched):
            # A window of the mailbox, with some of the touched messages.
            first = touched[at]
            last = min(first + _AT_ONCE, len(uids)) - 1
            stop = bisect_right(touched, last, at)
            start, end = bisect_left(found, uids[first]), bisect_right(found, uids[last])
            looked_at = {uids[each] for each in touched[at:stop]}
            there = set(found[start:end])
            matching = set(now[bisect_left(now, uids[first]) : bisect_right(now, uids[last])])
            added.extend(sorted(matching - there))
            removed.extend(sorted((looked_at & there) - matching))
            found[start:end] = array("I", sorted((there - looked_at) | matching))
            at = stop
            await session.yield_turn()
        return removed, added

    async def _reorder(self, session: Session, removed: set[int], added: set[int]) -> AsyncIterator[bytes]:
        """Tell the changes of sorted results, with their places."""
        order = self.asked.order
        if order is None or self._order is None:
            return
        if len(self._found) > self._limit:
            raise TooManyResults
        before, self._order = (
            self._order,
            array("I", await order(self.asked, self._found) if self._found else ()),
        )
        if len(self._order) < len(self._found):
            # Some are gone that the view does not know of yet.
            removed |= set(self._found).difference(self._order)
            self._found = array("I", sorted(self._order))
        # The last ones first, so that the places of the others stay the same.
        async for piece in self._told(session, b"REMOVEFROM", list(_runs(before, removed))[::-1]):
            yield piece
        # The first ones first, each at its place in the end.
        async for piece in self._told(session, b"ADDTO", list(_runs(self._order, added))):
            yield piece

    async def _told(
        self, session: Session, word: bytes, groups: Sequence[tuple[int, Sequence[int]]]
    ) -> AsyncIterator[bytes]:
        """An ESEARCH response with groups of UIDs, each with its place."""
        asked = self.asked
        if not groups:
            return
        yield b"* ESEARCH (TAG %b)%b %b " % (
            quoted_or_literal(asked.tag),
            b" UID" if asked.uid else b"",
            word,
        )
        separator = b"("
        pieces = set_pieces if self._order is None else ordered_set_pieces
        for place, uids in groups:
            numbers = uids if asked.uid else await numbers_in(session.yield_turn, asked.view, uids)
            separator += b"%d " % place
            for piece in pieces(numbers, _WRITTEN_AT_ONCE):
                yield separator + piece
                separator = b""
            separator = b" "
        yield b")\r\n"


class TooManyResults(MailError):
    """A context has more results than its changes are told of."""


def _runs(order: Sequence[int], chosen: set[int]) -> Iterator[tuple[int, list[int]]]:
    """The chosen ones of an order: neighbours together, with the place of the first one, from 1."""
    run: list[int] = []
    place = 0
    for place, uid in enumerate(order, 1):
        if uid in chosen:
            run.append(uid)
        elif run:
            yield place - len(run), run
            run = []
    if run:
        yield place + 1 - len(run), run


class Contexts:
    """The contexts of a selected mailbox; see `Follower`.

    :ivar by_tag: the contexts, by the tag of their searches.
    """

    def __init__(self, session: Session, view: MailboxView) -> None:
        self._session = session
        self._view = view
        self._last = view.uids[-1] if view.uids else 0  # all messages up to here were looked at
        self.by_tag: dict[str, Context] = {}
        view.begin_touched()

    def end(self) -> None:
        """Stop to note changes."""
        self._view.touched = None

    def is_due(self) -> bool:
        """See `Follower`."""
        uids = self._view.uids
        return bool(self._view.touched) or (len(uids) > 0 and uids[-1] > self._last)

    async def updates(self) -> AsyncIterator[bytes]:
        """See `Follower`."""
        touched = await self._touched()
        for tag, context in list(self.by_tag.items()):
            try:
                async for piece in context.updates(self._session, touched):
                    yield piece
            except (NoSuchMailbox, SessionOver):
                raise
            except MailError as error:
                self._session.tell_failed("UPDATE", error)
                del self.by_tag[tag]
                yield b"* NO [NOUPDATE %b] No more updates\r\n" % quoted_or_literal(tag)
        if self._view.touched is not None:
            self._view.touched.clear()
        if self._view.uids:
            self._last = max(self._last, self._view.uids[-1])

    async def _touched(self) -> Sequence[int]:
        """The indexes of messages that were changed, or are new."""
        marks, uids = self._view.touched, self._view.uids
        new = bisect_right(uids, self._last)
        found = array("I")
        if marks:
            for start in range(0, new, _AT_ONCE):
                found.extend(marks.within(range(start, min(start + _AT_ONCE, new))))
                await self._session.yield_turn()
        found.extend(range(new, len(uids)))
        return found
