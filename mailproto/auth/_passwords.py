"""Checks passwords in threads."""

from __future__ import annotations

import base64
import hashlib
import os
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorCore, IReactorFromThreads
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from mailproto._arguments import check_whole, wrong_type
from mailproto._twisted_arguments import check_clock
from mailproto.auth._records import PROFILE, argon2_part, completed, matches
from mailproto.auth._saslprep import prepared_password
from mailproto.errors import Unavailable
from mailproto.typing import ReactorTime

__all__ = ["MAX_REMEMBERED", "MAX_WAITING", "REMEMBER", "PasswordVerifier"]

T = TypeVar("T")

REMEMBER = 300.0
"""Seconds for which a right password is remembered and need not be hashed again."""

MAX_REMEMBERED = 10_000
"""The most right passwords that are remembered; the oldest is forgotten first."""

MAX_WAITING = 500
"""The most passwords that may wait for a thread; further logins fail temporarily."""


def _unmatchable() -> str:
    """A hash that no password matches, and that takes as long to check as a real one."""
    salt, digest = (
        base64.b64encode(os.urandom(size)).rstrip(b"=").decode()
        for size in (PROFILE.salt_len, PROFILE.hash_len)
    )
    cost = f"m={PROFILE.memory_cost},t={PROFILE.time_cost},p={PROFILE.parallelism}"
    return f"$argon2id$v={PROFILE.version}${cost}${salt}${digest}"


class _Pool(Protocol):
    """The methods of `ThreadPool` that are used."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def callInThreadWithCallback(  # noqa: N802  (Twisted's name)
        self, on_result: Callable[[bool, Any], object] | None, func: Callable[[], Any], /
    ) -> None: ...


class PasswordVerifier:
    """Checks passwords against records (`mailproto.auth.hash_password`) in its own threads.

    A right password is remembered for `REMEMBER` seconds, so that a client that signs in for each poll
    costs little.  It is kept as a digest, keyed with a secret of this process.  The digest includes the
    stored hash, so that a changed password is forgotten.

    :param reactor: for time, and to receive results from the threads; its shutdown stops them.
    :param threads: the number of threads; each uses 64 MiB and a core while it works.
    :param pool: a thread pool to use instead of our own.
    """

    def __init__(self, reactor: ReactorTime, *, threads: int = 2, pool: _Pool | None = None) -> None:
        check_clock("reactor", reactor)
        check_whole("threads", threads, 1)
        if pool is not None and not hasattr(pool, "callInThreadWithCallback"):
            raise wrong_type("pool", pool, "a twisted.python.threadpool.ThreadPool or None")
        self.clock = reactor
        self._pool = pool or cast(_Pool, ThreadPool(0, threads, "passwords"))
        self._started = False
        self._stopped = False
        self._key = os.urandom(32)
        self._dummy = _unmatchable()
        self._remembered: OrderedDict[bytes, float] = OrderedDict()
        self._running: dict[bytes, list[Deferred[bool]]] = {}

    def verify(self, name: str, record: str, password: str) -> Deferred[bool]:
        """Whether ``password`` is that of the record; a wrong password takes the same time.

        :param name: the account's name; a password is remembered for this account only.
        :param record: "" if the account does not exist or has no password: the answer is then False, after
            the same time as for a wrong password.
        :returns: fails with `Unavailable` if too many passwords are waiting.
        """
        password_hash = argon2_part(record)
        digest = self._digest(name, password_hash, prepared_password(password))
        expiry = self._remembered.get(digest)
        if expiry is not None and self.clock.seconds() < expiry:
            return succeed(True)
        waiter: Deferred[bool] = Deferred()
        same = self._running.get(digest)
        if same is not None:
            # Mail programs open several connections at once: one computation is enough for all of them.
            same.append(waiter)
        elif self._stopped or len(self._running) >= MAX_WAITING:
            waiter.errback(Unavailable(detail="too many passwords wait to be checked"))
        else:
            self._running[digest] = [waiter]
            self._check(digest, password_hash or self._dummy, password)
        return waiter

    def complete(self, record: str, password: str) -> Deferred[str]:
        """The record of ``password`` with its missing SCRAM keys added.

        :returns: fails with `Unavailable` if too many passwords are waiting.
        """
        if self._stopped or len(self._running) >= MAX_WAITING:
            return fail(Unavailable(detail="too many passwords wait to be hashed"))
        waiter: Deferred[str] = Deferred()
        self._in_thread(lambda: record if self._stopped else completed(record, password), waiter.callback)
        return waiter

    def stop(self) -> None:
        """End the threads: wait for running checks, and refuse those that are still in the queue."""
        self._stopped = True
        if self._started:
            self._started = False
            self._pool.stop()
        self._remembered.clear()
        waiting, self._running = self._running, {}
        for waiters in waiting.values():
            for waiter in waiters:
                waiter.errback(Unavailable(detail="the server stops"))

    def _digest(self, name: str, password_hash: str, password: bytes) -> bytes:
        login = repr((name, password_hash, password)).encode()
        return hashlib.blake2b(login, key=self._key, digest_size=32).digest()

    def _check(self, digest: bytes, password_hash: str, password: str) -> None:
        def work() -> bool:
            return not self._stopped and matches(password_hash, password)

        self._in_thread(work, lambda result: self._answer(digest, result))

    def _in_thread(self, work: Callable[[], T], answer: Callable[[T | Failure], object]) -> None:
        if not self._started:
            self._started = True
            self._pool.start()
            if IReactorCore.providedBy(self.clock):
                # Without this, the threads would keep a process alive that does not call `stop`.
                self.clock.addSystemEventTrigger("during", "shutdown", self.stop)

        def done(success: bool, result: T | Failure) -> None:
            cast(IReactorFromThreads, self.clock).callFromThread(answer, result)

        self._pool.callInThreadWithCallback(done, work)

    def _answer(self, digest: bytes, result: bool | Failure) -> None:
        waiters = self._running.pop(digest, [])
        if result is True:
            self._remember(digest)
        for waiter in waiters:
            waiter.callback(result) if isinstance(result, bool) else waiter.errback(result)

    def _remember(self, digest: bytes) -> None:
        now = self.clock.seconds()
        remembered = self._remembered
        remembered[digest] = now + REMEMBER
        remembered.move_to_end(digest)
        while len(remembered) > MAX_REMEMBERED or remembered[next(iter(remembered))] <= now:
            remembered.popitem(last=False)
