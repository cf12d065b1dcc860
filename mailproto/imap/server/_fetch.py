"""FETCH and UID FETCH (RFC 9051 6.4.5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mailproto.awaiting import settle
from mailproto.content import unwrapped
from mailproto.imap.server._errors import (
    FLAG_NOT_KEPT,
    BadCommand,
    ContentUnreadable,
    ExpungeIssued,
    SessionOver,
)
from mailproto.imap.server._reading import MESSAGES_AT_ONCE, read_in_batches
from mailproto.imap.server._rows import Batch, RowPlan, compile_items
from mailproto.imap.server._view import MailboxView
from mailproto.imap.wire import Command, Fetch, FetchSection
from mailproto.message import Index, Slices, section
from mailproto.model import SEEN, FlagChange, FlagOperation, MessageInfo

if TYPE_CHECKING:
    from mailproto.imap.server._server import IMAPServer

__all__ = ["STREAMED", "fetch"]

STREAMED = 1 << 18
"""A section of at least so many octets is sent in pieces, each after the client has read the one before."""

_MARK_SEEN = FlagChange(FlagOperation.ADD, frozenset({SEEN}))


async def fetch(server: IMAPServer, command: Command[Fetch]) -> None:
    """Answer in batches, one write for each.

    Messages that another session has removed are left out.  The answer is NO if the client could
    not know of that (RFC 2180 4.1.2).  Another message is never sent in their place.
    """
    arguments = command.arguments
    if arguments.modifiers:
        raise BadCommand("Unknown modifier")
    # The client is told of changes first, so that the flags in the answer are the current ones.
    await server.catch_up(expunges=command.uid)
    view = server.selected
    plan = compile_items(arguments.items, uid=command.uid)
    indexes = view.indexes(arguments.sequence, uid=command.uid)
    response = _Response(server, view, plan)
    if plan.parts:
        await response.read(view.present(indexes))
    else:
        await response.answer_from_view(view.there(indexes))
    if response.failed:
        raise ContentUnreadable
    if response.sent < len(indexes) and not command.uid:
        raise ExpungeIssued


class _Response:
    """The untagged part of an answer to FETCH.

    :ivar sent: how many messages were answered.
    :ivar failed: messages whose content could not be read.
    """

    def __init__(self, server: IMAPServer, view: MailboxView, plan: RowPlan) -> None:
        self.server = server
        self.view = view
        self.plan = plan
        self.sent = 0
        self.failed = 0

    async def answer_from_view(self, indexes: Sequence[int]) -> None:
        """Answer from the view alone, because it knows all that was asked for."""
        for start in range(0, len(indexes), MESSAGES_AT_ONCE):
            if start:
                await self.server.flush()
            batch = indexes[start : start + MESSAGES_AT_ONCE]
            self.server.respond(b"".join(self.plan.render(Batch(self.view, batch, ()))))
            self.sent += len(batch)

    async def read(self, uids: Sequence[int]) -> None:
        """Read and answer messages, a batch at a time; the last batch is sent with the tagged OK."""
        plan = self.plan
        async for infos in read_in_batches(self.view.mailbox, uids, plan.parts):
            if self.sent:
                await self.server.flush()
            indexes = [at for info in infos if (at := self.view.index(info.uid)) is not None]
            batch = Batch(self.view, indexes, infos)
            if plan.sections:
                await self._answer_sections(batch)
            else:
                self.server.respond(b"".join(plan.render(batch)))
                self.sent += len(infos)

    async def _answer_sections(self, batch: Batch) -> None:
        seen = await self._mark_seen(batch) if self.plan.marks_seen else frozenset()
        respond = self.server.respond
        whole = self.plan.whole
        rows = zip(batch.indexes, batch.infos, self.plan.begin(batch), strict=True)
        for at, info, beginning in rows:
            end = b")\r\n"
            if info.uid in seen and not self.plan.shows_flags:
                [flags] = self.view.flags_at([at])
                end = b" FLAGS %b)\r\n" % flags
            if whole is not None and info.content is not None:
                octets = unwrapped(info.content)
                if isinstance(octets, bytes):
                    respond(b"%b%b {%d}\r\n%b%b" % (beginning, whole.label, len(octets), octets, end))
                    self.sent += 1
                    continue
            try:
                found = list(zip(self.plan.sections, self._find(info), strict=True))
                if sum(len(octets) for _, octets in found if octets is not None) < STREAMED:
                    pieces = [_whole(item, octets) for item, octets in found]
                    respond(b"%b%b%b" % (beginning, b" ".join(pieces), end))
                else:
                    await self._stream(info.uid, beginning, found, end)
            except OSError as error:
                self.failed += 1
                self._tell_of(info.uid, error)
            self.sent += 1

    def _find(self, info: MessageInfo) -> list[Slices | None]:
        """Find the sections in a message."""
        content = unwrapped(info.content)
        index: Index | None = None
        found: list[Slices | None] = []
        for item in self.plan.sections:
            if not item.section.part and not item.section.text:
                found.append(Slices(content, ((0, len(content)),)))
                continue
            if index is None:
                index = Index.load(info.offsets or b"")
            found.append(section(content, index, item.section))
        return found

    def _tell_of(self, uid: int, error: OSError) -> None:
        detail = f"cannot read message {uid} of {self.view.mailbox.name}: {error}"
        self.server.tell_failed("FETCH", ContentUnreadable(detail=detail))

    async def _stream(
        self, uid: int, beginning: bytes, found: Sequence[tuple[FetchSection, Slices | None]], end: bytes
    ) -> None:
        """Send large sections a piece at a time.

        :raises OSError: the content cannot be read, and nothing of this message was sent.
        """
        server = self.server
        begun = False
        for item, octets in found:
            if octets is None:
                server.respond(beginning + _whole(item, None))
            else:
                start, stop = _range(item, octets)
                head = b"%b%b {%d}\r\n" % (beginning, item.label, stop - start)
                try:
                    for piece in octets.chunks(start, stop):
                        server.respond(head + piece if head else piece)
                        head = b""
                        begun = True
                        await server.flush()
                except OSError as error:
                    if not begun:
                        raise
                    # The literal's length was announced: without its octets the session cannot go on.
                    server.abort()
                    self._tell_of(uid, error)
                    raise SessionOver from None
                if head:
                    server.respond(head)
            beginning = b" "
            begun = True
        server.respond(end)

    async def _mark_seen(self, batch: Batch) -> frozenset[int]:
        """Set ``\\Seen`` where it is missing, in one transaction; return the UIDs whose flags changed."""
        view = self.view
        if view.read_only:
            return frozenset()
        unseen = [view.uids[at] for at in batch.indexes if SEEN not in view.flags[at]]
        if not unseen:
            return frozenset()
        try:
            result = await settle(view.mailbox.store(unseen, _MARK_SEEN))
        except FLAG_NOT_KEPT as error:
            # The client asked for the messages, not for the flag, and the messages can be read.
            self.server.tell_failed("FETCH", error)
            return frozenset()
        changed = await view.apply(_MARK_SEEN, result.changed, silent=False)
        if keywords := self.server.selected_writer.keywords():  # another session may have set some
            self.server.respond(keywords)
        return frozenset(view.uids[at] for at in changed)


def _range(item: FetchSection, octets: Slices) -> tuple[int, int]:
    """The range that was asked for, cut at the section's end (RFC 9051 6.4.5)."""
    length = len(octets)
    if item.partial is None:
        return 0, length
    origin, count = item.partial
    return min(origin, length), min(origin + count, length)


def _whole(item: FetchSection, octets: Slices | None) -> bytes:
    """Render a section that is small, or missing."""
    if octets is None:
        return b"%b NIL" % item.label
    start, stop = _range(item, octets)
    return b"%b {%d}\r\n%b" % (item.label, stop - start, b"".join(octets.chunks(start, stop)))
