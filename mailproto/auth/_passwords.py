"""Checks passwords in threads."""

from __future__ import annotations

import base64
import hashlib
import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorCore, IReactorFromThreads
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from mailproto._arguments import check_whole, wrong_type
from mailproto._twisted_arguments import check_clock
from mailproto.auth._queue import MAX_WAITING, Check, CheckQueue
from mailproto.auth._records import PROFILE, argon2_part, completed, matches
from mailproto.auth._saslprep import prepared_password
from mailproto.errors import Unavailable
from mailproto.observing import Client
from mailproto.typing import ReactorTime

__all__ = ["MAX_REMEMBERED", "MAX_WAITING", "REMEMBER", "PasswordVerifier"]

REMEMBER = 300.0
"""Seconds for which a right password is remembered and need not be hashed again."""

MAX_REMEMBERED = 10_000
"""The most right passwords that are remembered; the oldest is forgotten first."""


NICENESS = 10
"""How much nicer (setpriority(2)) the threads are than the server's others."""


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


class _Background(threading.Thread):
    """Leaves the processors to others, if they want them: above all to the reactor's thread."""

    def run(self) -> None:
        if sys.platform == "linux":  # elsewhere, a process's threads have one priority
            thread = threading.get_native_id()
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)
        super().run()


class _BackgroundPool(ThreadPool):
    threadFactory = _Background  # noqa: N815  (Twisted's name)


class _Login(Check):
    """A password that is checked, and who waits for the answer."""

    def __init__(self, digest: bytes, work: Callable[[], bool], answer: Callable[[Any], object]) -> None:
        super().__init__(work, answer)
        self.digest = digest
        self.waiters: list[Deferred[bool]] = []


class PasswordVerifier:
    """Checks passwords against records (`mailproto.auth.hash_password`) in its own threads.

    A right password is remembered for `REMEMBER` seconds, so that a client that signs in for each poll
    costs little.  It is kept as a digest, keyed with a secret of this process.  The digest includes the
    stored hash, so that a changed password is forgotten.

    If more passwords come than the threads can check, each account, network and connection gets a share,
    and those with wrong passwords lately come last.  So a flood of guesses makes only the guesses wait.

    :param reactor: for time, and to receive results from the threads; its shutdown stops them.
    :param threads: the number of threads; each uses 19 MiB and a core while it works.  On Linux, their
        priority is lower than that of other threads.
    :param pool: a thread pool to use instead of our own; it gets as many checks at once as ``threads`` says.
    """

    def __init__(self, reactor: ReactorTime, *, threads: int = 2, pool: _Pool | None = None) -> None:
        check_clock("reactor", reactor)
        check_whole("threads", threads, 1)
        if pool is not None and not hasattr(pool, "callInThreadWithCallback"):
            raise wrong_type("pool", pool, "a twisted.python.threadpool.ThreadPool or None")
        self.clock = reactor
        self._pool = pool or cast(_Pool, _BackgroundPool(0, threads, "passwords"))
        self._threads = threads
        self._started = False
        self._stopped = False
        self._key = os.urandom(32)
        self._dummy = _unmatchable()
        self._remembered: OrderedDict[bytes, float] = OrderedDict()
        self._logins: dict[bytes, _Login] = {}
        self._queue = CheckQueue(reactor)

    def verify(
        self, name: str, record: str, password: str, *, client: Client | None = None
    ) -> Deferred[bool]:
        """Whether ``password`` is that of the record; a wrong password takes the same time.

        :param name: the account's name; a password is remembered for this account only.
        :param record: "" if the account does not exist or has no password: the answer is then False, after
            the same time as for a wrong password.
        :param client: who gave the password (`mailproto.auth.credentials.IClientPassword`); None if that is
            not known: then only the account has a share.
        :returns: fails with `Unavailable` if too many passwords are waiting, or if it is cancelled: a
            password that nobody waits for any more is not checked.
        """
        password_hash = argon2_part(record)
        digest = self._digest(name, password_hash, prepared_password(password))
        expiry = self._remembered.get(digest)
        if expiry is not None and self.clock.seconds() < expiry:
            return succeed(True)
        login = self._logins.get(digest)
        if login is None:
            login = self._new_login(digest, password_hash or self._dummy, password)
        waiter: Deferred[bool] = Deferred(lambda waiter: self._cancelled(login, waiter))
        # Mail programs open several connections at once: one computation is enough for all of them.
        login.waiters.append(waiter)
        if not self._queue.is_running(login):
            self._queue.identify(login, name, client)
            self._put(login)
        return waiter

    def complete(self, record: str, password: str) -> Deferred[str]:
        """The record of ``password`` with its missing SCRAM keys added.

        :returns: fails with `Unavailable` if too many passwords are waiting.
        """
        waiter: Deferred[str] = Deferred()

        def answer(result: str | Failure) -> None:
            self._queue.done(check)
            _fire(waiter, result)

        check = Check(lambda: record if self._stopped else completed(record, password), answer)
        self._put(check)
        return waiter

    def stop(self) -> None:
        """End the threads: wait for running checks, and refuse those that are still in the queue."""
        self._stopped = True
        if self._started:
            self._started = False
            self._pool.stop()
        self._remembered.clear()
        for check in self._queue.clear():
            check.answer(_unavailable("the server stops"))

    def _digest(self, name: str, password_hash: str, password: bytes) -> bytes:
        login = repr((name, password_hash, password)).encode()
        return hashlib.blake2b(login, key=self._key, digest_size=32).digest()

    def _new_login(self, digest: bytes, password_hash: str, password: str) -> _Login:
        def work() -> bool:
            return not self._stopped and matches(password_hash, password)

        login = _Login(digest, work, lambda result: self._answer(login, result))
        self._logins[digest] = login
        return login

    def _put(self, check: Check) -> None:
        if self._stopped:
            check.answer(_unavailable("the server stops"))
            return
        refused = self._queue.put(check)
        if refused is not None:
            refused.answer(_unavailable("too many passwords wait to be checked"))
        if self._is_last_thread:
            if self._queue.take_latest(check):
                self._in_thread(check)
        else:
            self._run_more()

    @property
    def _is_last_thread(self) -> bool:
        """Whether one thread of several is free: it is kept for those who gave no wrong password lately.

        Otherwise a newcomer would have to wait for the hashes of two guesses.
        """
        return 1 < self._threads == self._queue.running + 1

    def _run_more(self) -> None:
        """Give the threads what they can do at once, and no more, so that the queue decides what is next."""
        while self._queue.running < self._threads:
            check = self._queue.take(is_last_thread=self._is_last_thread)
            if check is None:
                return
            self._in_thread(check)

    def _in_thread(self, check: Check) -> None:
        if not self._started:
            self._started = True
            self._pool.start()
            if IReactorCore.providedBy(self.clock):
                # Without this, the threads would keep a process alive that does not call `stop`.
                self.clock.addSystemEventTrigger("during", "shutdown", self.stop)

        def done(success: bool, result: Any) -> None:
            cast(IReactorFromThreads, self.clock).callFromThread(self._ran, check, result)

        self._pool.callInThreadWithCallback(done, check.work)

    def _ran(self, check: Check, result: Any) -> None:
        if self._queue.is_running(check):  # not stopped in the meantime
            check.answer(result)
            self._run_more()

    def _answer(self, login: _Login, result: bool | Failure) -> None:
        self._queue.done(login, was_right=result if isinstance(result, bool) else None)
        del self._logins[login.digest]
        if result is True:
            self._remember(login.digest)
        for waiter in login.waiters:
            _fire(waiter, result)

    def _cancelled(self, login: _Login, waiter: Deferred[bool]) -> None:
        login.waiters.remove(waiter)
        if not login.waiters and self._queue.drop(login):
            del self._logins[login.digest]
        waiter.errback(_unavailable("the client has gone"))

    def _remember(self, digest: bytes) -> None:
        now = self.clock.seconds()
        remembered = self._remembered
        remembered[digest] = now + REMEMBER
        remembered.move_to_end(digest)
        while len(remembered) > MAX_REMEMBERED or remembered[next(iter(remembered))] <= now:
            remembered.popitem(last=False)


def _unavailable(why: str) -> Failure:
    return Failure(Unavailable(detail=why))


def _fire(waiter: Deferred[Any], result: Any) -> None:
    waiter.errback(result) if isinstance(result, Failure) else waiter.callback(result)
