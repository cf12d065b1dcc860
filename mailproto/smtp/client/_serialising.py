"""The email package's messages as octets, in pieces.

Its own generator copies all of a message for each level of its parts, dispatches by types that
the payload need not have, and leaves the header to policies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import Message
from email.policy import SMTP
from typing import Any, TypeAlias

from mailproto.smtp.client._content_type import content_type
from mailproto.smtp.client._header import NeedsUTF8, field_text, is_parsed, write_fields
from mailproto.smtp.wire import LineEnds

__all__ = ["serialise"]

_Part: TypeAlias = "Message[Any, Any]"

_CHUNK = 1 << 16
"""Characters that are worked on at a time, so that other threads have their turn."""

_NEWLINE = re.compile(rb"\r\n|\r|\n")
_ON_ONE_LINE = SMTP.clone(max_line_length=0)


def serialise(part: _Part, *, utf8: bool, signed: bool = False) -> Iterator[bytes]:
    """Header and body; what multiparts have as boundaries is in their Content-Type.

    :param utf8: whether the header is in UTF-8.
    :param signed: whether a signature covers it, so that it must stay as it is (RFC 1847 2.1).
    :raises ValueError: something cannot be written.
    """
    for name, value in part.raw_items():
        yield from _signed_field(name, value) if signed else _fields(name, value, utf8)
    yield b"\r\n"
    kind = content_type(part)
    signed = signed or kind == "multipart/signed"
    payload = getattr(part, "_payload", None)
    if isinstance(payload, Message):
        payload = [payload]
    if isinstance(payload, str):
        yield from _lines(payload)
    elif payload is None and kind.startswith("multipart/"):
        yield from _multipart(part, [], utf8, signed)
    elif isinstance(payload, list):
        inner = [serialise(each, utf8=utf8, signed=signed) for each in payload]
        if kind.startswith("multipart/"):
            yield from _multipart(part, inner, utf8, signed)
        elif kind == "message/delivery-status":
            # Blocks of fields, with an empty line between them (RFC 3464 2.1).
            yield b"\r\n".join([b"".join(block).removesuffix(b"\r\n") for block in inner])
        else:
            for each in inner:
                yield from each
    elif payload is not None:
        raise ValueError(f"a part of a message is no text: {type(payload).__name__}")


def _multipart(part: _Part, inner: list[Iterator[bytes]], utf8: bool, signed: bool) -> Iterator[bytes]:
    boundary = str(part.get_boundary()).encode("utf-8", "surrogateescape")
    if part.preamble is not None:
        yield from _lines(part.preamble)
        yield b"\r\n"
    if not inner:
        yield b"--%b\r\n" % boundary
    for index, each in enumerate(inner):
        yield b"\r\n--%b\r\n" % boundary if index else b"--%b\r\n" % boundary
        yield from each
    yield b"\r\n--%b--\r\n" % boundary
    if part.epilogue is not None:
        yield from _lines(part.epilogue)


def _lines(text: str) -> Iterator[bytes]:
    """With CRLFs; the last line ends if it did."""
    ends = LineEnds()
    for start in range(0, len(text), _CHUNK):
        yield ends.encode(text[start : start + _CHUNK].encode("utf-8", "surrogateescape"))
    if text.endswith("\r"):
        yield b"\r\n"


def _fields(name: str, value: Any, utf8: bool) -> list[bytes]:
    try:
        return write_fields(name, value, utf8=utf8)
    except NeedsUTF8:  # in a part, whose header is of the body
        return write_fields(name, value, utf8=True)


def _signed_field(name: str, value: Any) -> Iterator[bytes]:
    """As it was read, or, if it was set, as the program that signed the message has it."""
    if is_parsed(value):
        field: str = value.fold(policy=_ON_ONE_LINE)
        yield field.encode("utf-8", "surrogateescape")
        return
    lines = _NEWLINE.split(field_text(value))
    if any(line[:1] not in (b" ", b"\t") for line in lines[1:]):
        raise ValueError(f"a line of its own in the field {name}")
    yield b"%b: %b\r\n" % (name.encode(), b"\r\n".join(lines))
