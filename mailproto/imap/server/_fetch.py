"""FETCH and UID FETCH (RFC 9051 6.4.5)."""

from __future__ import annotations

from collections.abc import Sequence

from mailproto.awaiting import settle
from mailproto.connection.commands import State
from mailproto.content import unwrapped
from mailproto.errors import MailError
from mailproto.imap.server._errors import (
    FLAG_NOT_KEPT,
    ContentLost,
    ContentUnreadable,
    ExpungeIssued,
    SessionOver,
)
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._fetch_room import FetchClaim
from mailproto.imap.server._message_limit import completed, last_of, left_out
from mailproto.imap.server._reading import MESSAGES_AT_ONCE, OCTETS_AT_ONCE, read_in_batches
from mailproto.imap.server._registry import tables_of
from mailproto.imap.server._requests import FetchRequest, one_by_one
from mailproto.imap.server._rows import COLUMNS, Batch, RowPlan, compile_items
from mailproto.imap.server._sections import (
    BODY,
    SECTIONS,
    STREAMED,
    FetchedMessage,
    SectionLost,
    needs_place,
    sections_of,
)
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec, Updates
from mailproto.imap.server._view import MailboxView
from mailproto.imap.wire import Command, Fetch, FetchItem, grammars
from mailproto.model import SEEN, FlagChange, FlagOperation, MessageInfo, Part

__all__ = ["FETCH", "respond"]

_MARK_SEEN = FlagChange(FlagOperation.ADD, frozenset({SEEN}))


async def fetch(server: Session, command: Command[Fetch]) -> bytes | None:
    """Answer in batches, one write for each.

    Of messages that another session has removed, the client is told what it may know already: UID and flags
    (RFC 2180 4.1.1).  If it asks for more, they are left out, and the answer is NO if the client could not
    know that they are gone (RFC 2180 4.1.2).  Another message is never sent in their place.
    """
    arguments = command.arguments
    tables = tables_of(server)
    # The client is told of changes first, so that the flags in the answer are the current ones.
    await server.catch_up(expunges=command.uid)
    view = server.selected
    indexes = await view.indexes(arguments.sequence, uid=command.uid)
    request = FetchRequest(arguments.items, indexes, command.uid, arguments)
    for name, value in arguments.modifiers.items():
        await tables.fetch_modifiers[name].apply(server, request, value)
    for prepare in tables.on_fetch:
        await prepare(server, request)
    indexes, code = last_of(server, view, one_by_one(request.indexes))
    response = await respond(server, request.items, indexes, uid=command.uid)
    failure = response.failure
    if response.failed:
        failure = ContentLost() if response.lost == response.failed else ContentUnreadable()
    elif failure is None and response.sent < len(indexes):
        view.expect_changes(view.mailbox)  # the client hears of that before the next command ends
        if not command.uid:
            failure = ExpungeIssued()
    if failure is not None:
        left_out(server, code)
        try:
            raise failure
        finally:
            # Its traceback has this frame: together they would keep what was read, with its open files.
            del failure, response
    text = None if request.finish is None else await request.finish()
    return completed(server, code, command.full_name, text)


async def respond(
    server: Session, items: Sequence[FetchItem], indexes: Sequence[int], *, uid: bool
) -> _Response:
    """Send FETCH responses of these messages."""
    tables = tables_of(server)
    plan = compile_items(
        items, tables.fetch_columns, tables.fetch_pieces, uid=uid, uids_only=server.manner.uids_only
    )
    response = _Response(server, server.selected, plan, with_gone=not uid)
    try:
        await response.answer(indexes)
    finally:
        response.close()
    return response


class _Response:
    """The untagged part of an answer to FETCH.

    :param with_gone: whether to tell of messages that are gone, if nothing need be read of them.
    :ivar sent: how many messages were answered.
    :ivar failed: messages whose content could not be read.
    :ivar lost: those of them whose content is not there any more.
    :ivar failure: see `FetchedMessage.failure`.
    """

    def __init__(self, server: Session, view: MailboxView, plan: RowPlan, *, with_gone: bool = False) -> None:
        self.server = server
        self.view = view
        self.plan = plan
        self._with_gone = with_gone
        self.sent = 0
        self.failed = 0
        self.lost = 0
        self.failure: MailError | None = None
        self.claim = FetchClaim(server.factory.fetch_room)
        self._held = 0  # octets that are not sent yet
        self._placed: int | None = None  # the UID of a message that has a place already

    def close(self) -> None:
        """Give back what it has of limited things."""
        self.claim.release()
        self._give_place_back()

    async def answer(self, indexes: Sequence[int]) -> None:
        """Answer for these messages, a batch at a time; the last batch is sent with the tagged OK."""
        await self.server.wait_turn_for(len(indexes))
        for start in range(0, len(indexes), MESSAGES_AT_ONCE):
            some = indexes[start : start + MESSAGES_AT_ONCE]
            if self.plan.parts:
                await self._read(some)
            else:
                known = some if self._with_gone else self.view.there(some)
                await self._answer(Batch(self.view, known, ()))

    async def _read(self, indexes: Sequence[int]) -> None:
        uids = self.view.present(indexes)
        if not uids:
            await self.server.yield_turn()
        async for infos in read_in_batches(self.view.mailbox, uids, self.plan.parts, self.claim.renew):
            if self._must_wait(infos):
                some = [info.uid for info in infos]
                del infos  # or else a hundred who wait would all hold what they have read
                await self.server.factory.message_places.take(self.server)
                self._placed = 0
                infos = await settle(self.view.mailbox.read(some, self.plan.parts))
                self._placed = next((info.uid for info in infos if needs_place(info)), 0)
            known = [at for info in infos if (at := self.view.index(info.uid)) is not None]
            await self._answer(Batch(self.view, known, infos))
            self._give_place_back()
            del infos  # what is sent is enough to be kept for a slow client
            if 2 * self._held >= self._most:
                await self._flush()

    def _must_wait(self, infos: Sequence[MessageInfo]) -> bool:
        """Whether a message needs a place to be taken apart, and there is none now."""
        return (
            Part.OFFSETS in self.plan.parts
            and not self.server.factory.message_places.is_free(self.server)
            and any(map(needs_place, infos))
        )

    def _give_place_back(self) -> None:
        """Give back the place of a message that is gone."""
        if self._placed is not None:
            self._placed = None
            self.server.factory.message_places.give_back(self.server)

    async def _answer(self, batch: Batch) -> None:
        if self.sent:
            await self._flush()
        if self.plan.is_rows:
            for piece in self.plan.render(batch):
                await self._respond(piece)
            self.sent += len(batch.indexes)
        else:
            await self._answer_one_by_one(batch)

    async def _answer_one_by_one(self, batch: Batch) -> None:
        plan = self.plan
        whole = plan.whole
        seen = await self._mark_seen(batch) if plan.marks_seen else frozenset()
        for at, info, beginning in zip(batch.indexes, batch.infos, plan.begin(batch), strict=True):
            end = b")\r\n"
            if info.uid in seen and not plan.shows_flags:
                end = b" %b)\r\n" % self.server.selected_writer.change_at(at, plan.names)
            if whole is not None and info.content is not None:
                octets = unwrapped(info.content)
                if isinstance(octets, bytes) and len(octets) < STREAMED:
                    await self._respond(b"%b%b {%d}\r\n" % (beginning, whole.label, len(octets)), octets, end)
                    self.sent += 1
                    continue
            await self._respond_with_sections(info, beginning, end)
            await self.server.yield_turn()

    async def _respond_with_sections(self, info: MessageInfo, beginning: bytes, end: bytes) -> None:
        try:
            has_place = self._placed == info.uid
            if has_place:
                self._placed = None
            message = FetchedMessage(self.server, info, has_place=has_place)
            await self._respond(await sections_of(message, self.plan.pieces, beginning, end))
            self.failure = self.failure or message.failure
        except SectionLost as lost:
            # The literal's length was announced: without its octets the session cannot go on.
            self.server.abort()
            self._tell_of(info.uid, lost.error)
            raise SessionOver from None
        except OSError as error:
            if not await settle(self.view.mailbox.read([info.uid], Part.SIZE)):
                return  # expunged, and its file is removed
            self.failed += 1
            self.lost += isinstance(error, FileNotFoundError)
            self._tell_of(info.uid, error)
        self.sent += 1

    async def _respond(self, *pieces: bytes) -> None:
        """Add to what is sent next; before, what is there is sent if it is much."""
        if self._held >= self._most:
            await self._flush()
        for octets in pieces:
            self._held += len(octets)
            self.server.respond(octets)

    @property
    def _most(self) -> int:
        """Octets that are sent together."""
        return self.claim.octets or OCTETS_AT_ONCE

    async def _flush(self) -> None:
        self._held = 0
        await self.server.flush()

    def _tell_of(self, uid: int, error: OSError) -> None:
        detail = f"cannot read message {uid} of {self.view.mailbox.name}: {error}"
        self.server.tell_failed("FETCH", ContentUnreadable(detail=detail))

    async def _mark_seen(self, batch: Batch) -> frozenset[int]:
        """Set ``\\Seen`` where it is missing, in one transaction; return the UIDs whose flags changed."""
        view = self.view
        if view.read_only or SEEN not in view.mailbox.permanent_flags:
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
        writer = self.server.selected_writer
        if keywords := writer.keywords():  # another session may have set some
            self.server.respond(keywords)
        if writer.manner.modseqs:
            # The client may take itself to know all changes before this one, so it is told of them.
            view.expect_changes(view.mailbox)
        return frozenset(view.uids[at] for at in changed)


FETCH = Extension(
    "FETCH",
    commands=(
        CommandSpec(
            "FETCH", grammars.fetch, fetch, states=State.SELECTED, updates=Updates.NO_EXPUNGES, uid=True
        ),
    ),
    fetch_names=grammars.FETCH_NAMES,
    fetch_macros=grammars.FETCH_MACROS,
    fetch_columns=COLUMNS,
    fetch_pieces=(BODY, SECTIONS),
)
"""FETCH, with the items of RFC 3501."""
