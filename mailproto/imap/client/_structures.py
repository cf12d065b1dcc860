"""ENVELOPE and BODYSTRUCTURE as values (RFC 9051 7.5.2).

Servers err here most often: fields are missing, NIL stands for a list, numbers are strings.  What cannot be
read is empty, and everything else is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final

from mailproto.imap.wire._values import Value, number_of, octets_of, text_of
from mailproto.message import NamedAddress, decode_header, parameter_text, parse_date
from mailproto.message._file_name import safe_file_name

__all__ = ["BodyStructure", "MessageEnvelope"]

_NOTHING: Mapping[str, str] = MappingProxyType({})

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+")
_TYPES: Final = frozenset(
    (
        b"application",
        b"audio",
        b"font",
        b"haptics",
        b"image",
        b"message",
        b"model",
        b"multipart",
        b"text",
        b"video",
    )
)
_MULTIPARTS: Final = frozenset(
    (b"alternative", b"digest", b"mixed", b"parallel", b"related", b"report", b"signed")
)


@dataclass(frozen=True, slots=True)
class MessageEnvelope:
    """The main fields of a message's header, as the server gives them (ENVELOPE).

    :ivar date: the Date field as it was written; see `sent`.
    :ivar subject: decoded, on one line.
    :ivar from_: the authors; groups are left out, and so is what is no address.
    :ivar in_reply_to: as it was written.
    :ivar message_id: with its brackets.
    """

    date: str = ""
    subject: str = ""
    from_: tuple[NamedAddress, ...] = ()
    sender: tuple[NamedAddress, ...] = ()
    reply_to: tuple[NamedAddress, ...] = ()
    to: tuple[NamedAddress, ...] = ()
    cc: tuple[NamedAddress, ...] = ()
    bcc: tuple[NamedAddress, ...] = ()
    in_reply_to: str = ""
    message_id: str = ""

    @property
    def sent(self) -> datetime | None:
        """The date, with its time zone; None if there is none."""
        return parse_date(self.date.encode()) if self.date else None

    @classmethod
    def read(cls, value: Value) -> MessageEnvelope | None:
        """Read a list of ten values; fewer will do.  None if it is no list."""
        if not isinstance(value, list):
            return None
        if len(value) == 9 and octets_of(value[8]) is not None:
            value = [*value[:7], None, *value[7:]]  # QQ leaves out Bcc
        fields = [*value, *[None] * (10 - len(value))]
        from_, sender, reply_to, to, cc, bcc = map(_addresses, fields[2:8])
        return cls(
            text_of(fields[0]),
            decode_header(octets_of(fields[1]) or b""),
            from_,
            sender,
            reply_to,
            to,
            cc,
            bcc,
            text_of(fields[8]),
            text_of(fields[9]),
        )


def _addresses(value: Value) -> tuple[NamedAddress, ...]:
    if not isinstance(value, list):
        return ()
    found = []
    for each in value:
        if not isinstance(each, list) or len(each) < 4:
            continue
        local, host = text_of(each[2]), text_of(each[3])
        if local and each[3] is not None:
            name = decode_header(octets_of(each[0]) or b"").strip()
            found.append(NamedAddress(name, f"{local}@{host}" if host else local))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class BodyStructure:
    """A part of a message, with the parts in it.

    :ivar number: the section that fetches it, such as ``1.2``; ``TEXT`` for a message of several parts.
    :ivar media_type: in lower case, such as ``text/plain`` or ``multipart/mixed``.
    :ivar parameters: of Content-Type, decoded; names in lower case.
    :ivar encoding: the transfer encoding in lower case.
    :ivar size: octets as they are in the message; 0 for a multipart.
    :ivar lines: of a text or a message; None if the server does not say.
    :ivar disposition: in lower case; ``""`` if there is none.
    :ivar envelope: of a ``message/rfc822``, whose message is in ``parts``.
    """

    number: str
    media_type: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    content_id: str = ""
    description: str = ""
    encoding: str = "7bit"
    size: int = 0
    lines: int | None = None
    md5: str = ""
    disposition: str = ""
    disposition_parameters: Mapping[str, str] = field(default_factory=dict)
    languages: tuple[str, ...] = ()
    location: str = ""
    envelope: MessageEnvelope | None = None
    parts: tuple[BodyStructure, ...] = field(default=())

    @property
    def is_multipart(self) -> bool:
        """Whether it only holds other parts."""
        return self.media_type.startswith("multipart/")

    @property
    def charset(self) -> str:
        """In lower case; ``""`` if it is not given."""
        return self.parameters.get("charset", "").lower()

    @property
    def file_name(self) -> str:
        """The name that the sender gives, without folders and what cannot be seen; ``""`` if there is none.

        It may be the name of a file that you have: ``open(name, "xb")`` fails then.
        """
        given = self.disposition_parameters.get("filename"), self.parameters.get("name")
        return next(filter(None, (safe_file_name(name or "") for name in given)), "")

    def walk(self) -> Iterator[BodyStructure]:
        """This part and all parts in it, from the first to the last."""
        stack = [self]
        while stack:
            part = stack.pop()
            yield part
            stack += reversed(part.parts)

    def find(self, media_type: str) -> BodyStructure | None:
        """The first part of this type that is no attachment and not in an attached message.

        :param media_type: such as ``text/plain``; or ``text/*`` for all of a kind.
        """
        wanted = media_type.lower()
        stack = [self]
        while stack:
            part = stack.pop()
            if part.disposition != "attachment" and _is_of(part.media_type, wanted):
                return part
            if part.is_multipart:
                stack += reversed(part.parts)
        return None

    @classmethod
    def read(cls, value: Value) -> BodyStructure | None:
        """Read the value of BODYSTRUCTURE or BODY; None if it is no list."""
        return _part(value, "") if isinstance(value, list) and value else None


def _is_of(media_type: str, wanted: str) -> bool:
    return media_type == wanted or (wanted.endswith("/*") and media_type.startswith(wanted[:-1]))


def _part(value: list[Value], number: str, whole: str = "TEXT") -> BodyStructure:
    """:param whole: the section of a multipart without a number of its own."""
    if isinstance(value[0], list) or _is_empty_multipart(value):
        return _multipart(value, number, whole)
    return _single(value, number or "1")


def _is_empty_multipart(value: list[Value]) -> bool:
    """Whether it is what Gmail says of a multipart without parts: the subtype, and what follows it."""
    subtype = None if len(value) > 1 and octets_of(value[1]) is not None else octets_of(value[0])
    return subtype is not None and subtype.lower() in _MULTIPARTS


def _multipart(value: list[Value], number: str, whole: str) -> BodyStructure:
    count = 0
    while count < len(value) and isinstance(value[count], list):
        count += 1
    prefix = number and number + "."
    parts = tuple(_part(each, f"{prefix}{at}") for at, each in enumerate(value[:count], 1) if each)
    subtype, parameters, disposition, languages, location = _padded(value[count:], 5)
    if disposition is None and isinstance(languages, list) and _is_disposition(languages):
        disposition, languages, location = languages, location, None  # as if there were an MD5 before
    return BodyStructure(
        number or whole,
        f"multipart/{_type(subtype, 'mixed')}",
        _parameters(parameters),
        **_extension(disposition, languages, location),  # type: ignore[arg-type]
        parts=parts,
    )


def _single(value: list[Value], number: str) -> BodyStructure:
    if (
        len(value) > 1
        and octets_of(value[1]) is None
        and (octets_of(value[0]) or b"text").lower() not in _TYPES
    ):
        value = [None, *value]  # hMailServer leaves the main type out if the header does
    kind, subtype, parameters, content_id, description, encoding, size = _padded(value, 7)
    media_type = f"{_type(kind, 'application')}/{_type(subtype, 'octet-stream')}"
    rest = value[7:]
    envelope: MessageEnvelope | None = None
    parts: tuple[BodyStructure, ...] = ()
    lines: int | None = None
    is_message = media_type in ("message/rfc822", "message/global")
    # Some servers show a message without its envelope and its parts, or with empty ones.
    if is_message and len(rest) > 1 and isinstance(rest[1], list):
        envelope = MessageEnvelope.read(rest[0])
        inner = rest[1]
        if inner:
            is_many = isinstance(inner[0], list) or _is_empty_multipart(inner)
            parts = (_in_message(inner, number) if is_many else _single(inner, f"{number}.1"),)
        rest = rest[2:]
    if rest and (media_type.startswith("text/") or is_message) and not isinstance(rest[0], list):
        lines = number_of(rest[0])
        if lines is not None or rest[0] is None:
            rest = rest[1:]
    md5, disposition, languages, location = _padded(rest, 4)
    return BodyStructure(
        number,
        media_type,
        _parameters(parameters),
        text_of(content_id),
        decode_header(octets_of(description) or b""),
        text_of(encoding).lower() or "7bit",
        number_of(size) or 0,
        lines,
        text_of(md5),
        **_extension(disposition, languages, location),  # type: ignore[arg-type]
        envelope=envelope,
        parts=parts,
    )


def _in_message(value: list[Value], number: str) -> BodyStructure:
    """The multipart of an attached message: its parts are numbered as if they were the message's."""
    made = _multipart(value, number, "")
    return BodyStructure(
        f"{number}.TEXT",
        made.media_type,
        made.parameters,
        disposition=made.disposition,
        disposition_parameters=made.disposition_parameters,
        languages=made.languages,
        location=made.location,
        parts=made.parts,
    )


def _type(value: Value, default: str) -> str:
    """A type or subtype in lower case, without what else of the header a server took for it."""
    match = _TOKEN.match(text_of(value))
    return match[0].lower() if match else default


def _is_disposition(value: list[Value]) -> bool:
    """Whether it is a disposition, rather than languages: these are strings only."""
    return len(value) == 2 and (value[1] is None or isinstance(value[1], list))


def _extension(disposition: Value, languages: Value, location: Value) -> dict[str, object]:
    kind, parameters = _padded(disposition, 2) if isinstance(disposition, list) else (disposition, None)
    tags = languages if isinstance(languages, list) else [languages]
    name = text_of(kind).lower()
    return {
        # Exchange puts a description here.
        "disposition": name if _TOKEN.fullmatch(name) else "",
        "disposition_parameters": _parameters(parameters),
        "languages": tuple(filter(None, map(text_of, tags))),
        "location": text_of(location),
    }


def _parameters(value: Value) -> Mapping[str, str]:
    if not isinstance(value, list) or not value:
        return _NOTHING
    found: dict[str, str] = {}
    for name, given in zip(value[::2], value[1::2], strict=False):
        octets = octets_of(name)
        if octets and given is not None:
            key = octets.rstrip(b"*").decode("latin-1").lower()
            if key not in found or octets.endswith(b"*"):
                found[key] = parameter_text(octets, octets_of(given) or b"")
    return found


def _padded(values: list[Value], count: int) -> list[Value]:
    return [*values[:count], *[None] * (count - len(values))]
