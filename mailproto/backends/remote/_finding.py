"""Searching, sorting and threads by the other server, for accounts whose server finds what ours would."""

from __future__ import annotations

import datetime
from array import array
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, TypeVar

from mailproto.awaiting import turn
from mailproto.backends.remote._connections import Link
from mailproto.backends.remote._uids import AT_ONCE, uid_set
from mailproto.client.errors import CommandRefused
from mailproto.imap.values import Query, ThreadNode, UidSet
from mailproto.model import (
    ContentTest,
    Found,
    InAddresses,
    InField,
    InText,
    SortOrder,
    ThreadAlgorithm,
    Threads,
)

__all__ = ["NEEDED", "Finding"]

T = TypeVar("T")

NEEDED: Final = frozenset({"SORT", "THREAD=REFERENCES", "THREAD=ORDEREDSUBJECT"})
"""What the other server must have, so that everything of `IFinding` can be asked of it."""


class Finding:
    """`IFinding`, from the other server's SEARCH, SORT and THREAD (RFC 9051 6.4.4, RFC 5256).

    What it answers counts, but for UIDs that it was not asked about.
    """

    async def _run(self, work: Callable[[Link], Awaitable[T]], *, again: bool = False) -> T:
        raise NotImplementedError

    async def find(self, uids: Sequence[int], tests: Sequence[ContentTest]) -> Sequence[Found]:
        """See `IFinding.find`; what the other server does not search for is for the caller to read."""

        async def work(link: Link) -> Sequence[Found]:
            await link.client.noop()  # so that it knows of what has just come
            return [await self._find(link, uids, test) for test in tests]

        return await self._run(work, again=True)

    async def _find(self, link: Link, uids: Sequence[int], test: ContentTest) -> Found:
        try:
            found = (await link.client.search(_query(test))).uids
        except (CommandRefused, ValueError):  # such as BADCHARSET, or a key that IMAP cannot write
            return Found((), uids)
        return Found(await uid_set(uids, among=found))

    async def sort(self, uids: Sequence[int], orders: Sequence[SortOrder]) -> Sequence[int]:
        """See `IFinding.sort`."""
        if not uids:
            return ()
        keys = ["REVERSE " * each.reverse + each.key.value for each in orders]

        async def work(link: Link) -> Sequence[int]:
            await link.client.noop()
            wanted = await uid_set(uids)
            return await _once(await link.client.sort(keys, Query.uids(wanted)), wanted)

        return await self._run(work, again=True)

    async def thread(self, uids: Sequence[int], algorithm: ThreadAlgorithm) -> Threads:
        """See `IFinding.thread`."""
        if not uids:
            return Threads(array("I"), array("I"))

        async def work(link: Link) -> Threads:
            await link.client.noop()
            wanted = await uid_set(uids)
            return await _threads(await link.client.thread(algorithm.value, Query.uids(wanted)), wanted)

        return await self._run(work, again=True)


def _query(test: ContentTest) -> Query:
    if isinstance(test, InText):
        return Query.text(test.key) if test.headers else Query.body(test.key)
    if isinstance(test, InField):
        return Query.header(test.name, test.key)
    if isinstance(test, InAddresses):
        by_name = {"from": Query.from_, "to": Query.to, "cc": Query.cc, "bcc": Query.bcc}
        return by_name[test.name](test.key)
    if test.op == "ON":
        return Query.sent_since(test.date) & Query.sent_before(test.date + datetime.timedelta(days=1))
    return Query.sent_before(test.date) if test.op == "BEFORE" else Query.sent_since(test.date)


async def _once(uids: Iterable[int], wanted: UidSet) -> Sequence[int]:
    """Those of ``uids`` that are wanted, each once, in their order."""
    found: dict[int, None] = {}
    for place, uid in enumerate(uids):
        if uid in wanted:
            found[uid] = None
        if not place % AT_ONCE:
            await turn()
    return array("I", found)


async def _threads(nodes: Sequence[ThreadNode], wanted: UidSet) -> Threads:
    """The threads of the messages that are wanted: what is above others stays as 0."""
    numbers, depths = array("I"), array("I")
    seen: set[int] = set()
    left = [(node, 0) for node in reversed(nodes)]
    while left:
        node, depth = left.pop()
        uid = node.uid or 0
        numbers.append(uid if uid in wanted and uid not in seen else 0)
        depths.append(depth)
        seen.add(uid)
        left += [(each, depth + 1) for each in reversed(node.answers)]
        if not len(numbers) % AT_ONCE:
            await turn()
    # What is not there stands for something only if there is an answer to it.
    kept: list[int] = []
    for place in range(len(numbers) - 1, -1, -1):
        if numbers[place] or (kept and depths[kept[-1]] > depths[place]):
            kept.append(place)
        if not place % AT_ONCE:
            await turn()
    kept.reverse()
    return Threads(array("I", [numbers[at] for at in kept]), array("I", [depths[at] for at in kept]))
