"""Coroutines that need not wait cost no Deferred."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred

__all__ = ["at_once"]


def at_once(coroutine: Coroutine[Any, Any, None]) -> Deferred[None] | None:
    """Run ``coroutine`` until it must wait.

    A ``Deferred`` around a coroutine costs more than most handlers do: one that has nothing
    to wait for does not pay for it.

    :returns: None if it is done, or else its rest.
    :raises Exception: what the coroutine raises before it has to wait.
    """
    try:
        waiting = coroutine.send(None)
    except StopIteration:
        return None
    return ensureDeferred(_rest(coroutine, waiting))


def _rest(coroutine: Coroutine[Any, Any, None], waiting: Any) -> Generator[Any, Any, None]:
    """Pass on what the coroutine waits for, and to it what became of that."""
    try:
        while True:
            try:
                value = yield waiting
            except GeneratorExit:
                coroutine.close()
                raise
            except BaseException as error:
                waiting = coroutine.throw(error)
            else:
                waiting = coroutine.send(value)
    except StopIteration:
        return
