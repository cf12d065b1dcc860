"""The part of a FETCH response that has to be made for each message: its sections, and BODY.

Between two sections, and within those that take long to find, others have their turn.  Of a message with
many or large sections, only some octets are in memory: they are sent as fast as the client reads.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, Protocol, TypeAlias, TypeVar

from mailproto.content import CHUNK, unwrapped
from mailproto.errors import MailError
from mailproto.imap.server._session import Session
from mailproto.imap.wire import ArgumentReader, FetchAttribute, FetchItem, FetchSection, grammars
from mailproto.message import Index, Section, Sections, Slices, Steps, Working, body_steps
from mailproto.model import MessageInfo, Part

__all__ = [
    "BODY",
    "SECTIONS",
    "STREAMED",
    "Extract",
    "FetchPiece",
    "FetchedMessage",
    "Pieces",
    "SectionLost",
    "needs_place",
    "sections_of",
]

ItemT = TypeVar("ItemT", bound=FetchItem)
T = TypeVar("T")

STREAMED = CHUNK
"""So many octets of one message are sent before more of it is read."""

_WHOLE = Section()

_SMALL_INDEX = 2000
_SMALL_MESSAGE = 1 << 16
"""Octets of a stored index, and of a message, that take little time and memory."""


def _never(item: object) -> bool:
    return False


class SectionLost(Exception):
    """The content could not be read when some of the message had been sent already.

    :ivar error: the reason.
    """

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error


class Octets(Protocol):
    """Octets that are given in pieces."""

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The octets from ``start`` to ``stop``.

        Others have their turn after each piece, so that one that takes long may be empty.  It is called for
        ranges that follow one another.
        """


class Extract(NamedTuple):
    """Octets of a message, which are sent in pieces if they are many.

    :ivar before: what comes before them in the response, such as ``b"BODY[1] {5}\\r\\n"``.
    :ivar start: where they begin in ``octets``; ``stop`` is where they end.
    """

    before: bytes
    octets: Octets
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class FetchPiece(Generic[ItemT]):
    """A kind of items of FETCH that have to be made for each message, such as sections.

    :ivar kind: the class of the items.
    :ivar parts: what is to be read of a message for an item.
    :ivar render: the item in the response: all of it, or an `Extract`; or None to leave it out.
    :ivar names: the items that are one word, in upper case.
    :ivar readers: the words of the others, up to ``[``, and what reads the rest.
    :ivar marks_seen: whether an item sets ``\\Seen`` (RFC 9051 6.4.5, BODY[...]).
    """

    kind: type[ItemT]
    parts: Callable[[ItemT], Part]
    render: Callable[[FetchedMessage, ItemT], Awaitable[bytes | Extract | None]]
    names: Mapping[bytes, ItemT] = field(default_factory=dict)
    readers: Mapping[bytes, Callable[[ArgumentReader], ItemT]] = field(default_factory=dict)
    marks_seen: Callable[[ItemT], bool] = _never


Pieces: TypeAlias = tuple[tuple[FetchItem, FetchPiece[Any]], ...]


async def sections_of(message: FetchedMessage, wanted: Pieces, beginning: bytes, end: bytes) -> bytes:
    """Make the response for one message, and send all but its last octets.  The message is closed.

    :param beginning: the response up to the first section.
    :param end: what follows the last one.
    :returns: the octets that are not sent yet: at most some more than `STREAMED`, or those of a BODY; or
        nothing, because all items were left out.
    :raises OSError: the content could not be read, and nothing was sent.
    :raises SectionLost: it could not be read later.
    """
    pieces = [beginning]
    size = 0
    is_begun = False
    separator = b""
    server = message.session
    try:
        for item, piece in wanted:
            made = await piece.render(message, item)
            if made is None:
                continue
            pieces.append(separator)
            if isinstance(made, bytes):
                pieces.append(made)
                size += len(made)
            else:
                before, octets, start, stop = made
                pieces.append(before)
                size += len(before) + stop - start
                while size >= STREAMED:
                    cut = min(start + CHUNK, stop)
                    for some in octets.chunks(start, cut):
                        pieces.append(some)
                        await server.yield_turn()
                    server.respond(b"".join(pieces))
                    is_begun = True
                    pieces.clear()
                    await server.flush(message.close)
                    start, size = cut, stop - cut
                for some in octets.chunks(start, stop):
                    pieces.append(some)
                    await server.yield_turn()
            separator = b" "
    except OSError as error:
        if is_begun:
            raise SectionLost(error) from None
        raise
    finally:
        message.close()
    if not separator:
        return _without_items(beginning, end)
    pieces.append(end)
    return b"".join(pieces)


def _without_items(beginning: bytes, end: bytes) -> bytes:
    """The response of what is left, if anything is."""
    if beginning.endswith(b" "):
        return beginning[:-1] + end
    return beginning + end[1:] if end.startswith(b" ") else b""


def needs_place(info: MessageInfo) -> bool:
    """Whether it takes time and memory to take a message apart."""
    return len(info.offsets or b"") >= _SMALL_INDEX or len(info.content or b"") >= _SMALL_MESSAGE


class FetchedMessage:
    """A message whose content FETCH takes apart; large ones have a place meanwhile (`Places`).

    :param has_place: whether the caller has taken one for it.
    :ivar info: what was read of it.
    :ivar failure: why some of what is wanted cannot be had; then the answer is NO, after all that can.
    """

    __slots__ = ("_has_place", "_index", "_sections", "content", "failure", "info", "session")

    def __init__(self, session: Session, info: MessageInfo, *, has_place: bool = False) -> None:
        self.session = session
        self.info = info
        self.content = unwrapped(info.content)
        self.failure: MailError | None = None
        self._index: Index | None = None
        self._sections: Sections | None = None
        self._has_place = has_place

    async def body(self) -> bytes:
        """The value of BODY."""
        rendered = await self.in_turns(body_steps(self.content, await self.index()))
        self.close()
        return rendered

    async def section(self, wanted: Section) -> Slices | None:
        """The octets of a section; None if there is no such part."""
        if wanted == _WHOLE:
            return Slices(self.content, ((0, len(self.content)),))
        sections = self._sections
        if sections is None:
            sections = self._sections = Sections(self.content, await self.index())
        if not wanted.fields:
            return sections.find(wanted)
        found = await self.in_turns(sections.find_steps(wanted))
        await self.session.yield_turn()
        return found

    def close(self) -> None:
        """Forget what is known of the parts, and give the place back; another section may follow."""
        self._index = self._sections = None
        if self._has_place:
            self._has_place = False
            self.session.factory.message_places.give_back(self.session)

    async def index(self) -> Index:
        """Where its parts are."""
        if self._index is None:
            self._index = await self._load_index()
        return self._index

    async def _load_index(self) -> Index:
        server, stored = self.session, self.info.offsets or b""
        if not needs_place(self.info):
            return Index.load(stored)
        if not self._has_place:
            await server.factory.message_places.take(server)
            self._has_place = True
        await server.yield_turn()
        return await self.in_turns(Index.load_steps(stored))

    async def in_turns(self, steps: Steps[T]) -> T:
        """Do some work; others have their turn between its steps."""
        try:
            next(steps)
        except StopIteration as end:  # as most work does
            result: T = end.value
            return result
        server = self.session
        await server.yield_turn()
        work = Working(steps)
        for _ in work:
            await server.yield_turn()
        return work.result


async def _render_section(message: FetchedMessage, item: FetchSection) -> bytes | Extract:
    octets = await message.section(item.section)
    if octets is None:
        return item.label + b" NIL"
    start, stop = _range(item, octets)
    return Extract(b"%b {%d}\r\n" % (item.label, stop - start), octets, start, stop)


async def _render_body(message: FetchedMessage, item: FetchAttribute) -> bytes:
    return b"BODY %b" % await message.body()


def _parts_of_section(item: FetchSection) -> Part:
    return Part.CONTENT | Part.OFFSETS if item.section.part or item.section.text else Part.CONTENT


def _range(item: FetchSection, octets: Slices) -> tuple[int, int]:
    """The range that was asked for, cut at the section's end (RFC 9051 6.4.5)."""
    length = len(octets)
    if item.partial is None:
        return 0, length
    origin, count = item.partial
    return min(origin, length), min(origin + count, length)


BODY: FetchPiece[FetchAttribute] = FetchPiece(
    FetchAttribute, lambda item: Part.CONTENT | Part.OFFSETS, _render_body
)
"""The item BODY."""

SECTIONS: FetchPiece[FetchSection] = FetchPiece(
    FetchSection,
    _parts_of_section,
    _render_section,
    readers={b"BODY[": grammars.body, b"BODY.PEEK[": grammars.body_peek},
    marks_seen=lambda item: not item.peek,
)
"""``BODY[...]``, ``RFC822`` and their like."""
