"""Where a message's content is while it arrives: in memory, then in a file."""

from __future__ import annotations

from mailproto.content import Content
from mailproto.errors import MailError, MessageTooLarge
from mailproto.message import may_be_header
from mailproto.smtp.server._header_section import NO_HEADER, with_empty_line
from mailproto.smtp.server._limits import SMTPLimits
from mailproto.spool import SpoolFile

__all__ = ["ArrivedMessage", "Spool"]

_MAX_CHUNKS = 1000
"""Pieces that are kept apart: one that has a single octet takes as much memory as 40."""

_TOO_LARGE = "Message exceeds fixed maximum message size"
_HEADER_TOO_LARGE = "Header section too large"


class ArrivedMessage:
    """A message's header section in memory, and its body there or in a file without a name.

    :ivar header: field lines with their CRLFs, without the empty line.
    """

    __slots__ = ("_body", "header")

    def __init__(self, header: bytes, body: bytes | SpoolFile) -> None:
        self.header = header
        self._body = body

    def content(self, trace: bytes) -> Content:
        """Everything, behind ``trace``; the file, if there is one, goes along: call it once."""
        if isinstance(self._body, bytes):
            return b"".join((trace, self.header, self._body))
        return self._body.content(trace + self.header)

    def discard(self) -> None:
        """Let go of the file, instead of `content`."""
        if isinstance(self._body, SpoolFile):
            self._body.close()


class Spool:
    """Takes content as it comes.

    What is no header section is body: behind the last field an empty line is put, if there was
    none.  Otherwise text would become fields, or go on with the last of ours (RFC 5322 2.2.3).

    It never raises while octets come, because the reply's place is behind the last of
    them; what went wrong is raised by `finish`.

    :param max_size: octets that are taken.
    :param folder: for the files; None for the system's.

    :ivar error: what went wrong, or None.
    :ivar size: octets that came.
    """

    __slots__ = (
        "_chunks",
        "_file",
        "_folder",
        "_header",
        "_limits",
        "_max_size",
        "error",
        "size",
    )

    def __init__(self, max_size: int, folder: str | None, limits: SMTPLimits) -> None:
        self.size = 0
        self._max_size = max_size
        self._folder = folder
        self._limits = limits
        self._chunks: list[bytes] = []
        self._header = NO_HEADER
        self._file: SpoolFile | None = None
        self.error: MailError | None = None

    def write(self, octets: bytes) -> None:
        """Take some more."""
        self.size += len(octets)
        if self.error is not None:
            return
        if self.size > self._max_size:
            self.fail(MessageTooLarge(_TOO_LARGE))
        elif self.size <= self._limits.memory:
            self._chunks.append(octets)
            if len(self._chunks) >= _MAX_CHUNKS:
                self._chunks = [b"".join(self._chunks)]
        else:
            self._write_file(octets)

    def expect(self, octets: int) -> None:
        """So many more are announced: if they will be too many, none is taken."""
        if self.size + octets > self._max_size:
            self.fail(MessageTooLarge(_TOO_LARGE))

    def fail(self, error: MailError) -> None:
        """Take no more; what went wrong first is what `finish` raises."""
        if self.error is None:
            self.error = error
            self.discard()

    def finish(self) -> ArrivedMessage:
        """What arrived; the spool is done.

        :raises MessageTooLarge: more than ``max_size``, or a header section past its limit.
        :raises StorageFull, Unavailable: it could not be written to the disk.
        """
        if self.error is not None:
            raise self.error
        if self._file is None:
            header, body = self._header.more(b"".join(self._chunks))
            if len(header.fields) > self._limits.header:
                raise MessageTooLarge(_HEADER_TOO_LARGE)
            return ArrivedMessage(header.fields, with_empty_line(body))
        file, self._file = self._file, None
        return ArrivedMessage(self._header.fields, file)

    def discard(self) -> None:
        """Let go of everything: the message will not come whole."""
        self._chunks.clear()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write_file(self, octets: bytes) -> None:
        try:
            if self._file is None:
                octets = self._take_header(b"".join((*self._chunks, octets)))
                if not octets:
                    return
                self._file = SpoolFile(self._folder)
            self._file.write(octets)
        except MailError as error:
            self.fail(error)

    def _take_header(self, octets: bytes) -> bytes:
        """The body's beginning; nothing as long as the header section may go on."""
        self._header, body = self._header.more(octets)
        # If all is header there is more of it to come, and no room for that in memory.
        if len(self._header.fields) > self._limits.header or not body:
            self.fail(MessageTooLarge(_HEADER_TOO_LARGE))
            return b""
        if may_be_header(body):
            self._chunks = [body]
            return b""
        self._chunks.clear()
        return with_empty_line(body)
