"""What a message must meet to be found, and how conditions are combined.

Columns, such as flags and sizes, are tested for a batch of messages at once.  Content is tested for one
message at a time, and only if the columns leave it open whether the message matches.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from mailproto.imap.server._search_message import Message
from mailproto.message import Steps
from mailproto.model import ContentTest, Found, MessageInfo, Part

__all__ = ["All", "Any", "Batch", "Column", "Condition", "Content", "Cost", "Opposite"]

_NOTHING = Part(0)

Mask = int
"""An octet for each message of a batch, the first one the lowest: 1 if the message matches, or else 0."""


class Cost(enum.IntEnum):
    """What must be read for a test."""

    SET = 0
    FLAGS = 1
    METADATA = 2
    HEADER = 3
    BODY = 4


class Batch:
    """Neighbouring messages, whose columns are tested together.

    :ivar start: the index of the first message in the view.
    :ivar size: how many messages there are.
    :ivar everything: the mask of all of them.
    :ivar uids: their UIDs.
    :ivar flags: their sets of flags.
    :ivar sizes: their sizes; 0 where a size is not known.
    :ivar dates: their internal dates, as the sizes.
    :ivar local_dates: the same as the clocks of their zones showed them: midnight is a multiple of a day.
    :ivar infos: what else was read of them, if a column needs it; None where nothing was.
    :ivar known: the answers of columns.
    :ivar found: what the mailbox itself found: the messages that surely pass a test of content, and those
        that may.
    """

    __slots__ = (
        "_different",
        "_keywords",
        "dates",
        "everything",
        "flags",
        "found",
        "infos",
        "known",
        "local_dates",
        "size",
        "sizes",
        "start",
        "uids",
    )

    def __init__(self, start: int, uids: Sequence[int], flags: Sequence[frozenset[str]]) -> None:
        self.start = start
        self.size = len(uids)
        self.uids = uids
        self.flags = flags
        self.everything = int.from_bytes(b"\1" * self.size, "little")
        self.sizes: Sequence[int] = ()
        self.dates: Sequence[int] = ()
        self.local_dates: Sequence[int] = ()
        self.infos: Sequence[MessageInfo | None] = ()
        self.known: dict[Column, Mask] = {}
        self.found: dict[Content, tuple[Mask, Mask]] = {}
        self._different: frozenset[frozenset[str]] | None = None
        self._keywords: frozenset[str] | None = None

    @property
    def different_flags(self) -> frozenset[frozenset[str]]:
        """The sets of flags, none twice: messages share few."""
        if self._different is None:
            self._different = frozenset(self.flags)
        return self._different

    @property
    def keywords(self) -> frozenset[str]:
        """All flags of the messages."""
        if self._keywords is None:
            self._keywords = frozenset().union(*self.different_flags)
        return self._keywords

    def mask(self, uids: Sequence[int]) -> Mask:
        """The mask of messages, by their UIDs."""
        if not uids:
            return 0
        return int.from_bytes(bytes(map(set(uids).__contains__, self.uids)), "little")

    def chosen(self, mask: Mask) -> bytes:
        """An octet for each message: 1 or 0."""
        return mask.to_bytes(self.size, "little")


class Condition(Protocol):
    """A test of messages.

    :ivar cost: the highest cost of its parts.
    """

    cost: Cost

    def bounds(self, batch: Batch) -> tuple[Mask, Mask]:
        """The messages that surely match, and those that may match, by what is known of columns."""

    def decide(self, at: int, message: Message) -> Steps[bool]:
        """Whether the message at ``at`` in the batch matches."""


class Column:
    """A test of a column.

    :param answer: gives the messages that match, an octet for each: 1 or 0.
    :param parts: what must be read of the messages for `Batch.infos`; with ``Cost.METADATA`` and without
        parts, it is their sizes and dates.
    """

    __slots__ = ("_answer", "cost", "parts")

    def __init__(
        self, cost: Cost, answer: Callable[[Batch], bytes | bytearray], parts: Part = _NOTHING
    ) -> None:
        self.cost = cost
        self.parts = parts
        self._answer = answer

    def learn(self, batch: Batch) -> None:
        """Test the messages of a batch."""
        batch.known[self] = int.from_bytes(self._answer(batch), "little")

    def bounds(self, batch: Batch) -> tuple[Mask, Mask]:
        """See `Condition`."""
        known = batch.known.get(self)
        return (0, batch.everything) if known is None else (known, known)

    def decide(self, at: int, message: Message) -> Steps[bool]:
        """See `Condition`."""
        return message.columns[self][at] == 1
        yield  # a generator, as the others


class Content:
    """A test of content, whose answer is kept for each message.

    :param answer: whether a message matches.
    :param test: the same test, for a mailbox that is `IFinding`.
    """

    __slots__ = ("_answer", "cost", "test")

    def __init__(self, cost: Cost, answer: Callable[[Message], Steps[bool]], test: ContentTest) -> None:
        self.cost = cost
        self.test = test
        self._answer = answer

    def learn(self, batch: Batch, asked: Mask, found: Found) -> None:
        """Note what the mailbox found among the ``asked`` messages."""
        surely = batch.mask(found.passing)
        batch.found[self] = surely, surely | batch.mask(found.unknown) | (batch.everything ^ asked)

    def bounds(self, batch: Batch) -> tuple[Mask, Mask]:
        """See `Condition`."""
        return batch.found.get(self) or (0, batch.everything)

    def decide(self, at: int, message: Message) -> Steps[bool]:
        """See `Condition`."""
        answer = message.answers.get(self)
        if answer is None:
            answer = message.answers[self] = yield from self._answer(message)
        return answer


class All:
    """All conditions must be met; with none, every message matches."""

    __slots__ = ("conditions", "cost")

    def __init__(self, conditions: Iterable[Condition]) -> None:
        self.conditions = _cheapest_first(conditions)
        self.cost = self.conditions[-1].cost if self.conditions else Cost.SET

    def bounds(self, batch: Batch) -> tuple[Mask, Mask]:
        """See `Condition`."""
        surely = possibly = batch.everything
        for condition in self.conditions:
            its_surely, its_possibly = condition.bounds(batch)
            surely &= its_surely
            possibly &= its_possibly
            if not possibly:
                break
        return surely, possibly

    def decide(self, at: int, message: Message) -> Steps[bool]:
        """See `Condition`."""
        for condition in self.conditions:
            if not (yield from condition.decide(at, message)):
                return False
        return True


class Any:
    """One of the conditions must be met."""

    __slots__ = ("conditions", "cost")

    def __init__(self, conditions: Iterable[Condition]) -> None:
        self.conditions = _cheapest_first(conditions)
        self.cost = self.conditions[-1].cost

    def bounds(self, batch: Batch) -> tuple[Mask, Mask]:
        """See `Condition`."""
        surely = possibly = 0
        for condition in self.conditions:
            its_surely, its_possibly = condition.bounds(batch)
            surely |= its_surely
            possibly |= its_possibly
            if surely == batch.everything:
                break
        return surely, possibly | surely

    def decide(self, at: int, message: Message) -> Steps[bool]:
        """See `Condition`."""
        for condition in self.conditions:
            if (yield from condition.decide(at, message)):
                return True
        return False


class Opposite:
    """A condition must not be met."""

    __slots__ = ("condition", "cost")

    def __init__(self, condition: Condition) -> None:
        self.condition = condition
        self.cost = condition.cost

    def bounds(self, batch: Batch) -> tuple[Mask, Mask]:
        """See `Condition`."""
        surely, possibly = self.condition.bounds(batch)
        return batch.everything ^ possibly, batch.everything ^ surely

    def decide(self, at: int, message: Message) -> Steps[bool]:
        """See `Condition`."""
        return not (yield from self.condition.decide(at, message))


def _cheapest_first(conditions: Iterable[Condition]) -> list[Condition]:
    """The conditions, none twice: the cheaper tests often spare the others."""
    return sorted(dict.fromkeys(conditions), key=lambda condition: condition.cost)
