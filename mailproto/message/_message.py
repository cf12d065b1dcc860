"""A message as an application reads it: decoded, bounded, and only what is asked for."""

from __future__ import annotations

from datetime import datetime

from mailproto._arguments import check_whole
from mailproto.content import Content, Octets
from mailproto.message._attachment import Attachment
from mailproto.message._bodies import Bodies, find_bodies
from mailproto.message._dates import parse_date
from mailproto.message._encoded_words import decode_header
from mailproto.message._fields import FIELD_LIMIT, HEADER_LIMIT, ends_of_header, limited_fields
from mailproto.message._ids import message_id
from mailproto.message._named_addresses import NamedAddress, named_addresses
from mailproto.message._one_line import one_line, without_nul
from mailproto.message._part_text import TEXT_LIMIT, part_charset, part_source
from mailproto.message._scan import Part, scan_parts

__all__ = ["Message"]


class Message:
    """The parts of a message that applications want, as text.

    Nothing is read before it is asked for, and no octets make it fail: what is missing or not valid is
    "", None or an empty list.  Text is as the sender wrote it, and may be a lie: anybody can write any
    From field, file name or media type.

    The fields of the header take less than 0.1 ms in usual messages, whatever their size.  The first of
    `text`, `html` and `attachments` searches the whole message for its parts, and `text` and `html`
    decode it, which takes 1 to 5 ms for each megabyte.  The worst messages take 10 ms for 10 KB, and
    0.5 s for 10 MB (`docs/reading-mail.md`).  So read a message of more than a megabyte, or any message
    from strangers if 10 ms are too long, in a thread: ``await deferToThread(read, content)``.  One
    thread at a time may use a `Message`.

    The limits are `HEADER_LIMIT`, `FIELD_LIMIT`, `ADDRESSES_LIMIT`, `PARTS_LIMIT`, `NESTING_LIMIT`,
    ``text_limit`` and `FILE_NAME_LIMIT`.  Nothing of a message beyond `PARTS_LIMIT` and `NESTING_LIMIT`
    is lost: it is in the last part.

    :param content: the message; it must be readable as long as this object and its attachments are used.
    :param text_limit: how many octets of encoded text are read for `text`, and as many for `html`.
    :raises TypeError: ``content`` is neither bytes nor a `Content`, or ``text_limit`` is not an int.
    :raises ValueError: ``text_limit`` is negative; or, from any property, the content is closed, as that of
        a delivery is after `deliver` has ended.
    """

    __slots__ = ("_bodies", "_content", "_head", "_html", "_text", "_text_limit")

    def __init__(self, content: Octets, *, text_limit: int = TEXT_LIMIT) -> None:
        self._content = Content.of(content)
        check_whole("text_limit", text_limit, hint="octets")
        self._text_limit = text_limit
        self._head: Part | None = None
        self._bodies: Bodies | None = None
        self._text: str | None = None
        self._html: str | None = None

    def __repr__(self) -> str:
        return f"<Message of {self._content!r}>"

    @property
    def subject(self) -> str:
        """The Subject, decoded (RFC 2047), on one line; "" if there is none."""
        return self._text_of(b"subject")

    @property
    def from_(self) -> list[NamedAddress]:
        """The authors, nearly always one; empty if there is no valid address."""
        return self._addresses_of(b"from")

    @property
    def to(self) -> list[NamedAddress]:
        """The addresses in To, those in groups included.

        It is not who gets the message: that is in the envelope's recipients.
        """
        return self._addresses_of(b"to")

    @property
    def cc(self) -> list[NamedAddress]:
        """The addresses in Cc."""
        return self._addresses_of(b"cc")

    @property
    def reply_to(self) -> list[NamedAddress]:
        """Where the author wants replies (RFC 5322 3.6.2); if it is empty, reply to `from_`."""
        return self._addresses_of(b"reply-to")

    @property
    def date(self) -> datetime | None:
        """When the author sent it, by the author's clock, with its time zone; None if there is no date."""
        value = self._value(b"date")
        return None if value is None else parse_date(value)

    @property
    def message_id(self) -> str:
        """The Message-ID (RFC 5322 3.6.4) without its brackets; "" if there is none.

        It should be unique, but anybody may send another message with it.
        """
        found = message_id((self._value(b"message-id") or b"")[:FIELD_LIMIT])
        return one_line((found or b"").decode("utf-8", "replace"))

    def fields(self, name: str) -> list[str]:
        """The values of all fields of a name (in any case), in order, each decoded and on one line.

        Each call reads the header once.
        """
        wanted = name.encode().lower()
        head = self._header()
        return [
            self._decoded(field.value)
            for field in limited_fields(self._content, 0, head.body)
            if field.name.lower() == wanted
        ]

    @property
    def text(self) -> str:
        r"""The plain text that the sender wrote; "" if there is none, as in messages with HTML only.

        Lines end in ``\n``.  Attached texts are not in it; several texts of a message, such as the
        footer of a mailing list, are joined.  Texts with ``format=flowed`` (RFC 3676) keep their
        lines.  It is decoded at the first use and then kept.
        """
        if self._text is None:
            self._text = self._joined(self._found().texts)
        return self._text

    @property
    def html(self) -> str:
        r"""The text as HTML, with its markup; "" if there is none.  Otherwise as `text`.

        It is not safe to show: it may have scripts, and images that tell the sender who reads it.  Its
        ``<meta charset>`` means nothing any more.
        """
        if self._html is None:
            self._html = self._joined(self._found().htmls)
        return self._html

    @property
    def attachments(self) -> list[Attachment]:
        """All parts that are neither in `text` nor in `html`, also images in the HTML text."""
        content = self._content
        return [Attachment(content, part, is_embedded=embedded) for part, embedded in self._found().others]

    def _header(self) -> Part:
        """The message as a part of which only the header is known."""
        if self._head is None:
            head = Part(0, 1, is_message=True)
            limit = min(len(self._content), HEADER_LIMIT)
            end = ends_of_header(self._content, 0, limit)
            head.body = limit if end < 0 else end
            self._head = head
        return self._head

    def _found(self) -> Bodies:
        if self._bodies is None:
            self._bodies = find_bodies(self._content, scan_parts(self._content))
        return self._bodies

    def _value(self, name: bytes) -> bytes | None:
        """The last field of this name, as in ENVELOPE."""
        values = self._header().fields(self._content).get(name)
        return values[-1] if values else None

    def _text_of(self, name: bytes) -> str:
        value = self._value(name)
        return "" if value is None else self._decoded(value)

    def _decoded(self, value: bytes) -> str:
        value = value[:FIELD_LIMIT]
        charset = ""
        if not value.isascii():  # RFC 6532, or octets in the charset of the text
            head = self._header()
            charset = part_charset(head, self._content, head.content_type(self._content)[2])
        return one_line(decode_header(value, charset)).strip()

    def _addresses_of(self, name: bytes) -> list[NamedAddress]:
        return named_addresses(self._header().fields(self._content).get(name, []))

    def _joined(self, parts: list[Part]) -> str:
        octets_left = self._text_limit
        texts = []
        for part in parts:
            text = part_source(self._content, part, octets_left)
            if text:
                texts.append(without_nul(text).replace("\r\n", "\n").replace("\r", "\n"))
            octets_left -= min(part.end - part.body, octets_left)
            if not octets_left:
                break
        return "\n".join(texts)
