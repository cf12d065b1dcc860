"""The part of a FETCH response that has to be made for each message: its sections, and BODY.

Between two sections, and within those that take long to find, others have their turn.  Of a message with
many or large sections, only some octets are in memory: they are sent as fast as the client reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from mailproto.content import CHUNK, Octets, unwrapped
from mailproto.imap.server._rows import RowPlan
from mailproto.imap.wire import FetchSection
from mailproto.message import Index, Section, Sections, Slices, Steps, Working, body_steps
from mailproto.model import MessageInfo

if TYPE_CHECKING:
    from mailproto.imap.server._server import IMAPServer

__all__ = ["STREAMED", "SectionLost", "sections_of"]

T = TypeVar("T")

STREAMED = CHUNK
"""So many octets of one message are sent before more of it is read."""

_WHOLE = Section()

_SMALL_INDEX = 2000
_SMALL_MESSAGE = 1 << 16
"""Octets of a stored index, and of a message, that take little time and memory."""


class SectionLost(Exception):
    """The content could not be read when some of the message had been sent already.

    :ivar error: the reason.
    """

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error


async def sections_of(
    server: IMAPServer, plan: RowPlan, info: MessageInfo, beginning: bytes, end: bytes
) -> bytes:
    """Make the response for one message, and send all but its last octets.

    :param beginning: the response up to the first section.
    :param end: what follows the last one.
    :returns: the octets that are not sent yet: at most some more than `STREAMED`, or those of a BODY.
    :raises OSError: the content could not be read, and nothing was sent.
    :raises SectionLost: it could not be read later.
    """
    content = unwrapped(info.content)
    pieces = [beginning]
    size = 0
    is_begun = False
    separator = b""
    message = _Message(server, info, content)
    try:
        if plan.body:
            rendered = await message.body()
            pieces.append(b"BODY %b" % rendered)
            size = len(rendered)
            separator = b" "
        for item in plan.sections:
            octets = await message.section(item.section)
            if octets is None:
                pieces.append(b"%b%b NIL" % (separator, item.label))
                size += len(item.label)
            else:
                start, stop = _range(item, octets)
                pieces.append(b"%b%b {%d}\r\n" % (separator, item.label, stop - start))
                size += len(item.label) + stop - start
                while size >= STREAMED:
                    cut = min(start + CHUNK, stop)
                    pieces += octets.chunks(start, cut)
                    server.respond(b"".join(pieces))
                    is_begun = True
                    pieces.clear()
                    await server.flush(message.close)
                    start, size = cut, stop - cut
                pieces += octets.chunks(start, stop)
            separator = b" "
    except OSError as error:
        if is_begun:
            raise SectionLost(error) from None
        raise
    finally:
        message.close()
    pieces.append(end)
    return b"".join(pieces)


class _Message:
    """Takes a message apart; large messages have a place meanwhile (`mailproto.imap.server._places`)."""

    __slots__ = ("_content", "_has_place", "_info", "_sections", "_server")

    def __init__(self, server: IMAPServer, info: MessageInfo, content: Octets) -> None:
        self._server = server
        self._info = info
        self._content = content
        self._sections: Sections | None = None
        self._has_place = False

    async def body(self) -> bytes:
        """The value of BODY."""
        rendered = await _in_turns(self._server, body_steps(self._content, await self._index()))
        self.close()
        return rendered

    async def section(self, wanted: Section) -> Slices | None:
        """The octets of a section; None if there is no such part."""
        if wanted == _WHOLE:
            return Slices(self._content, ((0, len(self._content)),))
        sections = self._sections
        if sections is None:
            sections = self._sections = Sections(self._content, await self._index())
        if not wanted.fields:
            return sections.find(wanted)
        found = await _in_turns(self._server, sections.find_steps(wanted))
        await self._server.yield_turn()
        return found

    def close(self) -> None:
        """Forget what is known of the parts, and give the place back; another section may follow."""
        self._sections = None
        if self._has_place:
            self._has_place = False
            self._server.factory.message_places.give_back(self._server)

    async def _index(self) -> Index:
        server, stored = self._server, self._info.offsets or b""
        if len(stored) < _SMALL_INDEX and len(self._content) < _SMALL_MESSAGE:
            return Index.load(stored)
        await server.factory.message_places.take(server)
        self._has_place = True
        await server.yield_turn()
        return await _in_turns(server, Index.load_steps(stored))


async def _in_turns(server: IMAPServer, steps: Steps[T]) -> T:
    """Do some work; others have their turn between its steps."""
    try:
        next(steps)
    except StopIteration as end:  # as most work does
        result: T = end.value
        return result
    await server.yield_turn()
    work = Working(steps)
    for _ in work:
        await server.yield_turn()
    return work.result


def _range(item: FetchSection, octets: Slices) -> tuple[int, int]:
    """The range that was asked for, cut at the section's end (RFC 9051 6.4.5)."""
    length = len(octets)
    if item.partial is None:
        return 0, length
    origin, count = item.partial
    return min(origin, length), min(origin + count, length)
