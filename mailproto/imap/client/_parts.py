"""Parts of a message, decoded, without the rest of it."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, replace

from mailproto._arguments import check_whole, wrong_type
from mailproto.client.errors import CommandRefused
from mailproto.content import Content
from mailproto.imap.client._gathering import at_once
from mailproto.imap.client._message_commands import MessageCommands
from mailproto.imap.client._structures import BodyStructure
from mailproto.message import Message

__all__ = ["FetchedPart", "PartCommands"]

_ENCODED = frozenset(("base64", "quoted-printable"))
_TOKEN = re.compile(r"[A-Za-z0-9._:+\-]+")


@dataclass(frozen=True, slots=True)
class FetchedPart:
    """One part of a message.

    :ivar structure: what it is; its ``encoding`` is ``binary`` if the server has decoded it (RFC 3516).
    :ivar content: its octets, in this encoding.
    """

    structure: BodyStructure
    content: Content

    @property
    def text(self) -> str:
        """The decoded text, of HTML with its markup; at most a million characters.

        What cannot be decoded is replaced.
        """
        charset = self.structure.charset
        kind = f"text/plain; charset={charset}" if _TOKEN.fullmatch(charset) else "text/plain"
        return Message(self._with_header(kind, "inline")).text

    @property
    def octets(self) -> bytes:
        """The decoded octets, in memory."""
        with self.open() as stream:
            return stream.read()

    def open(self) -> io.BufferedReader:
        """A stream of the decoded octets, which decodes while it is read."""
        [attachment] = Message(self._with_header("application/octet-stream", "attachment")).attachments
        return attachment.open()

    def _with_header(self, media_type: str, disposition: str) -> Content:
        encoding = self.structure.encoding
        if self.structure.is_multipart or not _TOKEN.fullmatch(encoding):
            encoding = "8bit"
        header = (
            f"Content-Type: {media_type}\r\nContent-Disposition: {disposition}\r\n"
            f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
        )
        return self.content.prepend(header.encode("ascii"))


class PartCommands(MessageCommands):
    """Fetching just what is wanted of a message."""

    @at_once
    async def structure(self, uid: int) -> BodyStructure | None:
        """The parts of a message; None if it is gone.  :raises CommandRefused: the server refuses it."""
        message = await self.fetch_one(uid, "BODYSTRUCTURE")
        return None if message is None else message.structure

    @at_once
    async def part(self, uid: int, wanted: str | BodyStructure = "text/plain") -> FetchedPart | None:
        """Fetch one part of a message, which does not become seen::

            part = await client.part(uid, "text/plain")
            print(part.text)

        :param wanted: a media type (`BodyStructure.find`), or one of the parts of `structure`.
        :returns: None if the message is gone, or has no such part.
        :raises CommandRefused: the server refuses it.
        """
        check_whole("uid", uid, 1)
        if isinstance(wanted, str):
            whole = await self.structure(uid)
            wanted_part = None if whole is None else whole.find(wanted)
            if wanted_part is None:
                return None
        elif isinstance(wanted, BodyStructure):
            wanted_part = wanted
        else:
            raise wrong_type("wanted", wanted, "a media type such as 'text/plain', or a BodyStructure")
        decoded = await self._decoded_part(uid, wanted_part)
        if decoded is not None:
            return decoded
        number = wanted_part.number
        message = await self.fetch_one(uid, f"BODY.PEEK[{number}]")
        content = None if message is None else message.sections.get(number.upper())
        return None if content is None else FetchedPart(wanted_part, content)

    async def _decoded_part(self, uid: int, part: BodyStructure) -> FetchedPart | None:
        """A part that the server has decoded; None if it does not, or if there is nothing to decode."""
        if part.encoding not in _ENCODED or part.is_multipart:
            return None
        await self._knows()
        if not self._session.has("BINARY", "IMAP4REV2"):
            return None
        try:
            message = await self.fetch_one(uid, f"BINARY.PEEK[{part.number}]")
        except CommandRefused:  # UNKNOWN-CTE: it is damaged
            return None
        content = None if message is None else message.sections.get(f"{part.number.upper()} BINARY")
        if content is None:
            return None
        return FetchedPart(replace(part, encoding="binary", size=len(content)), content)
