"""APPEND (RFC 9051 6.3.12, RFC 4315): its messages may be large, and are received one after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailproto._spool_room import RoomClaim
from mailproto.accounts import account_key
from mailproto.content import Content
from mailproto.errors import MailError, MessageTooLarge, NoSuchMailbox
from mailproto.imap.server._announcing import announce
from mailproto.imap.server._errors import SessionOver, TryCreate
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._message_commands import open_target, uid_code
from mailproto.imap.server._message_limit import check_saved
from mailproto.imap.server._options import AppendData
from mailproto.imap.server._progress import working
from mailproto.imap.server._registry import tables_of
from mailproto.imap.server._roles import Sink
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec
from mailproto.imap.server._spool import IN_MEMORY, IN_MEMORY_TOGETHER, CommandFile, Spool, no_room_now
from mailproto.imap.wire import (
    Append,
    AppendMessage,
    ArgumentReader,
    Command,
    IMAPWireError,
    Literal,
    Respelled,
    Steps,
    Streamed,
    StreamedLiteral,
    format_set,
    grammars,
)
from mailproto.interfaces import IMailbox
from mailproto.model import NewMessage
from mailproto.observing import Appended

__all__ = [
    "APPEND",
    "EmptyMessage",
    "contents_of",
    "new_spool",
    "receive_message",
    "receive_octets",
    "spooled",
]


class EmptyMessage(MailError):
    """A message of no octets, which clients send by mistake, or to give a MULTIAPPEND up (RFC 3502 4)."""

    default_text = "Message is empty"


async def receive_message(server: Session, literal: StreamedLiteral) -> Spool:
    """Check whether a message can be taken, before its octets come."""
    append: Append = literal.arguments
    if not literal.size:
        raise EmptyMessage
    return await receive_octets(server, literal, append.mailbox)


async def receive_octets(server: Session, literal: StreamedLiteral, mailbox: str) -> Spool:
    """Check whether octets for a mailbox can be taken, before they come.

    :raises MailError: they are too many, or the mailbox cannot take messages.
    """
    if literal.size > server.factory.max_message_size:
        raise MessageTooLarge
    target = None
    if not server.uploads:  # later messages of the same command are for the same mailbox
        target = await open_target(server, mailbox)
    if not server.is_open:
        raise SessionOver
    room, account = server.factory.spool_room, account_key(server.signed_in.name)
    if not room.has(literal.size, account):
        raise no_room_now()
    spool = new_spool(server, binary=literal.binary)
    if server.wire.pending >= literal.size:  # all of it has come, and with it, nearly always, the command
        spool.target = target
    return spool


def new_spool(server: Session, *, binary: bool = False) -> Spool:
    """What takes one more message, or a part of one, of the command."""
    last = server.uploads[-1] if server.uploads else None
    file = last.file if isinstance(last, Spool) else CommandFile(server.factory.spool_folder)
    return Spool(
        file,
        RoomClaim(server.factory.spool_room, account_key(server.signed_in.name)),
        in_memory=min(IN_MEMORY, max(IN_MEMORY_TOGETHER - file.in_memory, 0)),
        binary=binary,
    )


async def append(server: Session, command: Command[Append]) -> bytes:
    """Store the messages that have arrived: all of them, or none."""
    arguments = command.arguments
    uploads = server.take_uploads()
    try:
        check_saved(server, len(arguments.messages))
        contents = await contents_of(server, arguments.messages, uploads)
        mailbox = _target(uploads)
        if mailbox is None:  # opened again: it may have changed while a slow client sent
            mailbox = await open_target(server, arguments.mailbox)
        new = [
            NewMessage(content, message.flags, message.internal_date, message.zone)
            for content, message in zip(contents, arguments.messages, strict=True)
        ]
        try:
            appended = await working(server, mailbox.append(new), len(new))
        except NoSuchMailbox:  # not any more
            raise TryCreate from None
    finally:
        for upload in uploads:
            upload.close()
        server.drop_uploads()  # what was made of them
    if isinstance(arguments.mailbox, Respelled):
        await announce(server, arguments.mailbox)
    server.has_put(mailbox, [each.uid for each in appended])
    for content, each in zip(contents, appended, strict=True):
        server.observer.appended(Appended(server.client, mailbox.name, each.uid, len(content)))
    uids = format_set([each.uid for each in appended])
    code = await uid_code(server, mailbox, b"APPENDUID %d %b" % (mailbox.uid_validity, uids))
    return b"%bAPPEND completed" % code


def _target(uploads: Sequence[Sink]) -> IMailbox | None:
    """The mailbox that was opened just now, for a command that came in one piece."""
    if len(uploads) == 1 and isinstance(uploads[0], Spool):
        return uploads[0].target
    return None


async def contents_of(
    server: Session, messages: Sequence[AppendMessage], uploads: Sequence[Sink]
) -> Sequence[Content]:
    """The messages of a command, made of what has arrived.

    :raises MailError: one of them cannot be had.
    """
    known = tables_of(server).append_data
    left = iter(uploads)
    contents: list[Content] = []
    for message in messages:
        contents.append(await known[type(message.data)].compose(server, message.data, left))
        await server.yield_turn()
    return contents


async def _compose(server: Session, data: Literal, uploads: Iterator[Sink]) -> Content:
    """A message that is one literal."""
    return spooled(uploads)


def spooled(uploads: Iterator[Sink]) -> Content:
    """The octets of the next literal."""
    spool = next(uploads, None)
    if not isinstance(spool, Spool):
        raise EmptyMessage
    return spool.finish()


def _no_word(arguments: ArgumentReader) -> Steps[Literal]:
    raise IMAPWireError("Expected a literal")
    yield None  # a generator, as the others


APPEND = Extension(
    "APPEND",
    commands=(CommandSpec("APPEND", Streamed(grammars.append), append, receive=receive_message),),
    append_data=(AppendData(Literal, "", _no_word, _compose),),
)
"""APPEND of one message."""
