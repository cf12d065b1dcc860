"""Bodies made ASCII, in lines that are not too long, so that every server takes them (RFC 2045 6)."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from email.message import Message
from typing import Any, TypeAlias, cast

from mailproto.smtp.client._content_type import content_type
from mailproto.smtp.client._encodings import base64, count_ascii, quoted_printable
from mailproto.smtp.client._line_ends import with_line_ends

__all__ = ["to_seven_bits"]

_Part: TypeAlias = "Message[Any, Any]"

_COMPOSITE = ("multipart/", "message/")
"""Types of what has parts, and no encoding (RFC 2045 6.4)."""


_LINE_MAX = 998


_CHUNK = 1 << 16
_ENCODINGS = ("base64", "quoted-printable", "uuencode", "uue", "x-uue", "x-uuencode")
_TEXT = re.compile(r"[^\x00-\x7f\udc80-\udcff]").search
"""A character that stands for no octet that was read."""


def to_seven_bits(message: _Part) -> None:
    """Encode what is not ASCII, whatever charset it is in, and what is no short lines of text (2.7).

    But nothing that is signed (RFC 1847 2.1).
    """
    for part, messages in _leaves(message, (message,)):
        payload = _payload(part)
        if not _is_sendable(payload):
            if content_type(part).startswith(_COMPOSITE):  # of nothing: then it is text (RFC 2045 5.2)
                del part["Content-Type"]
            octets = _octets(part, payload)
            _name_type(part, octets)
            _encode(part, octets)
            for each in messages:
                if "MIME-Version" not in each:  # without it no encoding means anything (RFC 2045 4)
                    each["MIME-Version"] = "1.0"


def _is_sendable(text: str) -> bool:
    return text.isascii() and "\0" not in text and not _has_long_line(text)


def _has_long_line(text: str) -> bool:
    """Longer than 998 octets (RFC 5322 2.1.1), in ASCII."""
    at = 0
    while len(text) - at > _LINE_MAX:
        window = at, at + _LINE_MAX + 1
        end = max(text.rfind("\n", *window), text.rfind("\r", *window))
        if end < 0:
            return True
        at = end + 1
    return False


def _payload(part: _Part) -> str:
    """As it is kept: octets that are not ASCII as surrogates, which `get_payload` takes for text."""
    payload = getattr(part, "_payload", None)
    return payload if isinstance(payload, str) else ""


def _leaves(part: _Part, messages: tuple[_Part, ...]) -> Iterator[tuple[_Part, tuple[_Part, ...]]]:
    """Parts without parts, each with the messages that it is in.

    But for those that a signature covers: of MIME, or of DKIM (RFC 6376).
    """
    if content_type(part) == "multipart/signed" or "DKIM-Signature" in part:
        return
    if not part.is_multipart():
        yield part, messages
        return
    is_message = content_type(part).startswith("message/")
    if not is_message:
        _drop_what_is_between(part)
    for inner in cast("list[_Part]", part.get_payload()):
        yield from _leaves(inner, (*messages, inner) if is_message else messages)


def _drop_what_is_between(part: _Part) -> None:
    """What stands around parts can be encoded in no way, and is no part of the message (RFC 2046 5.1.1)."""
    if not _is_sendable(part.preamble or ""):
        part.preamble = None
    if not _is_sendable(part.epilogue or ""):
        part.epilogue = None


def _octets(part: _Part, payload: str) -> bytes:
    """What the payload stands for: octets that were read, or text that was put in without a charset."""
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
    """Of what has none: it is text in UTF-8, or in what nobody knows (RFC 1428 3)."""
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
