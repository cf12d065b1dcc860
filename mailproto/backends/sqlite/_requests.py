"""What waits for the writer, and what its next batch is: each account has a share.

Deliveries, and what the store itself wants, come first: none of them is long.  Then the accounts take turns,
one request each, until the batch is long enough.  So a delivery waits for one batch at most, and an account
for one request of each other account, however many sessions another account has and however much they send.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from twisted.internet.defer import Deferred

if TYPE_CHECKING:
    from mailproto.backends.sqlite._transactions import Transaction

__all__ = [
    "LAST",
    "MAX_BATCH",
    "MAX_WEIGHT",
    "REQUEST",
    "Request",
    "Requests",
    "Work",
    "in_any_order",
    "kinds_of",
]

MAX_BATCH = 512
"""The most requests of one commit; this bounds how long the first one waits for the last."""

MAX_WEIGHT = 1000
"""The weight at which a batch is long enough: some 10 ms.  A changed message weighs 1."""

HEAVY = 300
"""From this weight on, a request has a batch without the deliveries that wait already, so that these do not
wait for it."""

REQUEST = 10
"""What any request of an account weighs, besides its messages."""

LAST = "last"
"""The share of what comes after everything that waits already; all that is one batch."""

Work = Callable[["Transaction", Sequence[Any]], Sequence[Any]]
WorkT = TypeVar("WorkT", bound=Work)

_IN_ANY_ORDER: set[Any] = set()


def in_any_order(work: WorkT) -> WorkT:
    """Mark work whose requests may be done before or after those of other work that is marked so.

    It is for what is asked for very often: who asks waits for the result before asking for anything that
    depends on it.
    """
    _IN_ANY_ORDER.add(work)
    return work


class Request(NamedTuple):
    """Work for the writer; see `Writer.submit`."""

    work: Work
    argument: Any
    result: Deferred[Any]
    share: Hashable = None
    weight: int = 0


class Requests:
    """The queue.  Only `put` and `end` are for other threads than the writer's."""

    def __init__(self) -> None:
        self._coming: queue.SimpleQueue[Sequence[Request] | None] = queue.SimpleQueue()
        self._first: deque[Request] = deque()
        self._shares: dict[Hashable, deque[Request]] = {}  # in the order of their turns
        self._last: list[Request] = []
        self._is_postponed = False  # a heavy request, because deliveries were waiting
        self._has_ended = False

    def put(self, requests: Sequence[Request]) -> None:
        """Add requests, which nobody changes any more."""
        self._coming.put(requests)

    def end(self) -> None:
        """No request comes after this."""
        self._coming.put(None)

    def collect(self, batch: list[Request]) -> bool:
        """Wait for a request, and put the next batch into ``batch``; False when all is done.

        Requests that were cancelled before their turn are left out.
        """
        while not batch:
            self._sort_in()
            if self._is_idle():
                return False
            if self._last:
                self._take_all(batch)
            else:
                self._take_first(batch)
                self._is_postponed = bool(batch) and not self._is_postponed and self._is_next_heavy()
                if not self._is_postponed:
                    self._take_turns(batch)
        return True

    def _is_next_heavy(self) -> bool:
        return any(waiting[0].weight >= HEAVY for waiting in islice(self._shares.values(), 1))

    def _is_idle(self) -> bool:
        return not (self._first or self._shares or self._last)

    def _sort_in(self) -> None:
        """Look at what has come; wait if there is nothing else."""
        is_idle = self._is_idle()
        while not self._has_ended and (is_idle or not self._coming.empty()):
            requests = self._coming.get()
            is_idle = False
            if requests is None:
                self._has_ended = True
            else:
                self._sort(requests)

    def _sort(self, requests: Sequence[Request]) -> None:
        for request in requests:
            if request.share is None:
                self._first.append(request)
            elif request.share == LAST:
                self._last.append(request)
            elif (waiting := self._shares.get(request.share)) is None:
                self._shares[request.share] = deque([request])
            else:
                waiting.append(request)

    def _take_all(self, batch: list[Request]) -> None:
        everything = chain(self._first, *self._shares.values(), self._last)
        batch += [request for request in everything if not request.result.called]
        self._first.clear()
        self._shares.clear()
        self._last.clear()

    def _take_first(self, batch: list[Request]) -> None:
        first = self._first
        while first and len(batch) < MAX_BATCH:
            if not (request := first.popleft()).result.called:
                batch.append(request)

    def _take_turns(self, batch: list[Request]) -> None:
        shares, weight, count = self._shares, 0, 0
        while shares and weight < MAX_WEIGHT and count < MAX_BATCH:
            share = next(iter(shares))
            waiting = shares.pop(share)
            request = waiting.popleft()
            if waiting:
                shares[share] = waiting  # its next turn comes after those of the others
            if not request.result.called:
                batch.append(request)
                weight += request.weight
                count += 1


def kinds_of(batch: Sequence[Request]) -> list[tuple[Work, list[Request]]]:
    """The requests of a batch by kind: neighbours, and all that is `in_any_order` until one that is not.

    Deliveries, leases and results of attempts alternate on a busy server: done one by one, nearly each would
    be a kind of its own, with a savepoint and a dozen statements.
    """
    kinds: list[tuple[Work, list[Request]]] = []
    in_any_order: dict[Work, list[Request]] = {}
    for request in batch:
        work = request.work
        if work in _IN_ANY_ORDER:
            requests = in_any_order.get(work)
        else:
            in_any_order.clear()
            requests = kinds[-1][1] if kinds and kinds[-1][0] == work else None
        if requests is None:
            requests = []
            kinds.append((work, requests))
            if work in _IN_ANY_ORDER:
                in_any_order[work] = requests
        requests.append(request)
    return kinds
