"""Rendering IMAP strings (RFC 9051 4.3): quoted where allowed, or else as literals."""

from __future__ import annotations

import re

from mailproto.message._fields import unfold

__all__ = ["escaped", "nstring_text", "nstring_unfolded", "string"]

_plain = re.compile(rb"[\x01-\x09\x0b\x0c\x0e-\x21\x23-\x5b\x5d-\x7f]*").fullmatch
_plain_text = re.compile(rb"(?: ?[\x21\x23-\x5b\x5d-\x7e]++)*").fullmatch
_quotable = re.compile(rb"[\x01-\x09\x0b\x0c\x0e-\x7f]*").fullmatch
_runs = re.compile(rb"[ \t]+").sub

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}".encode()  # for NUL, which strings cannot have


def escaped(value: bytes) -> bytes:
    """What stands between the quotes; without a regular expression, because all may be quotes."""
    return value.replace(b"\\", rb"\\").replace(b'"', rb"\"")


def string(value: bytes) -> bytes:
    """``value`` as a quoted string; or as a literal if it has 8-bit octets or line ends."""
    if _plain(value):
        return b'"%b"' % value
    if b"\0" in value:
        value = value.replace(b"\0", _REPLACEMENT)
    if _quotable(value):
        return b'"%b"' % escaped(value)
    return b"{%d}\r\n%b" % (len(value), value)


def nstring_unfolded(value: bytes | None) -> bytes:
    """A field's value on one line, with its white space."""
    if value is None:
        return b"NIL"
    return b'"%b"' % value if _plain(value) else string(unfold(value))


def nstring_text(value: bytes | None) -> bytes:
    """Text on one line, with single spaces for white space, and none at the ends."""
    if value is None:
        return b"NIL"
    if _plain_text(value) and value[:1] != b" ":
        return b'"%b"' % value
    value = value.replace(b"\r", b"").replace(b"\n", b"")
    return string(_runs(b" ", value).strip(b" "))
