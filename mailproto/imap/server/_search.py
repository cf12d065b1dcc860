"""SEARCH and UID SEARCH (RFC 9051 6.4.4, RFC 4731)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mailproto.awaiting import settle
from mailproto.errors import Unavailable
from mailproto.imap.server._matching import Condition, Cost, SearchContext, compile_key
from mailproto.imap.server._reading import MESSAGES_AT_ONCE, read_in_batches
from mailproto.imap.wire import Command, Search, format_set, quoted_or_literal
from mailproto.interfaces import IMailbox, IMetadata
from mailproto.model import Metadata, Part

if TYPE_CHECKING:
    from mailproto.imap.server._server import IMAPServer

__all__ = ["search"]

_METADATA = Part.INTERNAL_DATE | Part.SIZE
_AT_ONCE = 10_000
"""How many numbers are written before others may have their turn: some 2 ms."""

_CONTENT = Part.CONTENT | Part.OFFSETS


async def search(server: IMAPServer, command: Command[Search]) -> None:
    """SEARCH: answer with the matching messages, even if there are none (RFC 3501 7.2.5)."""
    arguments = command.arguments
    await server.catch_up(expunges=command.uid)
    view = server.selected
    context = SearchContext(view)
    matching = await _Evaluation(server, context, compile_key(arguments.key, context)).run()
    numbers = [view.uids[at] for at in matching] if command.uid else [at + 1 for at in matching]
    if arguments.returns is None:
        server.respond(b"* SEARCH")
        for start in range(0, len(numbers), _AT_ONCE):
            server.respond(b"".join([b" %d" % number for number in numbers[start : start + _AT_ONCE]]))
            await server.yield_turn()
        server.respond(b"\r\n")
    else:
        server.respond(_extended(command, numbers, arguments.returns))


def _extended(command: Command[Search], numbers: Sequence[int], returns: Sequence[str]) -> bytes:
    """Render ESEARCH (RFC 4731 3.1): MIN, MAX and ALL are left out if nothing matches."""
    items = [b"* ESEARCH (TAG %b)" % quoted_or_literal(command.tag)]
    if command.uid:
        items.append(b"UID")
    if "MIN" in returns and numbers:
        items.append(b"MIN %d" % numbers[0])
    if "MAX" in returns and numbers:
        items.append(b"MAX %d" % numbers[-1])
    if "ALL" in returns and numbers:
        items.append(b"ALL %b" % format_set(numbers))
    if "COUNT" in returns:
        items.append(b"COUNT %d" % len(numbers))
    return b" ".join(items) + b"\r\n"


async def _metadata(mailbox: IMailbox, uids: Sequence[int]) -> Metadata:
    if IMetadata.providedBy(mailbox):
        return await settle(mailbox.metadata(uids))
    infos = await settle(mailbox.read(uids, _METADATA))
    return Metadata(
        [info.uid for info in infos],
        [info.size or 0 for info in infos],
        [info.internal_date or 0 for info in infos],
    )


class _Evaluation:
    """Goes through the mailbox in batches; costly conditions test only what cheaper ones have let through."""

    def __init__(self, server: IMAPServer, context: SearchContext, conditions: Sequence[Condition]) -> None:
        self._server = server
        self._context = context
        self._known = [c.test for c in conditions if c.cost is Cost.KNOWN]
        self._metadata = [c.test for c in conditions if c.cost is Cost.METADATA]
        self._content = [c.test for c in conditions if c.cost is Cost.CONTENT]

    async def run(self) -> list[int]:
        """Return the indexes of the messages that match."""
        view = self._context.view
        matching: list[int] = []
        for start in range(0, len(view.uids), MESSAGES_AT_ONCE):
            indexes: Sequence[int] = range(start, min(start + MESSAGES_AT_ONCE, len(view.uids)))
            if view.gone:
                indexes = [at for at in indexes if view.uids[at] not in view.gone]
            for test in self._known:
                indexes = list(filter(test, indexes))
            if indexes and (self._metadata or self._content):
                indexes = await self._read_and_test(indexes)
            matching += indexes
            await self._server.yield_turn()
        return matching

    async def _read_and_test(self, indexes: Sequence[int]) -> Sequence[int]:
        context, view = self._context, self._context.view
        position = {view.uids[at]: at for at in indexes}
        metadata = await _metadata(view.mailbox, list(position))
        indexes = [position[uid] for uid in metadata.uids]
        context.sizes = dict(zip(indexes, metadata.sizes, strict=True))
        context.dates = dict(zip(indexes, metadata.internal_dates, strict=True))
        for test in self._metadata:
            indexes = list(filter(test, indexes))
        if self._content and indexes:
            indexes = await self._read_content(indexes)
        context.sizes = context.dates = {}
        return indexes

    async def _read_content(self, indexes: Sequence[int]) -> list[int]:
        context, view = self._context, self._context.view
        matching = []
        uids = [view.uids[at] for at in indexes]
        position = dict(zip(uids, indexes, strict=True))
        async for infos in read_in_batches(view.mailbox, uids, _CONTENT):
            for info in infos:
                at = position[info.uid]
                context.set_message(info)
                if self._matches(at):
                    matching.append(at)
                await self._server.yield_turn()
        return matching

    def _matches(self, at: int) -> bool:
        """Whether the current message meets the conditions on content."""
        try:
            return all(test(at) for test in self._content)
        except OSError as error:
            # A file is missing or damaged: the search goes on without this message.
            view = self._context.view
            detail = f"cannot read message {view.uids[at]} of {view.mailbox.name}: {error}"
            told = Unavailable("A message is left out", detail=detail)
            self._server.tell_failed("SEARCH", told)
            return False
