"""The parameters of DSN: which notifications a sender wants (RFC 3461 4, RFC 6533 3)."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from mailproto.smtp.wire._xtext import decode_xtext, encode_xtext

__all__ = [
    "MAX_ENVELOPE_ID",
    "MAX_ORIGINAL_RECIPIENT",
    "Notify",
    "OriginalRecipient",
    "Returned",
    "parse_envelope_id",
    "parse_notify",
    "parse_original_recipient",
    "parse_returned",
]

MAX_ENVELOPE_ID = 100
"""The most characters of ENVID's value (RFC 3461 4.4)."""

MAX_ORIGINAL_RECIPIENT = 500
"""The most characters of ORCPT's value (RFC 3461 4.2)."""

_PRINTABLE = re.compile(r"[ -~]+")
_ADDRESS_TYPE = re.compile(r"[A-Za-z0-9!#$%&'*+\-/?^_`{|}~]{1,40}")
_UTF8 = "utf-8"
_UTF8_TEXT = re.compile("(?:[!-*,-<>-\\[\\]-~\xa0-\U0010ffff]|\\\\x\\{[0-9A-F]{2,6}\\})+")
_EMBEDDED = re.compile(r"\\x\{([0-9A-F]+)\}")
_TO_EMBED = re.compile(r"[^!-*,-<>-\[\]-~]")


class Notify(enum.Flag):
    """When a notification is wanted (RFC 3461 4.1); NEVER is the empty value."""

    NEVER = 0
    SUCCESS = enum.auto()
    FAILURE = enum.auto()
    DELAY = enum.auto()

    def __str__(self) -> str:
        """The parameter's value."""
        return ",".join(flag.name or "" for flag in self) if self else "NEVER"


class Returned(enum.Enum):
    """How much of the message a notification of failure contains (RFC 3461 4.3)."""

    FULL = "FULL"
    HEADERS = "HDRS"


@dataclass(frozen=True, slots=True)
class OriginalRecipient:
    """The recipient's address as the sender named it (RFC 3461 4.2).

    :ivar type: the type of the address in lower case: ``rfc822``, or ``utf-8`` (RFC 6533 3).
    :ivar address: decoded: printable ASCII, or for ``utf-8`` any printable text.
    """

    type: str
    address: str

    def __str__(self) -> str:
        """The parameter's value, in ASCII."""
        if self.type == _UTF8:
            return f"{_UTF8};{_TO_EMBED.sub(_embedded, self.address)}"
        return f"{self.type};{encode_xtext(self.address.encode())}"


def _embedded(match: re.Match[str]) -> str:
    return f"\\x{{{ord(match[0]):02X}}}"


def parse_notify(value: str) -> Notify:
    """Read a value of NOTIFY; a condition may be repeated.

    :raises ValueError: the value is not valid.
    """
    words = value.upper().split(",")
    if words == ["NEVER"]:
        return Notify.NEVER
    notify = Notify.NEVER
    for word in words:
        if word not in ("SUCCESS", "FAILURE", "DELAY"):
            raise ValueError("NOTIFY needs NEVER, or some of SUCCESS, FAILURE and DELAY")
        notify |= Notify[word]
    return notify


def parse_returned(value: str) -> Returned:
    """Read a value of RET.

    :raises ValueError: the value is not valid.
    """
    try:
        return Returned(value.upper())
    except ValueError:
        raise ValueError("RET needs FULL or HDRS") from None


def parse_envelope_id(value: str) -> str:
    """Decode a value of ENVID.

    :raises ValueError: the value is not valid.
    """
    if len(value) > MAX_ENVELOPE_ID:
        raise ValueError("ENVID is too long")
    return _printable(value, "ENVID needs printable ASCII in xtext")


def parse_original_recipient(value: str) -> OriginalRecipient:
    """Read a value of ORCPT.

    :raises ValueError: the value is not valid.
    """
    if len(value) > MAX_ORIGINAL_RECIPIENT:
        raise ValueError("ORCPT is too long")
    kind, separator, address = value.partition(";")
    if not separator or not _ADDRESS_TYPE.fullmatch(kind):
        raise ValueError("ORCPT needs an address type, a semicolon and an address")
    kind = kind.lower()
    if kind == _UTF8:
        return OriginalRecipient(kind, _utf8_address(address))
    return OriginalRecipient(kind, _printable(address, "ORCPT needs printable ASCII in xtext"))


def _printable(value: str, complaint: str) -> str:
    try:
        text = decode_xtext(value).decode("ascii")
    except ValueError:
        raise ValueError(complaint) from None
    if not _PRINTABLE.fullmatch(text):
        raise ValueError(complaint)
    return text


def _utf8_address(text: str) -> str:
    """Decode an address of type utf-8 (RFC 6533 3): ``\\x{HEX}`` is a character.

    All characters except ``+``, ``=`` and ``\\`` may also stand for themselves.
    """
    if _UTF8_TEXT.fullmatch(text):
        points = [int(point, 16) for point in _EMBEDDED.findall(text)]
        if not any(point > 0x10FFFF or 0xD800 <= point <= 0xDFFF for point in points):
            address = _EMBEDDED.sub(lambda match: chr(int(match[1], 16)), text)
            if address.isprintable():
                return address
    raise ValueError("ORCPT needs printable text as of RFC 6533")
