"""A message's content while it arrives: in memory, and in a file when it is large."""

from __future__ import annotations

from mailproto._spool_room import RoomClaim
from mailproto.content import Content
from mailproto.errors import MailError, MessageTooLarge, StorageFull
from mailproto.message import may_be_header
from mailproto.smtp.server._header_section import NO_HEADER, with_empty_line
from mailproto.smtp.server._limits import SMTPLimits
from mailproto.spool import SpoolFile

__all__ = ["ArrivedMessage", "Spool"]

_MAX_CHUNKS = 1000
"""The most pieces that are kept before they are joined; each piece costs some 40 octets more."""

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
        """The whole message after ``trace``.  Call it once: the file, if there is one, is handed over."""
        if isinstance(self._body, bytes):
            return Content(b"".join((trace, self.header, self._body)))
        return self._body.content(trace + self.header)

    def discard(self) -> None:
        """Close the file; for a message on which `content` is not called."""
        if isinstance(self._body, SpoolFile):
            self._body.close()


class Spool:
    """Collects a message's content.

    The body begins after the header section; if there is no empty line between them, one is added.
    Otherwise text might become fields, or continue a field that this server adds (RFC 5322 2.2.3).

    `write` never raises, because the reply comes only after the last octets; `finish` raises the error.

    :param max_size: the most octets of a message.
    :param folder: for the files; None for the system's temporary folder.
    :param claim: for the octets, until `release`.

    :ivar error: the first error, or None.
    :ivar size: the octets that have come.
    """

    __slots__ = (
        "_chunks",
        "_claim",
        "_file",
        "_folder",
        "_header",
        "_limits",
        "_max_size",
        "error",
        "size",
    )

    def __init__(self, max_size: int, folder: str | None, limits: SMTPLimits, claim: RoomClaim) -> None:
        self.size = 0
        self._claim = claim
        self._max_size = max_size
        self._folder = folder
        self._limits = limits
        self._chunks: list[bytes] = []
        self._header = NO_HEADER
        self._file: SpoolFile | None = None
        self.error: MailError | None = None

    def write(self, octets: bytes) -> None:
        """Add some octets."""
        self.size += len(octets)
        if self.error is not None:
            return
        if self.size > self._max_size:
            self.fail(MessageTooLarge(_TOO_LARGE))
        elif not self._claim.take(len(octets)):
            self.fail(StorageFull(detail="too many octets of unfinished messages: the limit is 'spooled'"))
        elif self.size <= self._limits.memory:
            self._chunks.append(octets)
            if len(self._chunks) >= _MAX_CHUNKS:
                self._chunks = [b"".join(self._chunks)]
        else:
            self._write_file(octets)

    def expect(self, octets: int) -> None:
        """Announce more octets: if they will be too many, none is kept."""
        if self.size + octets > self._max_size:
            self.fail(MessageTooLarge(_TOO_LARGE))

    def fail(self, error: MailError) -> None:
        """Keep no more octets; `finish` raises the first error."""
        if self.error is None:
            self.error = error
            self.discard()

    def finish(self) -> ArrivedMessage:
        """Return the whole message; the spool cannot be used any more.

        :raises MessageTooLarge: the message is larger than ``max_size``, or its header section than
            its limit.
        :raises StorageFull, Unavailable: the file could not be written.
        """
        if self.error is not None:
            raise self.error
        if self._file is None:
            header, body = self._header.extended(b"".join(self._chunks))
            if len(header.fields) > self._limits.header:
                raise MessageTooLarge(_HEADER_TOO_LARGE)
            return ArrivedMessage(header.fields, with_empty_line(body))
        file, self._file = self._file, None
        return ArrivedMessage(self._header.fields, file)

    def discard(self) -> None:
        """Drop everything: the message will not be completed."""
        self.release()
        self._chunks.clear()
        if self._file is not None:
            self._file.close()
            self._file = None

    def release(self) -> None:
        """The content is not held any more: it was dropped, or its delivery has ended."""
        self._claim.release()

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
        """Take the header section out of ``octets``; return the beginning of the body, if it has come."""
        self._header, body = self._header.extended(octets)
        # If all of this is header, more of it may come, and there is no room for that in memory.
        if len(self._header.fields) > self._limits.header or not body:
            self.fail(MessageTooLarge(_HEADER_TOO_LARGE))
            return b""
        if may_be_header(body):
            self._chunks = [body]
            return b""
        self._chunks.clear()
        return with_empty_line(body)
