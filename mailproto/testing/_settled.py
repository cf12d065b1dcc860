"""A contract's object whose results can all be awaited, whatever kinds of methods it has."""

from __future__ import annotations

from typing import Any

from zope.interface import directlyProvides, providedBy

from mailproto.awaiting import settle

__all__ = ["Settled", "unwrapped"]


class Settled:
    """Calls the methods of a store, an account or a mailbox, and makes each result awaitable.

    The objects that they return are wrapped in the same way.
    """

    def __init__(self, wrapped: Any) -> None:
        self._wrapped = wrapped
        directlyProvides(self, providedBy(wrapped))

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._wrapped, name)
        if name in _PLAIN or not callable(value):
            return _settled(value)

        async def call(*arguments: Any, **options: Any) -> Any:
            arguments = tuple(each._wrapped if isinstance(each, Settled) else each for each in arguments)
            return _settled(await settle(value(*arguments, **options)))

        return call


def unwrapped(value: Any) -> Any:
    """The backend's own object."""
    return value._wrapped if isinstance(value, Settled) else value


_PLAIN = {"hand_over", "watch"}
"""The methods of contracts that are not awaited."""


def _settled(value: Any) -> Any:
    return Settled(value) if any(True for _ in providedBy(value)) else value
