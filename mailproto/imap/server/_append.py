"""APPEND (RFC 9051 6.3.12, RFC 4315), in two steps, because its message may be large."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailproto._spool_room import RoomClaim
from mailproto.accounts import account_key
from mailproto.awaiting import settle
from mailproto.content import CHUNK, Content
from mailproto.errors import MailError, MessageTooLarge, Unavailable
from mailproto.imap.server._errors import SessionOver
from mailproto.imap.server._message_commands import open_target
from mailproto.imap.wire import Append, AppendLiteral, Command
from mailproto.model import NewMessage
from mailproto.observing import Appended
from mailproto.spool import SpoolFile

if TYPE_CHECKING:
    from mailproto.imap.server._server import IMAPServer

__all__ = ["IN_MEMORY", "Spool", "append", "begin_append"]

IN_MEMORY = CHUNK
"""The most octets of a message in memory; a larger one is kept in a file."""


class NulOctet(MailError):
    """A literal cannot hold NUL (RFC 9051 9, CHAR8)."""

    default_text = "Message contains NUL"


class Spool:
    """The message of APPEND while it arrives: in memory while small, in a file when large.

    A bare LF becomes CRLF, because clients send mail from Unix files, and stores keep CRLF only.

    A failure is kept until `finish`, because the rest of the literal must be read anyway.

    :param folder: for the file, which has no name there; None for the system's temporary folder.
    :param claim: for the octets, until `close`.
    """

    __slots__ = ("_claim", "_error", "_file", "_folder", "_last_cr", "_pieces", "_size")

    def __init__(self, folder: str | None, claim: RoomClaim) -> None:
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
        if b"\0" in data:
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
            if self._size > IN_MEMORY:
                self._file = SpoolFile(self._folder)
                self._file.write(b"".join(self._pieces))
                self._pieces.clear()
        except MailError as error:
            self._fail(error)

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
    """A message of no octets, which clients send by mistake (RFC 3502 4)."""

    default_text = "Message is empty"


async def begin_append(server: IMAPServer, literal: AppendLiteral) -> Spool:
    """Check whether the message can be taken, before its octets come."""
    if literal.size > server.factory.max_message_size:
        raise MessageTooLarge
    if not literal.size:
        raise EmptyMessage
    await open_target(server, literal.arguments.mailbox)
    if not server.is_open:
        raise SessionOver
    room, account = server.factory.spool_room, account_key(server.signed_in.name)
    if not room.has(literal.size, account):
        raise no_room_now()
    return Spool(server.factory.spool_folder, RoomClaim(room, account))


async def append(server: IMAPServer, command: Command[Append]) -> bytes:
    """Store the message that has arrived."""
    arguments = command.arguments
    spool, server.spool = server.spool, None
    if spool is None:
        raise EmptyMessage
    try:
        content = spool.finish()
        # Opened again: the mailbox may have changed while a slow client sent.
        mailbox = await open_target(server, arguments.mailbox)
        new = NewMessage(content, arguments.flags, arguments.internal_date)
        [appended] = await settle(mailbox.append([new]))
    finally:
        spool.close()
    if server.view is not None:
        server.view.expect_changes(mailbox)
    server.observer.appended(Appended(server.client, mailbox.name, appended.uid, len(content)))
    return b"[APPENDUID %d %d] APPEND completed" % (mailbox.uid_validity, appended.uid)
