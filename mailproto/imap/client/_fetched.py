"""A message as FETCH gives it: read when something is asked of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

from mailproto.content import Content
from mailproto.imap.client._fetch_items import items_of, raw_item
from mailproto.imap.client._structures import BodyStructure, MessageEnvelope
from mailproto.imap.client._usual_envelope import usual_envelope
from mailproto.imap.wire._answers import Data
from mailproto.imap.wire._client_limits import IMAPClientLimits
from mailproto.imap.wire._usual_fetches import UID_IN_FETCH
from mailproto.imap.wire._values import Value, number_of, text_of

__all__ = ["FetchedMessage", "flags_of", "internal_date", "uid_in"]

_LAST_UID = re.compile(rb"[ )]UID ([0-9]{1,10}+)[ \t]*+\)?[ \t]*+\Z", re.IGNORECASE)
_ONLY_BODY = re.compile(rb"\(UID [0-9]{1,10} BODY\[\] ~?\{[0-9]{1,19}\}\r\n\)")
_ONLY_FLAGS = re.compile(
    rb"\((?:UID [0-9]{1,10} )?(?:RFC822\.SIZE [0-9]{1,20} )?FLAGS \(([A-Za-z0-9$_.:\\ -]{0,200})\)"
    rb"(?: MODSEQ \([0-9]{1,20}\))?(?: UID [0-9]{1,10})?\)"
)
_DATE = re.compile(
    r" ?([0-9]{1,2})-([A-Za-z]{3})-([0-9]{2,4}) ([0-9]{1,2}):([0-9]{2}):([0-9]{2})"
    r"(?: ?([+-])([0-9]{2}):?([0-9]{2}))?"
)
_MONTHS = {
    name: number
    for number, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], start=1
    )
}


class FetchedMessage:
    """What a server has said of one message, as values; None, or nothing, for what it has not said.

    :ivar uid: the message's UID.
    """

    __slots__ = ("_data", "_items", "_limits", "uid")

    def __init__(self, uid: int, data: Data, limits: IMAPClientLimits) -> None:
        self.uid = uid
        self._data = data
        self._limits = limits
        self._items: dict[str, Value] | None = None

    def __repr__(self) -> str:
        return f"<FetchedMessage {self.uid}: {', '.join(self.items)}>"

    @property
    def items(self) -> Mapping[str, Any]:
        """All values, by the names of the items in upper case (``BODY[HEADER]``): None for NIL, bytes or a
        `Content` for a string or an atom, and lists of them."""
        if self._items is None:
            self._items = items_of(self._data, self._limits)
        return self._items

    def raw(self, item: str) -> bytes | None:
        """The value of an item as the server has written it, with literals in it; None if there is none.

        :param item: its name in upper case, such as ``ENVELOPE``.
        """
        return raw_item(self._data, self._limits, item)

    @property
    def flags(self) -> frozenset[str]:
        """System flags with their backslash, as in ``\\Seen``, and keywords."""
        text = self._data.text
        if (
            self._items is None
            and len(text) <= self._limits.values
            and (usual := _ONLY_FLAGS.fullmatch(text))
        ):
            return _known_flags(usual[1])
        return flags_of(self.items.get("FLAGS"))

    @property
    def modseq(self) -> int | None:
        """The message's mod-sequence (RFC 7162)."""
        value = self.items.get("MODSEQ")
        return number_of(value[0] if isinstance(value, list) and value else value)

    @property
    def size(self) -> int | None:
        """Octets of the whole message (RFC822.SIZE)."""
        return number_of(self.items.get("RFC822.SIZE"))

    @property
    def internal_date(self) -> datetime | None:
        """When the message arrived, with its time zone."""
        return internal_date(text_of(self.items.get("INTERNALDATE")))

    @property
    def save_date(self) -> datetime | None:
        """When it was put into this mailbox (RFC 8514)."""
        return internal_date(text_of(self.items.get("SAVEDATE")))

    @property
    def envelope(self) -> MessageEnvelope | None:
        """The main fields of the header."""
        if self._items is None and (usual := usual_envelope(self._data.text)) is not None:
            return usual
        return MessageEnvelope.read(self.items.get("ENVELOPE"))

    @property
    def structure(self) -> BodyStructure | None:
        """The parts: of BODYSTRUCTURE, or of BODY without a section."""
        items = self.items
        return BodyStructure.read(items["BODYSTRUCTURE"] if "BODYSTRUCTURE" in items else items.get("BODY"))

    @property
    def email_id(self) -> str:
        """The id of the content (RFC 8474); ``""`` if there is none."""
        return _id(self.items.get("EMAILID") or self.items.get("X-GM-MSGID"))

    @property
    def thread_id(self) -> str:
        """The id of the conversation (RFC 8474); ``""`` if there is none."""
        return _id(self.items.get("THREADID") or self.items.get("X-GM-THRID"))

    @property
    def preview(self) -> str:
        """The beginning of the text (RFC 8970)."""
        return text_of(self.items.get("PREVIEW"))

    @property
    def sections(self) -> Mapping[str, Content]:
        """The fetched sections by their names in upper case: ``""`` is the whole message, ``HEADER``,
        ``1.MIME`` and the like.  A section that is not there is left out."""
        found = {}
        for name, value in self.items.items():
            section = _section_of(name)
            if section is not None and value is not None and not isinstance(value, list):
                found[section] = Content.of(value)
        return found

    @property
    def content(self) -> Content | None:
        """The whole message (``BODY[]``)."""
        if self._items is None and _ONLY_BODY.fullmatch(self._data.text):
            literal = self._data.literals[0]
            if literal.__class__ is bytes:
                return Content(literal)
            return None if literal is None else Content.of(literal)
        return self.sections.get("")

    @property
    def header(self) -> Content | None:
        """The header section, or those of its fields that were asked for."""
        sections = self.sections
        for name, content in sections.items():
            if name.startswith("HEADER"):
                return content
        return None


_OLD_SECTIONS = {"RFC822": "", "RFC822.HEADER": "HEADER", "RFC822.TEXT": "TEXT"}


def _section_of(item: str) -> str | None:
    name, bracket, rest = item.partition("[")
    if not bracket:
        return _OLD_SECTIONS.get(item)
    if name in ("BODY", "BODY.PEEK"):
        return rest.rpartition("]")[0]
    return f"{rest.rpartition(']')[0]} BINARY".strip() if name in ("BINARY", "BINARY.PEEK") else None


def flags_of(value: Value) -> frozenset[str]:
    """A list of flags; the system flags in their usual spelling."""
    if not isinstance(value, list):
        return frozenset()
    return frozenset([_FLAGS.get(flag) or _flag(flag) for flag in value if flag.__class__ is bytes])


@lru_cache(1000)
def _known_flags(octets: bytes) -> frozenset[str]:
    """Flags with spaces between them; most messages have those of many others."""
    return flags_of([None if word.upper() == b"NIL" else word for word in octets.split()])


_FLAGS = {
    flag.encode(): flag for flag in ("\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft", "\\Recent")
}
_BY_LOWER = {flag.lower(): flag for flag in _FLAGS.values()}


def _flag(octets: bytes) -> str:
    flag = text_of(octets)
    return _BY_LOWER.get(flag.lower(), flag)


def _id(value: Value) -> str:
    return text_of(value[0] if isinstance(value, list) and value else value)


def internal_date(text: str) -> datetime | None:
    """``17-Jul-1996 02:44:25 -0700`` as a time; None if it is none."""
    match = _DATE.fullmatch(text.strip())
    if match is None:
        return None
    day, month, year, hour, minute, second, sign, hours, minutes = match.groups()
    zone = UTC
    try:
        if sign:
            offset = timedelta(hours=int(hours), minutes=int(minutes))
            zone = timezone(offset if sign == "+" else -offset)
        return datetime(
            int(year),
            _MONTHS[month.lower()],
            int(day),
            int(hour),
            int(minute),
            min(int(second), 59),
            tzinfo=zone,
        )
    except (KeyError, ValueError):
        return None


def uid_in(data: Data, limits: IMAPClientLimits) -> int | None:
    """The UID in a FETCH response; None if there is none.

    If what comes before it cannot be read, it is the one at the end: that is not of the message's own words.
    """
    match = UID_IN_FETCH.match(data.text)
    if match is not None:
        return int(match[1])
    if b"UID" not in data.text.upper():
        return None
    uid = number_of(items_of(data, limits).get("UID"))
    if uid is None and (match := _LAST_UID.search(data.text[-40:])) is not None:
        return int(match[1])
    return uid
