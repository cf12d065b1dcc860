"""Coroutines that mostly have nothing to wait for."""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial
from typing import Any

__all__ = ["at_once"]


def at_once(coroutine: Coroutine[Any, Any, None]) -> Awaitable[None] | None:
    """Run ``coroutine`` until it must wait.

    A ``Deferred`` around a coroutine costs more than most of our handlers: a delivery that
    answers at once should not pay for it.

    :returns: None if it is done, or else its rest, to be awaited.
    :raises Exception: what the coroutine raises before it has to wait.
    """
    try:
        waiting = coroutine.send(None)
    except StopIteration:
        return None
    return _rest(coroutine, waiting)


@types.coroutine
def _rest(coroutine: Coroutine[Any, Any, None], waiting: Any) -> Generator[Any, Any, None]:
    """Pass on what the coroutine waits for, and to it what became of that."""
    while True:
        try:
            value = yield waiting
        except BaseException as error:
            resume: Callable[[], Any] = partial(coroutine.throw, error)
        else:
            resume = partial(coroutine.send, value)
        try:
            waiting = resume()
        except StopIteration:
            return
