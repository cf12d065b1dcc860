"""FETCH, STORE and SEARCH under way, for the modifiers and options that change them."""

from __future__ import annotations

from array import array
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from mailproto.imap.wire import FetchItem
from mailproto.model import FlagChange, StoreResult

__all__ = ["FetchRequest", "SearchFound", "StoreRequest", "one_by_one"]


def one_by_one(indexes: Sequence[int]) -> Sequence[int]:
    """The same indexes; the view takes a range to be of neighbours."""
    return list(indexes) if isinstance(indexes, range) and indexes.step != 1 else indexes


@dataclass(slots=True)
class FetchRequest:
    """What FETCH is about to answer; a modifier may change it.

    :ivar items: what is told of each message.
    :ivar indexes: which messages, by their indexes in the view, in ascending order.
    :ivar uid: whether it is UID FETCH.
    :ivar finish: gives the text of the tagged OK, or None, when all was answered.
    """

    items: tuple[FetchItem, ...]
    indexes: Sequence[int]
    uid: bool
    finish: Callable[[], Awaitable[bytes | None]] | None = None


@dataclass(slots=True)
class StoreRequest:
    """What STORE is about to do; a modifier may change it.

    :ivar indexes: which messages, by their indexes in the view, in ascending order.
    :ivar uid: whether it is UID STORE.
    :ivar silent: whether the new flags are not told.
    :ivar unchanged_since: see `IMailbox.store`.
    :ivar finish: called with the result after the new flags were told; gives the text of the tagged OK, or
        None.
    """

    indexes: Sequence[int]
    uid: bool
    change: FlagChange
    silent: bool
    unchanged_since: int | None = None
    finish: Callable[[StoreResult], Awaitable[bytes | None]] | None = None


@dataclass(frozen=True, slots=True)
class SearchFound:
    """What SEARCH has found.

    :ivar numbers: sequence numbers or UIDs, in ascending order.
    :ivar uid: whether they are UIDs.
    :ivar extended: whether the answer is ESEARCH.
    """

    numbers: array[int]
    uid: bool
    tag: str
    extended: bool
