"""A thread that runs a reactor, so that synchronous code can use a server.

A reactor cannot be started a second time, so one thread is kept for the whole process, and each server is
started and stopped in it.  It ends with the main thread.

The thread runs the installed reactor, so that everything in Twisted works there (``deferToThread`` and so
on).  But if the main thread needs that reactor, because trial, pytest-twisted or asyncio run it, the thread
has a reactor of its own, of the same kind.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import Deferred, ensureDeferred

__all__ = ["ReactorThread", "in_asyncio_task", "installed_reactor", "known_reactors", "reactor_thread"]

T = TypeVar("T")

_OWNERS = ("twisted.trial._asynctest", "twisted.trial.unittest", "pytest_twisted")
"""Modules whose users run the installed reactor themselves, in the main thread."""

_EXIT_PATIENCE = 5.0
"""Seconds for which the end of the process waits for the reactor to stop."""


def installed_reactor() -> Any:
    """The installed reactor; the default one if there is none."""
    from twisted.internet import reactor

    return reactor


def in_asyncio_task() -> bool:
    """Whether asyncio runs the current code, and not the reactor: only asyncio's futures can be awaited."""
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False


class ReactorThread:
    """A thread with a running reactor.

    :ivar reactor: the reactor.
    """

    def __init__(self) -> None:
        self.reactor, self._loop = _reactor_for_a_thread()
        started = threading.Event()
        self.reactor.callWhenRunning(started.set)
        self._thread = threading.Thread(target=self._run, name="mailproto-testing", daemon=True)
        self._thread.start()
        started.wait()
        # Not a daemon: the interpreter waits for it, and so for the reactor's own threads.
        threading.Thread(target=self._end_with_main_thread, name="mailproto-testing-end").start()

    def submit(self, call: Callable[[], Coroutine[Deferred[Any], Any, T]]) -> Future[T]:
        """Run a coroutine in the thread.

        :returns: a future of its result.
        :raises RuntimeError: the reactor was stopped.
        """
        if not self._thread.is_alive():
            raise RuntimeError("something stopped the server's reactor, which cannot be started again")
        result: Future[T] = Future()

        def begin() -> None:
            running = ensureDeferred(call())
            running.addCallbacks(result.set_result, lambda failure: result.set_exception(failure.value))
            running.addErrback(lambda failure: result.set_exception(failure.value))

        self.reactor.callFromThread(begin)
        return result

    def call(self, call: Callable[[], Coroutine[Deferred[Any], Any, T]], timeout: float | None = None) -> T:
        """Run a coroutine in the thread, and wait for its result.

        :raises RuntimeError: the caller is in the thread itself, and would wait for ever.
        :raises TimeoutError: there is no result after ``timeout`` seconds.
        """
        if threading.current_thread() is self._thread:
            raise RuntimeError("this is the server's own thread: await the call instead of blocking")
        return self.submit(call).result(timeout)

    def _run(self) -> None:
        self.reactor.run(installSignalHandlers=False)
        if self._loop is not None:
            self._loop.close()

    def _end_with_main_thread(self) -> None:
        threading.main_thread().join()
        self.reactor.callFromThread(self.reactor.stop)
        self._thread.join(_EXIT_PATIENCE)


def _reactor_for_a_thread() -> tuple[Any, asyncio.AbstractEventLoop | None]:
    """The reactor, and its loop if that was made for it."""
    reactor = installed_reactor()
    is_asyncio = isinstance(reactor, AsyncioSelectorReactor)
    if not (reactor.running or is_asyncio or any(owner in sys.modules for owner in _OWNERS)):
        return reactor, None
    loop = asyncio.new_event_loop() if is_asyncio else None
    own: Any = type(reactor)() if loop is None else AsyncioSelectorReactor(loop)
    own._registerAsIOThread = False  # the main thread's reactor stays Twisted's reactor
    return own, loop


_only: list[ReactorThread] = []
_making = threading.Lock()
os.register_at_fork(after_in_child=_only.clear)  # the child has no such thread


def known_reactors() -> list[Any]:
    """The installed reactor, and that of the thread if there is one."""
    return [installed_reactor(), *(thread.reactor for thread in _only)]


def reactor_thread() -> ReactorThread:
    """The process's thread; it is started when it is first needed."""
    with _making:
        if not _only:
            _only.append(ReactorThread())
        return _only[0]
