"""Passwords, checked away from the reactor's thread."""

from __future__ import annotations

import base64
import hashlib
import os
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorCore, IReactorFromThreads, IReactorTime
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from mailproto.auth._records import PROFILE, argon2_part, completed, matches
from mailproto.auth._saslprep import prepared_password
from mailproto.errors import Unavailable

__all__ = ["MAX_REMEMBERED", "MAX_WAITING", "REMEMBER", "PasswordVerifier"]

T = TypeVar("T")

REMEMBER = 300.0
"""Seconds for which a verified login need not be hashed again."""

MAX_REMEMBERED = 10_000
"""Verified logins that are remembered; the oldest goes first."""

MAX_WAITING = 500
"""Different passwords that may wait for a thread; past it a login is asked to try again."""


def _unmatchable() -> str:
    """A hash that no password has, and that takes as long to check as a real one."""
    salt, digest = (
        base64.b64encode(os.urandom(size)).rstrip(b"=").decode()
        for size in (PROFILE.salt_len, PROFILE.hash_len)
    )
    cost = f"m={PROFILE.memory_cost},t={PROFILE.time_cost},p={PROFILE.parallelism}"
    return f"$argon2id$v={PROFILE.version}${cost}${salt}${digest}"


class _Pool(Protocol):
    """As much of `ThreadPool` as is used."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def callInThreadWithCallback(  # noqa: N802  (Twisted's name)
        self, on_result: Callable[[bool, Any], object] | None, func: Callable[[], Any], /
    ) -> None: ...


class PasswordVerifier:
    """Checks passwords against records (`mailproto.auth.hash_password`) in a few threads of its own.

    A password that was right is remembered for `REMEMBER` seconds, as a digest keyed
    with what only this process knows, so that a client that signs in for each poll
    costs nothing.  The stored hash is in the digest: a changed password is forgotten.

    :param reactor: for time, and to come back from the threads; its shutdown stops them.
    :param threads: each uses 64 MiB and a core while it works.
    :param pool: instead of a pool of our own.
    """

    def __init__(self, reactor: IReactorTime, *, threads: int = 2, pool: _Pool | None = None) -> None:
        self.clock = reactor
        self._pool = pool or cast(_Pool, ThreadPool(0, threads, "passwords"))
        self._started = False
        self._stopped = False
        self._key = os.urandom(32)
        self._dummy = _unmatchable()
        self._remembered: OrderedDict[bytes, float] = OrderedDict()
        self._running: dict[bytes, list[Deferred[bool]]] = {}

    def verify(self, name: str, record: str, password: str) -> Deferred[bool]:
        """Whether ``password`` is that of the record; the same work is done when the answer is no.

        :param name: whose password: what is known of one account says nothing of another.
        :param record: "" for an account that is not there or that cannot be signed in
            to: never right, and not to be told from a wrong password by the time it takes.
        :returns: fails with `Unavailable` when too many wait already.
        """
        password_hash = argon2_part(record)
        digest = self._digest(name, password_hash, prepared_password(password))
        expiry = self._remembered.get(digest)
        if expiry is not None and self.clock.seconds() < expiry:
            return succeed(True)
        waiter: Deferred[bool] = Deferred()
        same = self._running.get(digest)
        if same is not None:
            # Mail programs open several connections at once: one calculation does for all.
            same.append(waiter)
        elif self._stopped or len(self._running) >= MAX_WAITING:
            waiter.errback(Unavailable(detail="too many passwords wait to be checked"))
        else:
            self._running[digest] = [waiter]
            self._check(digest, password_hash or self._dummy, password)
        return waiter

    def complete(self, record: str, password: str) -> Deferred[str]:
        """The record of ``password`` with the verifiers that it lacked.

        :returns: fails with `Unavailable` when too many wait already.
        """
        if self._stopped or len(self._running) >= MAX_WAITING:
            return fail(Unavailable(detail="too many passwords wait to be hashed"))
        waiter: Deferred[str] = Deferred()
        self._in_thread(lambda: record if self._stopped else completed(record, password), waiter.callback)
        return waiter

    def stop(self) -> None:
        """End the threads: waits for what they are at, and refuses what is still in the queue."""
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
                # Its threads would keep a process alive that knows of no `stop`.
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
