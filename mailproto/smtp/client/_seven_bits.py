"""Bodies made ASCII, in lines that are not too long, so that every server takes them (RFC 2045 6)."""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from email.base64mime import body_encode
from email.message import Message
from typing import Any, TypeAlias, cast

from mailproto.smtp.wire import LineEnds

__all__ = ["to_seven_bits"]

_Part: TypeAlias = "Message[Any, Any]"

_COMPOSITE = ("multipart", "message")
"""Types of what has parts, and no encoding (RFC 2045 6.4)."""


_LINE_MAX = 998


def to_seven_bits(message: _Part) -> None:
    """Encode what is not ASCII, whatever charset it is in, and what is no short lines of text (2.7).

    But nothing that is signed (RFC 1847 2.1).
    """
    for part, messages in _leaves(message, (message,)):
        payload = _payload(part)
        if not _is_sendable(payload):
            if part.get_content_maintype() in _COMPOSITE:  # of nothing: then it is text (RFC 2045 5.2)
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
    if part.get_content_type() == "multipart/signed" or "DKIM-Signature" in part:
        return
    if not part.is_multipart():
        yield part, messages
        return
    is_message = part.get_content_maintype() == "message"
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
    try:
        payload.encode("ascii", "surrogateescape")
    except UnicodeEncodeError:
        if part.get_param("charset") is None:
            part.set_param("charset", "utf-8")
        return payload.encode("utf-8", "surrogateescape")
    octets = part.get_payload(decode=True)
    return octets if isinstance(octets, bytes) else b""


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
    is_text = part.get_content_maintype() == "text"
    if is_text:
        ends = LineEnds()
        octets = ends.encode(octets) + ends.finish()
    del part["Content-Transfer-Encoding"]
    if is_text and 3 * sum(octet < 128 for octet in octets) > 2 * len(octets):
        part["Content-Transfer-Encoding"] = "quoted-printable"
        part.set_payload(binascii.b2a_qp(octets).decode("ascii"))
    else:
        part["Content-Transfer-Encoding"] = "base64"
        part.set_payload(body_encode(octets))
