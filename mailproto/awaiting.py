"""What a method of a contract may return: a value, a coroutine, a ``Deferred``, or an asyncio future.

Whoever calls a contract awaits `settle` of the result.  On asyncio's reactor a coroutine runs in a task of
its own, so that ``asyncio.timeout``, ``asyncio.TaskGroup`` and libraries that are made of them work in it;
it may await Deferreds as well.  On every other reactor, awaiting an asyncio future is an error that says so.
"""

from __future__ import annotations

import asyncio
from asyncio import _get_running_loop
from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import CoroutineType
from typing import Any, Generic, TypeAlias, TypeVar, cast, overload

from twisted.internet.defer import Deferred, fail

__all__ = [
    "Pending",
    "Result",
    "at_once",
    "deferred_of",
    "does_nothing",
    "drive",
    "has_nothing_to_do",
    "hint",
    "nothing",
    "settle",
    "turn",
]

T = TypeVar("T")
MethodT = TypeVar("MethodT", bound=Callable[..., Any])

Result: TypeAlias = T | Awaitable[T]
"""What a method of a contract may return instead of a ``T``."""


@overload
def settle(result: Awaitable[T]) -> Awaitable[T]: ...
@overload
def settle(result: Result[T]) -> Awaitable[T]: ...
def settle(result: Any) -> Awaitable[Any]:
    """An awaitable for the result of a contract's method."""
    kind = type(result)
    if kind is CoroutineType:
        loop = _get_running_loop()
        return cast(Awaitable[Any], result) if loop is None else _in_task(result, loop)
    if isinstance(result, Deferred):
        return result
    if asyncio.isfuture(result):
        return deferred_of(result)
    if hasattr(kind, "__await__"):
        return settle(_awaited(result))
    return _Value(result)


class Pending(Exception):
    """There is no result yet (`at_once`)."""


@overload
def at_once(result: Awaitable[T]) -> T: ...
@overload
def at_once(result: Result[T]) -> T: ...
def at_once(result: Any) -> Any:
    """The result of a contract's method that need not wait for anything; without the cost of `settle`.

    :raises Pending: it has to wait, so it was given up: a coroutine was closed, and any other result will be
        ignored.  Call the method again, and await that.
    """
    if type(result) is not CoroutineType:
        if isinstance(result, Deferred):
            result.addErrback(_does_not_matter)
        if hasattr(result, "__await__"):
            raise Pending
        return result
    if _get_running_loop() is None:
        try:
            result.send(None)
        except StopIteration as end:
            return end.value
    result.close()
    raise Pending


def _does_not_matter(error: object) -> None:
    """An errback for a result that nobody waits for any more."""


def deferred_of(future: asyncio.Future[T]) -> Deferred[T]:
    """A ``Deferred`` for an asyncio future; an error at once if the reactor does not run on its loop."""
    if future.get_loop() is _get_running_loop():
        return Deferred.fromFuture(future)
    return fail(
        RuntimeError(
            f"{future!r} would never be done, because the reactor does not run on its loop:"
            " install twisted.internet.asyncioreactor, or await something of Twisted"
        )
    )


def hint(error: BaseException | None) -> str:
    """What to do about an error of asyncio's own that does not say so; "" for any other error."""
    if isinstance(error, RuntimeError) and "no running event loop" in str(error):
        return (
            ": what is asyncio's needs asyncio's reactor (twistd --reactor=asyncio, or `mailproto.aio`);"
            " on this one, await something of Twisted, such as twisted.internet.task.deferLater"
        )
    return ""


class _Value(Generic[T]):
    """An awaitable for a value that is there."""

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value = value

    def __await__(self) -> Generator[None, None, T]:
        return self.value
        yield


class _Turn:
    __slots__ = ()

    def __await__(self) -> Generator[None, None, None]:
        yield


def turn() -> Awaitable[None]:
    """Let others have their turn; for a method that has to work in the reactor's thread for some time.

    A server continues what awaits this in the reactor's next turn, and asyncio in its loop's.  Where a method
    runs inside ``Deferred.fromCoroutine``, it continues at once.
    """
    return _Turn()


async def nothing() -> None:
    """The result of a method that has nothing to do."""


def does_nothing(method: MethodT) -> MethodT:
    """Mark a method that only returns `nothing`: a caller need not call it (`has_nothing_to_do`)."""
    method.does_nothing = True  # type: ignore[attr-defined]
    return method


def has_nothing_to_do(method: Any) -> bool:
    """Whether a method is marked with `does_nothing`; one that overrides it is not."""
    return getattr(method, "does_nothing", False) is True


async def _awaited(awaitable: Awaitable[T]) -> T:
    return await awaitable


def _in_task(coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> Deferred[T]:
    return Deferred.fromFuture(loop.create_task(drive(coroutine)))


async def drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in the current asyncio task, where it may await Deferreds as well."""
    return await _InTask(coroutine, asyncio.get_running_loop())


class _InTask(Generic[T]):
    """Runs a coroutine in the current task, which knows futures only: a Deferred becomes one."""

    __slots__ = ("_coroutine", "_loop")

    def __init__(self, coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> None:
        self._coroutine = coroutine
        self._loop = loop

    def __await__(self) -> Generator[Any, Any, T]:
        coroutine = self._coroutine
        resume, with_ = coroutine.send, cast(Any, None)
        while True:
            try:
                waiting = resume(with_)
            except StopIteration as end:
                return cast(T, end.value)
            try:
                if isinstance(waiting, Deferred):
                    yield from self._fired(waiting).__await__()
                else:
                    yield waiting
            except BaseException as error:  # the task was cancelled
                resume, with_ = coroutine.throw, error
            else:
                resume, with_ = coroutine.send, None

    def _fired(self, deferred: Deferred[Any]) -> asyncio.Future[None]:
        """A future that is done when ``deferred`` has its result, which stays there: `Deferred.__await__`
        looks for it."""
        future: asyncio.Future[None] = self._loop.create_future()

        def fired(result: Any) -> Any:
            if not future.done():
                future.set_result(None)
            return result

        def done(_: asyncio.Future[None]) -> None:
            if future.cancelled():
                deferred.addErrback(lambda _: None)
                deferred.cancel()

        deferred.addBoth(fired)
        future.add_done_callback(done)
        return future
