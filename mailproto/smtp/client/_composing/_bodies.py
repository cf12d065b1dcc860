"""Encoding the bodies of the email package's messages: ASCII in lines of allowed length (RFC 2045 6).

All functions work in pieces, so that other threads have their turn.
"""

from __future__ import annotations

import binascii
import io
import re
from collections.abc import Iterator
from email.message import Message
from typing import Any, TypeAlias, cast

from mailproto.content import CHUNK
from mailproto.smtp.client._header import field_text
from mailproto.smtp.wire import LineEnds, is_canonical

__all__ = ["base64", "content_type", "quoted_printable", "to_seven_bits", "with_line_ends"]

_Part: TypeAlias = "Message[Any, Any]"

_COMPOSITE = ("multipart/", "message/")
"""Types of entities with parts; these have no encoding (RFC 2045 6.4)."""


_LINE_MAX = 998


_CHUNK = 1 << 16
_ENCODINGS = ("base64", "quoted-printable", "uuencode", "uue", "x-uue", "x-uuencode")
_TEXT = re.compile(r"[^\x00-\x7f\udc80-\udcff]").search
"""Finds a character that was set as text, and does not stand for an octet that was read."""


def to_seven_bits(message: _Part) -> None:
    """Encode each body that is not ASCII, in any charset, or not short lines of text (RFC 2045 2.7).

    Signed parts are left as they are (RFC 1847 2.1).
    """
    for part, messages in _leaves(message, (message,)):
        payload = _payload(part)
        if not _is_sendable(payload):
            if content_type(part).startswith(_COMPOSITE):  # without parts: then it is text (RFC 2045 5.2)
                del part["Content-Type"]
            octets = _octets(part, payload)
            _name_type(part, octets)
            _encode(part, octets)
            for each in messages:
                if "MIME-Version" not in each:  # without it, readers ignore encodings (RFC 2045 4)
                    each["MIME-Version"] = "1.0"


def _is_sendable(text: str) -> bool:
    return text.isascii() and "\0" not in text and not _has_long_line(text)


def _has_long_line(text: str) -> bool:
    """Whether a line of ASCII text is longer than 998 octets (RFC 5322 2.1.1)."""
    at = 0
    while len(text) - at > _LINE_MAX:
        window = at, at + _LINE_MAX + 1
        end = max(text.rfind("\n", *window), text.rfind("\r", *window))
        if end < 0:
            return True
        at = end + 1
    return False


def _payload(part: _Part) -> str:
    """The payload as the email package keeps it, with surrogates for octets that are not ASCII.

    (`get_payload` would decode them as text.)
    """
    payload = getattr(part, "_payload", None)
    return payload if isinstance(payload, str) else ""


def _leaves(part: _Part, messages: tuple[_Part, ...]) -> Iterator[tuple[_Part, tuple[_Part, ...]]]:
    """The parts that have no parts themselves, each with the messages that contain it.

    Parts under a signature of MIME or DKIM (RFC 6376) are left out.
    """
    if content_type(part) == "multipart/signed" or "DKIM-Signature" in part:
        return
    if not part.is_multipart():
        yield part, messages
        return
    is_message = content_type(part).startswith("message/")
    if not is_message:
        _drop_text_around_parts(part)
    for inner in cast("list[_Part]", part.get_payload()):
        yield from _leaves(inner, (*messages, inner) if is_message else messages)


def _drop_text_around_parts(part: _Part) -> None:
    """Drop the text around parts: it has no encoding, and is not part of the message (RFC 2046 5.1.1)."""
    if not _is_sendable(part.preamble or ""):
        part.preamble = None
    if not _is_sendable(part.epilogue or ""):
        part.epilogue = None


def _octets(part: _Part, payload: str) -> bytes:
    """The payload's octets; text that was set without a charset becomes UTF-8."""
    encoding = str(part.get("Content-Transfer-Encoding", "")).strip().lower()
    if not payload.isascii() or encoding not in _ENCODINGS:
        octets = io.BytesIO()
        is_text = False
        for start in range(0, len(payload), _CHUNK):
            piece = payload[start : start + _CHUNK]
            octets.write(piece.encode("utf-8", "surrogateescape"))
            is_text = is_text or _TEXT(piece) is not None
        if encoding not in _ENCODINGS or is_text:
            if is_text and part.get_param("charset") is None:
                part.set_param("charset", "utf-8")
            return octets.getvalue()
    decoded = part.get_payload(decode=True)
    return decoded if isinstance(decoded, bytes) else b""


def _name_type(part: _Part, octets: bytes) -> None:
    """Give a part without a type one: text in UTF-8, or in an unknown charset (RFC 1428 3)."""
    if "Content-Type" not in part:
        try:
            octets.decode()
            charset = "utf-8"
        except UnicodeDecodeError:
            charset = "unknown-8bit"
        part["Content-Type"] = f"text/plain; charset={charset}"


def _encode(part: _Part, octets: bytes) -> None:
    is_text = content_type(part).startswith("text/") and b"\0" not in octets
    if is_text:
        octets = with_line_ends(octets)
    del part["Content-Transfer-Encoding"]
    if is_text and 3 * count_ascii(octets) > 2 * len(octets):
        part["Content-Transfer-Encoding"] = "quoted-printable"
        part.set_payload(quoted_printable(octets))
    else:
        part["Content-Transfer-Encoding"] = "base64"
        part.set_payload(base64(octets))


# -- types

_TYPE = re.compile(rb"\s*([^\s/;()]+)\s*/\s*([^\s/;()]+)\s*(?:[;(]|\Z)")


def content_type(part: Message[Any, Any]) -> str:
    """As `get_content_type`, but in linear time; that one takes quadratic time."""
    value = next((value for name, value in part.raw_items() if name.lower() == "content-type"), None)
    if value is None:
        return part.get_default_type()
    match = _TYPE.match(field_text(value)[:_LOOKED_AT])
    return b"/".join(match.groups()).lower().decode("utf-8", "replace") if match else "text/plain"


_LOOKED_AT = 1000


# -- line ends


def with_line_ends(message: str | bytes) -> bytes:
    """``message`` with CRLF at the end of each line; it is not copied if it has that already."""
    if isinstance(message, bytes) and _is_canonical(message):
        return message
    ends = LineEnds()
    octets = io.BytesIO()
    for start in range(0, len(message), CHUNK):
        piece = message[start : start + CHUNK]
        octets.write(ends.encode(piece.encode() if isinstance(piece, str) else piece))
    octets.write(ends.finish())
    return octets.getvalue()


def _is_canonical(message: bytes) -> bool:
    """Whether all lines end with CRLF."""
    at = 0
    while at < len(message):
        stop = at + CHUNK
        stop += message[stop - 1 : stop] == b"\r"
        if not is_canonical(message[at:stop]):
            return False
        at = stop
    return message.endswith(b"\r\n") or not message


# -- encodings (RFC 2045 6.7, 6.8)

_ENCODED_AT_ONCE = 57 << 10
"""Octets that are encoded at a time: a multiple of 57, which are one line of base64."""

_HIGH = bytes(range(128, 256))


def count_ascii(octets: bytes) -> int:
    """How many of the octets are ASCII."""
    return sum(len(piece.translate(None, _HIGH)) for piece in _pieces(octets))


def base64(octets: bytes) -> str:
    """Encode as base64, in lines of 76 characters."""
    lines = []
    for piece in _pieces(octets):
        lines += [binascii.b2a_base64(piece[at : at + 57]).decode("ascii") for at in range(0, len(piece), 57)]
    return "".join(lines)


def quoted_printable(octets: bytes) -> str:
    """Encode text with CRLF line ends as quoted-printable."""
    found = []
    at = 0
    while at < len(octets):
        stop = at + _ENCODED_AT_ONCE
        if stop < len(octets):
            end = octets.rfind(b"\r\n", at, stop)
            stop = end + 2 if end >= 0 else stop - (octets[stop - 1 : stop] == b"\r")
        piece = binascii.b2a_qp(octets[at:stop]).decode("ascii")
        found.append(piece if piece.endswith("\r\n") or stop >= len(octets) else piece + "=\r\n")
        at = stop
    return "".join(found)


def _pieces(octets: bytes) -> Iterator[bytes]:
    for start in range(0, len(octets), _ENCODED_AT_ONCE):
        yield octets[start : start + _ENCODED_AT_ONCE]
