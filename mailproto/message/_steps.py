"""Long work in steps, between which a server can serve others.

A function named ``..._steps`` does what the function without that ending does, as a generator: it yields
at least every millisecond or so, and returns the result.  In a coroutine::

    work = Working(summarise_steps(content))
    for _ in work:
        await turn()
    summary = work.result

or, where there is no hurry, ``finish(steps)``.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Generic, TypeAlias, TypeVar

__all__ = ["Steps", "Working", "finish"]

T = TypeVar("T")

Steps: TypeAlias = Generator[None, None, T]
"""Work that pauses at each ``yield``, and returns its result."""


def finish(steps: Steps[T]) -> T:
    """Do all steps at once, and return the result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


class Working(Generic[T]):
    """An iterator over steps, which keeps their result.

    :ivar result: the result, after the last step.
    """

    result: T

    def __init__(self, steps: Steps[T]) -> None:
        self._steps = steps

    def __iter__(self) -> Iterator[None]:
        self.result = yield from self._steps
