"""The octets of a message while they arrive: in memory while they are few, in a file when they are many."""

from __future__ import annotations

from typing import Final

from mailproto._spool_room import RoomClaim
from mailproto.content import CHUNK, Content
from mailproto.errors import MailError, Unavailable
from mailproto.interfaces import IMailbox
from mailproto.spool import SpoolFile

__all__ = ["IN_MEMORY", "IN_MEMORY_TOGETHER", "CommandFile", "Spool", "no_room_now"]

IN_MEMORY: Final = CHUNK
"""The most octets of a message in memory; a larger one is kept in a file."""

IN_MEMORY_TOGETHER: Final = 1 << 22
"""The most octets of all messages of one command in memory; after that, small ones are in a file, too."""


class NulOctet(MailError):
    """A literal cannot hold NUL (RFC 9051 9, CHAR8)."""

    default_text = "Message contains NUL"


class CommandFile:
    """The file of all messages of a command that are not in memory: one descriptor, however many they are.

    :param folder: for the file, which has no name there; None for the system's temporary folder.
    :ivar size: octets so far.
    :ivar in_memory: octets of the command's messages that are in memory instead.
    """

    __slots__ = ("_file", "_folder", "in_memory", "size")

    def __init__(self, folder: str | None) -> None:
        self._folder = folder
        self._file: SpoolFile | None = None
        self.size = 0
        self.in_memory = 0

    def write(self, data: bytes) -> None:
        """Add ``data``.

        :raises MailError: the disk is full or fails.
        """
        if self._file is None:
            self._file = SpoolFile(self._folder)
        self._file.write(data)
        self.size += len(data)

    def part(self, start: int, size: int) -> Content:
        """Some octets; more may be written."""
        return Content() if self._file is None else self._file.part(start, size)

    def close(self) -> None:
        """Drop everything, but for parts that were taken."""
        file, self._file = self._file, None
        self.size = 0
        if file is not None:
            file.close()


class Spool:
    """A message while it arrives (`Sink`).

    A bare LF becomes CRLF, because clients send mail from Unix files, and stores keep CRLF only.

    A failure is kept until `finish`, because the rest of the literal must be read anyway.

    :ivar target: the mailbox that it is for, if that need not be opened again.
    :param file: for the message if it is large; messages of one command share it.
    :param claim: for the octets, until `close`.
    :param in_memory: the most octets in memory.
    :param binary: whether NUL is allowed, and line ends stay as they are (RFC 3516).
    """

    __slots__ = (
        "_binary",
        "_claim",
        "_error",
        "_in_memory",
        "_last_cr",
        "_pieces",
        "_size",
        "_start",
        "file",
        "target",
    )

    def __init__(
        self, file: CommandFile, claim: RoomClaim, *, in_memory: int = IN_MEMORY, binary: bool = False
    ) -> None:
        self.file = file
        self.target: IMailbox | None = None
        self._claim = claim
        self._in_memory = in_memory
        self._binary = binary
        self._pieces: list[bytes] = []
        self._size = 0
        self._start = -1  # where the message begins in the file
        self._last_cr = False
        self._error: MailError | None = None

    def write(self, data: bytes) -> None:
        """Add some octets, at least one."""
        if self._error is not None:
            return
        if not self._binary:
            if b"\0" in data:
                self._fail(NulOctet())
                return
            data = self._with_line_ends(data)
        self._size += len(data)
        if not self._claim.take(len(data)):
            self._fail(no_room_now())
            return
        try:
            if self._start >= 0:
                self.file.write(data)
                return
            self._pieces.append(data)
            self.file.in_memory += len(data)
            if self._size > self._in_memory:
                self._start = self.file.size
                self.file.write(b"".join(self._pieces))
                self._forget_pieces()
        except MailError as error:
            self._fail(error)

    def _with_line_ends(self, data: bytes) -> bytes:
        if data.count(b"\n") == data.count(b"\r\n"):
            self._last_cr = data.endswith(b"\r")
            return data
        ends_line = self._last_cr and data.startswith(b"\n")
        self._last_cr = data.endswith(b"\r")
        return b"\n" + _with_crlf(data[1:]) if ends_line else _with_crlf(data)

    def _forget_pieces(self) -> None:
        self.file.in_memory -= sum(map(len, self._pieces))
        self._pieces.clear()

    def finish(self) -> Content:
        """Return the whole message; its octets are claimed until `close`.

        :raises MailError: something went wrong while the message arrived.
        """
        if self._error is not None:
            raise self._error
        if self._start < 0:
            return Content(b"".join(self._pieces))
        return self.file.part(self._start, self._size)

    def close(self) -> None:
        """Drop everything, the file included, and what is claimed."""
        self._claim.release()
        self._forget_pieces()
        self.file.close()

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
