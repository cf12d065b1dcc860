"""Commands on messages: STORE, COPY, MOVE and EXPUNGE, also with UID (RFC 9051 6.4, RFC 4315)."""

from __future__ import annotations

from array import array
from collections.abc import AsyncIterator, Collection, Sequence

from mailproto.awaiting import settle
from mailproto.connection.commands import State
from mailproto.errors import NoPermission, NoSuchMailbox, ReadOnly
from mailproto.imap.server._errors import ExpungeIssued, SomeGone, TryCreate
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._message_limit import check_saved, completed, last_of, left_out
from mailproto.imap.server._namespaces import prefixes_of_others
from mailproto.imap.server._progress import working
from mailproto.imap.server._registry import tables_of
from mailproto.imap.server._requests import StoreRequest, one_by_one
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec, Updates
from mailproto.imap.server._view_writer import ViewWriter
from mailproto.imap.wire import Command, Copy, NoArguments, Store, format_set, grammars
from mailproto.interfaces import IMailbox
from mailproto.interfaces.add_ons import IAccessControl
from mailproto.model import FlagColumns, StoreResult

__all__ = [
    "AT_ONCE",
    "MESSAGES",
    "copyuid",
    "named_messages",
    "open_target",
    "removed",
    "uid_code",
]

AT_ONCE = 1000
"""How many messages are told of before others may have their turn."""

_NONE: Sequence[int] = ()


async def store(server: Session, command: Command[Store]) -> bytes | None:
    """STORE: change flags, and answer with the new flags.

    The mailbox hints at this change, too.  It is not asked for changes now, because the answer has
    already told the client; so many STOREs in a row stay cheap.  The next command with updates asks.
    """
    arguments = command.arguments
    writer = server.selected_writer
    view = writer.view
    if view.read_only:
        raise ReadOnly
    indexes = await view.indexes(arguments.sequence, uid=command.uid)
    request = StoreRequest(indexes, command.uid, arguments.change, arguments.silent)
    for name, value in arguments.modifiers.items():
        await tables_of(server).store_modifiers[name].apply(server, request, value)
    for prepare in tables_of(server).on_store:
        await prepare(server, request)
    indexes, code = last_of(server, view, one_by_one(request.indexes))
    await server.wait_turn_for(len(indexes))
    uids = view.present(indexes)
    await server.yield_turn()
    stored, refused, answered = FlagColumns(), _NONE, _NONE
    async for result in _results(server, uids, request):
        # Each is taken in before the mailbox is looked at: else it would be told as a change by others.
        more = await view.apply(arguments.change, result.changed, silent=arguments.silent)
        answered = sorted([*answered, *more]) if answered else more
        stored = FlagColumns.join([stored, result.changed]) if stored else result.changed
        refused = result.refused
    if keywords := writer.keywords():
        server.respond(keywords)
    for start in range(0, len(answered), AT_ONCE):
        server.respond(writer.fetch_flags(answered[start : start + AT_ONCE], uid=command.uid))
        await server.flush()
    if writer.manner.modseqs:
        await _tell_modseqs(server, writer, stored.uids, answered)
        # The client may take itself to know all changes before these, so it is told of them.
        view.expect_changes(view.mailbox)
        await server.catch_up(expunges=command.uid)
    text = None if request.finish is None else await request.finish(StoreResult(stored, refused))
    if len(stored) + len(refused) != len(indexes):
        view.expect_changes(view.mailbox)
        # With .SILENT, the client is not interested in single messages (RFC 2180 4.2.1).
        if not command.uid and not arguments.silent:
            left_out(server, code)
            raise SomeGone(text) if text else ExpungeIssued
    return completed(server, code, command.full_name, text)


async def _results(server: Session, uids: Sequence[int], request: StoreRequest) -> AsyncIterator[StoreResult]:
    view = server.selected
    if uids:
        stored = view.mailbox.store(uids, request.change, request.unchanged_since)
        result = await working(server, stored, len(uids))
        yield result
        if result.refused and request.again is not None:
            async for again in request.again(result.refused):
                yield again


async def _tell_modseqs(
    server: Session, writer: ViewWriter, uids: Sequence[int], answered: Collection[int]
) -> None:
    """Tell the modseqs of messages that were stored, but for those whose flags were told with them."""
    told = frozenset(answered)
    for start in range(0, len(uids), AT_ONCE):
        found = map(writer.view.index, uids[start : start + AT_ONCE])
        if others := [at for at in found if at is not None and at not in told]:
            server.respond(writer.fetch_flags(others, uid=True, flags=False))
            await server.flush()


async def open_target(server: Session, name: str) -> IMailbox:
    """Open the mailbox that messages are to be put into.

    :raises TryCreate: the mailbox does not exist.
    :raises ReadOnly: messages cannot be put into it.
    """
    try:
        mailbox = await settle(server.signed_in.open(name))
    except NoSuchMailbox:
        raise TryCreate from None
    if not mailbox.writable:
        raise ReadOnly
    return mailbox


async def copy(server: Session, command: Command[Copy]) -> bytes | None:
    """COPY: all of the messages are copied, or none (RFC 9051 6.4.7)."""
    uids, _ = await named_messages(server, command)
    check_saved(server, len(uids), uids)
    target = await open_target(server, command.arguments.mailbox)
    copying = server.selected.mailbox.copy(uids, target) if uids else ()
    copied = await working(server, copying, len(uids))
    return b"%bCOPY completed" % await copyuid(server, target, copied) if copied else None


async def named_messages(
    server: Session, command: Command[Copy], *, limited: bool = False
) -> tuple[Sequence[int], bytes]:
    """The UIDs of the messages that the client named.

    :param limited: whether only the last ones are taken if there are too many.
    :returns: the second value is as in `last_of`.
    :raises ExpungeIssued: some of the messages are gone, and the client could not know that.
    """
    view = server.selected
    indexes = await view.indexes(command.arguments.sequence, uid=command.uid)
    code = b""
    if limited:
        indexes, code = last_of(server, view, indexes)
    await server.wait_turn_for(len(indexes))
    uids = view.present(indexes)
    await server.yield_turn()
    if len(uids) != len(indexes) and not command.uid:
        raise ExpungeIssued
    return uids, code


async def copyuid(server: Session, target: IMailbox, pairs: Sequence[tuple[int, int]]) -> bytes:
    """The response code of RFC 4315 3; see `uid_code`.  The client will be told of what is there now."""
    sources, targets = array("I"), array("I")
    for start in range(0, len(pairs), AT_ONCE):
        some = pairs[start : start + AT_ONCE]
        sources.extend([source for source, _ in some])
        targets.extend([there for _, there in some])
        await server.yield_turn()
    server.has_put(target, targets)
    written = await _set(server, sources), await _set(server, targets)
    return await uid_code(server, target, b"COPYUID %d %b %b" % (target.uid_validity, *written))


async def uid_code(server: Session, target: IMailbox, code: bytes) -> bytes:
    """A response code about new messages, with a space after it.

    It is empty if the client may put messages there, but not read them: it must not know their UIDs (RFC 4315
    3).
    """
    account = server.signed_in
    if IAccessControl.providedBy(account) and target.name.startswith(prefixes_of_others(account)):
        try:
            rights = await settle(account.my_rights(target.name))
        except (NoPermission, NoSuchMailbox):  # it has just been removed
            rights = ""
        if "r" not in rights:
            return b""
    return b"[%b] " % code


async def _set(server: Session, numbers: array[int]) -> bytes:
    """`format_set` of many numbers; others have their turn in between."""
    if numbers[-1] - numbers[0] == len(numbers) - 1:
        return format_set(numbers)
    sets = []
    for start in range(0, len(numbers), AT_ONCE):
        sets.append(format_set(numbers[start : start + AT_ONCE]))
        await server.yield_turn()
    return b",".join(sets)


async def expunge(server: Session, command: Command[NoArguments]) -> bytes | None:
    """EXPUNGE; the responses come with other updates, before the tagged OK."""
    view = server.selected
    if view.read_only:
        raise ReadOnly
    await server.wait_turn_for(len(view.uids))
    expunged = await working(server, view.mailbox.expunge(), len(view.uids))
    await view.vanish(expunged)
    return await removed(server, command.full_name) if expunged else None


async def removed(server: Session, command: str) -> bytes | None:
    """The client has removed messages: tell it, and up to which modseq it knows all changes then, if it wants
    modseqs (RFC 7162 3.2.7, 3.2.9; RFC 6851 4.4)."""
    writer = server.selected_writer
    if not writer.manner.modseqs:
        return None
    writer.view.expect_changes(writer.view.mailbox)
    await server.catch_up(expunges=True)
    return b"[HIGHESTMODSEQ %d] %b completed" % (writer.view.modseq, command.encode("ascii"))


MESSAGES = Extension(
    "the commands on messages",
    commands=(
        CommandSpec("STORE", grammars.store, store, State.SELECTED, Updates.NOTHING, uid=True),
        CommandSpec("COPY", grammars.copy, copy, State.SELECTED, uid=True),
        CommandSpec("EXPUNGE", grammars.no_arguments, expunge, State.SELECTED),
    ),
)
"""STORE, COPY and EXPUNGE."""
