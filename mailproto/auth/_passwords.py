"""Password hashes (argon2id), and their verification away from the reactor's thread."""

from __future__ import annotations

import base64
import hashlib
import os
import unicodedata
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol, cast

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorCore, IReactorFromThreads, IReactorTime
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from mailproto.errors import Unavailable

__all__ = ["MAX_REMEMBERED", "MAX_WAITING", "REMEMBER", "PasswordVerifier", "hash_password"]

REMEMBER = 300.0
"""Seconds for which a verified login need not be hashed again."""

MAX_REMEMBERED = 10_000
"""Verified logins that are remembered; the oldest goes first."""

MAX_WAITING = 500
"""Different passwords that may wait for a thread; past it a login is asked to try again."""

# RFC 9106 4, "second recommended option": 64 MiB, three passes, four lanes.  The first
# one's 2 GiB a login would let a few guessers take a small machine's memory.
_PROFILE = RFC_9106_LOW_MEMORY
_HASHER = PasswordHasher.from_parameters(_PROFILE)


def prepare(password: str) -> bytes:
    """The octets that are hashed: OpaqueString of RFC 8265 4.2 (NFC, every space an ASCII one).

    So a password typed on a Mac, composed otherwise than on a PC, is the same password.
    """
    spaces = "".join(" " if unicodedata.category(char) == "Zs" else char for char in password)
    return unicodedata.normalize("NFC", spaces).encode("utf-8", "surrogatepass")


def hash_password(password: str) -> str:
    """A PHC string with a salt of its own.  Takes 64 MiB and 50 to 200 ms: for a thread."""
    return _HASHER.hash(prepare(password))


def _unmatchable() -> str:
    """A hash that no password has, and that takes as long to check as a real one."""
    salt, digest = (
        base64.b64encode(os.urandom(size)).rstrip(b"=").decode()
        for size in (_PROFILE.salt_len, _PROFILE.hash_len)
    )
    cost = f"m={_PROFILE.memory_cost},t={_PROFILE.time_cost},p={_PROFILE.parallelism}"
    return f"$argon2id$v={_PROFILE.version}${cost}${salt}${digest}"


class _Pool(Protocol):
    """As much of `ThreadPool` as is used."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def callInThreadWithCallback(  # noqa: N802  (Twisted's name)
        self, on_result: Callable[[bool, Any], object] | None, func: Callable[[], Any], /
    ) -> None: ...


class PasswordVerifier:
    """Checks passwords against PHC strings in a few threads of its own.

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

    def verify(self, name: str, password_hash: str, password: str) -> Deferred[bool]:
        """Whether ``password`` has that hash; the same work is done when the answer is no.

        :param name: whose password: what is known of one account says nothing of another.
        :param password_hash: "" for an account that is not there or that nobody can sign in
            to: never right, and not to be told from a wrong password by the time it takes.
        :returns: fails with `Unavailable` when too many wait already.
        """
        digest = self._digest(name, password_hash, prepare(password))
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
        if not self._started:
            self._started = True
            self._pool.start()
            if IReactorCore.providedBy(self.clock):
                # Its threads would keep a process alive that knows of no `stop`.
                self.clock.addSystemEventTrigger("during", "shutdown", self.stop)

        def work() -> bool:
            return not self._stopped and matches(password_hash, password)

        def done(success: bool, result: bool | Failure) -> None:
            cast(IReactorFromThreads, self.clock).callFromThread(self._answer, digest, result)

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


def matches(password_hash: str, password: str) -> bool:
    """Whether ``password`` has that hash, worked out here and now; False for what is no hash."""
    try:
        return _HASHER.verify(password_hash, prepare(password))
    except (VerificationError, InvalidHashError):
        return False
