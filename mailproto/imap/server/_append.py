"""APPEND (RFC 9051 6.3.12, RFC 4315): its messages may be large, and are received one after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailproto._spool_room import RoomClaim
from mailproto.accounts import account_key
from mailproto.awaiting import settle
from mailproto.content import CHUNK, Content
from mailproto.errors import MailError, MessageTooLarge, Unavailable
from mailproto.imap.server._errors import SessionOver
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._message_commands import open_target
from mailproto.imap.server._options import AppendData
from mailproto.imap.server._registry import tables_of
from mailproto.imap.server._session import Session, Sink
from mailproto.imap.server._spec import CommandSpec
from mailproto.imap.wire import (
    Append,
    ArgumentReader,
    Command,
    IMAPWireError,
    Literal,
    Steps,
    Streamed,
    StreamedLiteral,
    format_set,
    grammars,
)
from mailproto.model import NewMessage
from mailproto.observing import Appended
from mailproto.spool import SpoolFile

__all__ = ["APPEND", "IN_MEMORY", "IN_MEMORY_TOGETHER", "Spool", "receive_octets", "spooled"]

IN_MEMORY = CHUNK
"""The most octets of a message in memory; a larger one is kept in a file."""

IN_MEMORY_TOGETHER = 1 << 22
"""The most octets of all messages of one command in memory; after that, even small ones are kept in files."""


class NulOctet(MailError):
    """A literal cannot hold NUL (RFC 9051 9, CHAR8)."""

    default_text = "Message contains NUL"


class Spool:
    """The message of APPEND while it arrives: in memory while small, in a file when large.

    A bare LF becomes CRLF, because clients send mail from Unix files, and stores keep CRLF only.

    A failure is kept until `finish`, because the rest of the literal must be read anyway.

    :param folder: for the file, which has no name there; None for the system's temporary folder.
    :param claim: for the octets, until `close`.
    :param in_memory: the most octets in memory.
    :param binary: whether NUL is allowed, and line ends stay as they are (RFC 3516).
    """

    __slots__ = (
        "_binary",
        "_claim",
        "_error",
        "_file",
        "_folder",
        "_in_memory",
        "_last_cr",
        "_pieces",
        "_size",
    )

    def __init__(
        self, folder: str | None, claim: RoomClaim, *, in_memory: int = IN_MEMORY, binary: bool = False
    ) -> None:
        self._in_memory = in_memory
        self._binary = binary
        self._folder = folder
        self._claim = claim
        self._pieces: list[bytes] = []
        self._size = 0
        self._last_cr = False
        self._file: SpoolFile | None = None
        self._error: MailError | None = None

    def write(self, data: bytes) -> None:
        """Add some octets, at least one."""
        if self._error is not None:
            return
        if not self._binary and b"\0" in data:
            self._fail(NulOctet())
            return
        if data.count(b"\n") != data.count(b"\r\n"):
            ends_line = self._last_cr and data.startswith(b"\n")
            self._last_cr = data.endswith(b"\r")
            data = b"\n" + _with_crlf(data[1:]) if ends_line else _with_crlf(data)
        else:
            self._last_cr = data.endswith(b"\r")
        self._size += len(data)
        if not self._claim.take(len(data)):
            self._fail(no_room_now())
            return
        try:
            if self._file is not None:
                self._file.write(data)
                return
            self._pieces.append(data)
            if self._size > self._in_memory:
                self._file = SpoolFile(self._folder)
                self._file.write(b"".join(self._pieces))
                self._pieces.clear()
        except MailError as error:
            self._fail(error)

    @property
    def in_memory(self) -> int:
        """The octets that it holds in memory."""
        return 0 if self._file is not None or self._error is not None else self._size

    def finish(self) -> Content:
        """Return the whole message; its octets are claimed until `close`.

        :raises MailError: something went wrong while the message arrived.
        """
        if self._error is not None:
            raise self._error
        if self._file is None:
            return Content(b"".join(self._pieces))
        file, self._file = self._file, None
        return file.content()

    def close(self) -> None:
        """Drop everything, the file included, and what is claimed."""
        self._claim.release()
        self._pieces.clear()
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _fail(self, error: MailError) -> None:
        self._error = error
        self.close()


def _with_crlf(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def no_room_now() -> MailError:
    """The error if the messages that are arriving have too many octets together."""
    return Unavailable(
        "Too many messages are arriving, try again later",
        detail="too many octets of unfinished messages: the limit is 'spooled'",
    )


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
    if not server.uploads:  # later messages of the same command are for the same mailbox
        await open_target(server, mailbox)
    if not server.is_open:
        raise SessionOver
    room, account = server.factory.spool_room, account_key(server.signed_in.name)
    if not room.has(literal.size, account):
        raise no_room_now()
    held = sum(upload.in_memory for upload in server.uploads if isinstance(upload, Spool))
    return Spool(
        server.factory.spool_folder,
        RoomClaim(room, account),
        in_memory=min(IN_MEMORY, max(IN_MEMORY_TOGETHER - held, 0)),
        binary=literal.binary,
    )


async def append(server: Session, command: Command[Append]) -> bytes:
    """Store the messages that have arrived: all of them, or none."""
    arguments = command.arguments
    uploads = server.take_uploads()
    try:
        contents = await _contents(server, arguments, uploads)
        # Opened again: the mailbox may have changed while a slow client sent.
        mailbox = await open_target(server, arguments.mailbox)
        new = [
            NewMessage(content, message.flags, message.internal_date)
            for content, message in zip(contents, arguments.messages, strict=True)
        ]
        appended = await settle(mailbox.append(new))
    finally:
        for upload in uploads:
            upload.close()
    if server.view is not None:
        server.view.expect_changes(mailbox)
    for content, each in zip(contents, appended, strict=True):
        server.observer.appended(Appended(server.client, mailbox.name, each.uid, len(content)))
    uids = format_set([each.uid for each in appended])
    return b"[APPENDUID %d %b] APPEND completed" % (mailbox.uid_validity, uids)


async def _contents(server: Session, arguments: Append, uploads: Sequence[Sink]) -> Sequence[Content]:
    known = tables_of(server).append_data
    left = iter(uploads)
    contents: list[Content] = []
    for message in arguments.messages:
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
