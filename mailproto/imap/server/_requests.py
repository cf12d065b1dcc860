"""FETCH, STORE and SEARCH under way, for the modifiers and options that change them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from mailproto.imap.server._view import MailboxView
from mailproto.imap.wire import NO_OPTIONS, Fetch, FetchItem, Options, SearchKey
from mailproto.model import FlagChange, StoreResult

__all__ = ["FetchRequest", "SearchAsked", "SearchFound", "StoreRequest", "one_by_one"]


Ordering: TypeAlias = "Callable[[SearchAsked, Sequence[int]], Awaitable[Sequence[int]]]"


def one_by_one(indexes: Sequence[int]) -> Sequence[int]:
    """The same indexes; the view takes a range to be of neighbours."""
    return list(indexes) if isinstance(indexes, range) and indexes.step != 1 else indexes


@dataclass(slots=True)
class FetchRequest:
    """What FETCH is about to answer; a modifier may change it.

    :ivar items: what is told of each message.
    :ivar indexes: which messages, by their indexes in the view, in ascending order.
    :ivar uid: whether it is UID FETCH.
    :ivar asked: what the client wrote.
    :ivar finish: gives the text of the tagged OK, or None, when all was answered.
    """

    items: tuple[FetchItem, ...]
    indexes: Sequence[int]
    uid: bool
    asked: Fetch
    finish: Callable[[], Awaitable[bytes | None]] | None = None


@dataclass(slots=True)
class StoreRequest:
    """What STORE is about to do; a modifier may change it.

    :ivar indexes: which messages, by their indexes in the view, in ascending order.
    :ivar uid: whether it is UID STORE.
    :ivar silent: whether the new flags are not told.
    :ivar unchanged_since: see `IMailbox.store`.
    :ivar again: called with what was refused; stores some of it again, and gives each result, with all that
        is refused still.
    :ivar finish: called with the result after the new flags were told; gives the text of the tagged OK, or
        None.
    """

    indexes: Sequence[int]
    uid: bool
    change: FlagChange
    silent: bool
    unchanged_since: int | None = None
    again: Callable[[Sequence[int]], AsyncIterator[StoreResult]] | None = None
    finish: Callable[[StoreResult], Awaitable[bytes | None]] | None = None


@dataclass(frozen=True, slots=True)
class SearchAsked:
    """What SEARCH, or a command like it, looks for.

    :ivar view: where.
    :ivar uid: whether the answer has UIDs.
    :ivar returns: what is told, such as ``MIN``.
    :ivar within: the indexes of the messages among which it looks, ascending; None for all.
    :ivar order: puts the UIDs of messages into the requested order; None for the order of the mailbox.
    """

    tag: str
    view: MailboxView
    key: SearchKey
    uid: bool
    returns: Options = NO_OPTIONS
    order: Ordering | None = None
    within: Sequence[int] | None = None


@dataclass(frozen=True, slots=True)
class SearchFound:
    """What SEARCH has found.

    :ivar asked: what was looked for.
    :ivar numbers: sequence numbers or UIDs, in the requested order.
    :ivar extended: whether the answer is ESEARCH.
    :ivar prepared: what options need for their answers, by name.
    """

    asked: SearchAsked
    numbers: Sequence[int]
    extended: bool
    prepared: dict[str, object] = field(default_factory=dict)

    @property
    def uid(self) -> bool:
        """Whether the numbers are UIDs."""
        return self.asked.uid

    @property
    def tag(self) -> str:
        """The command's."""
        return self.asked.tag

    @property
    def returns(self) -> Options:
        """What is told."""
        return self.asked.returns
