"""Work on files in a thread, because a disk may keep the reactor waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from twisted.internet.threads import deferToThreadPool

from mailproto.typing import ReactorTime

__all__ = ["in_thread"]

P = ParamSpec("P")
R = TypeVar("R")


async def in_thread(
    reactor: ReactorTime, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
) -> R:
    """Call a function in a thread; at once if the reactor has none, as in tests with a ``Clock``."""
    threads: Any = reactor
    if not hasattr(threads, "getThreadPool"):
        return function(*args, **kwargs)
    result: R = await deferToThreadPool(threads, threads.getThreadPool(), function, *args, **kwargs)
    return result
