"""The order in which passwords are checked when more of them wait than threads can check.

One hash takes a tenth of a second, so a flood of wrong passwords could keep everybody else waiting.  The
queue chooses, each time a thread is free, by what is known of the account, of the network and of the
connection that a password comes from: first how many were wrong lately, then how many others of the same
are checked now or came later.  A password of an account that has signed in from that network before goes
first.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mailproto.observing import Client
from mailproto.typing import ReactorTime

__all__ = ["HALF_LIFE", "MAX_COUNTED", "MAX_WAITING", "Check", "CheckQueue"]

MAX_WAITING = 500
"""The most passwords that may wait for a thread; beyond it, the one that would be checked last fails
temporarily."""

HALF_LIFE = 600.0
"""Seconds after which a wrong password counts half, and then half of that."""

MAX_COUNTED = 10_000
"""The most accounts, networks and connections whose wrong passwords are counted, and the most pairs of an
account and a network that are known to be good; the oldest is forgotten first."""

_WORST_AT_ONCE = 64
"""Checks that are found in one search for those that would come last."""


@dataclass(slots=True, eq=False)
class Check:
    """A piece of work for a thread.

    :ivar work: called in the thread.
    :ivar answer: called in the reactor's thread, with the result of ``work`` or a ``Failure``.
    :ivar keys: digests of what has a share of its own: the account, the network, the connection.
    :ivar pair: the digest of the account and the network together; b"" if the client is not known.
    """

    work: Callable[[], Any]
    answer: Callable[[Any], object]
    keys: tuple[bytes, ...] = ()
    pair: bytes = b""


_Ranked = tuple[tuple[int, int], Check]
"""A rank, and its check: how much is suspected, then how many of the same are ahead."""


class CheckQueue:
    """Checks that wait for a thread, and those that run.

    The later of two equal ones is first: in a flood, the older ones are the flood's, and a client that comes
    now would have to wait behind them all.

    :param clock: measures how long ago a password was wrong.
    """

    def __init__(self, clock: ReactorTime) -> None:
        self._clock = clock
        self._secret = os.urandom(32)
        self._waiting: dict[Check, None] = {}
        self._running: set[Check] = set()
        self._failed: OrderedDict[bytes, tuple[float, float]] = OrderedDict()
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._worst: list[Check] = []

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """How many run."""
        return len(self._running)

    def identify(self, check: Check, account: str, client: Client | None) -> None:
        """Say where ``check`` comes from.  Only digests are kept, because clients choose long names."""
        keys = [self._digest("account", account)]
        if client is not None and client.connection:
            keys += self._digest("network", client.network), self._digest("connection", client.connection)
            check.pair = self._digest("pair", (account, client.network))
        check.keys = tuple(keys)

    def put(self, check: Check) -> Check | None:
        """Add a check; if it waits already, it becomes the latest.

        :returns: the check that has no room any more, perhaps this one.
        """
        if self.drop(check) and check in self._worst:
            self._worst.remove(check)
        self._waiting[check] = None
        return self._worst_of_all() if len(self._waiting) > MAX_WAITING else None

    def drop(self, check: Check) -> bool:
        """Remove a check that waits; False if it runs already."""
        if check not in self._waiting:
            return False
        del self._waiting[check]
        return True

    def take(self, *, is_last_thread: bool = False) -> Check | None:
        """The next check to run; None if nothing waits.

        :param is_last_thread: leave the thread free for others than those with wrong passwords lately.
        """
        ranked = self._ranked()
        if is_last_thread:
            ranked = [one for one in ranked if one[0][0] <= 0]
        if not ranked:
            return None
        chosen = min(ranked, key=_rank)[1]
        self._start(chosen)
        return chosen

    def take_latest(self, check: Check) -> bool:
        """Run ``check``, which was just put, on the last thread; False if that is to stay free.

        All others that wait were not to run there either, and need not be looked at again: a flood is put
        without end.
        """
        if check not in self._waiting or self._is_suspect(check):
            return False
        self._start(check)
        return True

    def is_running(self, check: Check) -> bool:
        """Whether a check runs."""
        return check in self._running

    def done(self, check: Check, *, was_right: bool | None = None) -> None:
        """A check has run.

        :param was_right: whether the password was right; None if that is not known.
        """
        self._running.discard(check)
        if was_right is None:
            return
        if not was_right:
            self._known.pop(check.pair, None)
            now = self._clock.seconds()
            for key in check.keys:
                self._failed[key] = self._failures(key, now) + 1, now
                self._failed.move_to_end(key)
            while len(self._failed) > MAX_COUNTED:
                self._failed.popitem(last=False)
        elif check.pair:
            self._known[check.pair] = None
            self._known.move_to_end(check.pair)
            if len(self._known) > MAX_COUNTED:
                self._known.popitem(last=False)

    def clear(self) -> list[Check]:
        """Forget everything; returns the checks that were waiting or running."""
        checks = [*self._running, *self._waiting]
        self._waiting.clear()
        self._running.clear()
        self._failed.clear()
        self._known.clear()
        self._worst.clear()
        return checks

    def _worst_of_all(self) -> Check:
        """Remove the check that would be the last."""
        while self._worst:
            worst = self._worst.pop()
            if worst in self._waiting:
                break
        else:
            # Several at once: a flood fills the queue again and again, and a search takes milliseconds.
            ranked = sorted(self._ranked(), key=_rank)  # stable: the oldest of equal ones is the last
            self._worst = [check for _, check in ranked[-_WORST_AT_ONCE:]]
            worst = self._worst.pop()
        del self._waiting[worst]
        return worst

    def _is_suspect(self, check: Check) -> bool:
        """Whether passwords were wrong lately."""
        if check.pair in self._known:
            return False
        now = self._clock.seconds()
        return any(self._failures(key, now) >= 1 for key in check.keys if key in self._failed)

    def _start(self, check: Check) -> None:
        del self._waiting[check]
        self._running.add(check)

    def _ranked(self) -> list[_Ranked]:
        """All that wait, the latest first, with their ranks: the lowest goes first."""
        now = self._clock.seconds()
        others: Counter[bytes] = Counter()
        for check in self._running:
            others.update((*check.keys, check.pair))
        levels: dict[bytes, int] = {}
        ranked = []
        for check in reversed(self._waiting):
            if check.pair in self._known:
                suspicion, share = -1, others[check.pair].bit_length()
            else:
                suspicion = share = 0
                for key in check.keys:
                    if key not in levels:
                        levels[key] = int(self._failures(key, now)).bit_length()
                    suspicion += levels[key]
                    share += others[key].bit_length()
            ranked.append(((suspicion, share), check))
            for key in check.keys:
                others[key] += 1
            others[check.pair] += 1
        return ranked

    def _failures(self, key: bytes, now: float) -> float:
        number, since = self._failed.get(key, (0.0, now))
        return number * math.pow(0.5, (now - since) / HALF_LIFE)

    def _digest(self, kind: str, what: object) -> bytes:
        text = repr((kind, what)).encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, key=self._secret, digest_size=16).digest()


def _rank(ranked: _Ranked) -> tuple[int, int]:
    return ranked[0]
