"""Work on files in a thread, because a disk may keep the reactor waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure

from mailproto.typing import ReactorTime

__all__ = ["in_thread"]

P = ParamSpec("P")
R = TypeVar("R")


async def in_thread(
    reactor: ReactorTime, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
) -> R:
    """Call a function in a thread; at once if the reactor has none, as in tests with a ``Clock``.

    If this is cancelled, it ends when the thread has ended: files must not be closed or unlocked before.
    """
    threads: Any = reactor
    if not hasattr(threads, "getThreadPool"):
        return function(*args, **kwargs)
    working = deferToThreadPool(threads, threads.getThreadPool(), function, *args, **kwargs)
    ended: list[R | Failure] = []
    waiting: list[Deferred[None]] = []

    def end(result: R | Failure) -> None:
        ended.append(result)
        if not waiting[-1].called:  # as when the program ends
            waiting[-1].callback(None)

    is_cancelled = False
    while not ended:
        waiting.append(Deferred())
        if len(waiting) == 1:
            working.addBoth(end)
        try:
            await waiting[-1]
        except CancelledError:
            is_cancelled = True
    if is_cancelled:
        raise CancelledError
    [result] = ended
    if isinstance(result, Failure):
        result.raiseException()
    return result
