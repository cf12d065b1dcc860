"""The header of a message for clients that do not take UTF-8 there (RFC 6858)."""

from __future__ import annotations

import re
from typing import Final

from mailproto.message._address_parser import Mailbox
from mailproto.message._addresses import find_addresses
from mailproto.message._encode_header import encode_header
from mailproto.message._encoded_words import decode_header
from mailproto.message._fields import Field, header_fields
from mailproto.message._steps import Steps
from mailproto.message._words import encoded_words

__all__ = ["SURROGATE_FIELD_LIMIT", "ascii_header_steps"]

SURROGATE_FIELD_LIMIT: Final = 4096
"""The most octets of a field that becomes encoded words; of a longer one, question marks are made."""

INVALID_ADDRESS: Final = b"invalid@internationalized-address.invalid"
"""In the place of an address that is not ASCII (RFC 6858 2.1): an answer to it goes nowhere."""

_ADDRESSES: Final = frozenset(
    {b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc", b"return-path"}
    | {b"resent-from", b"resent-sender", b"resent-to", b"resent-cc", b"resent-bcc", b"resent-reply-to"}
)
_TEXTS: Final = frozenset({b"subject", b"comments", b"keywords", b"content-description"})
_NAME: Final = 70
"""The most octets of a field's name for which the first line of its value has room."""

_NOT_ASCII: Final = re.compile("[^\0-\x7f]")


def ascii_header_steps(header: bytes) -> Steps[bytes]:
    """The same header section with nothing in UTF-8: a surrogate, as RFC 6858 describes it.

    Texts become encoded words.  An address that is not ASCII becomes `INVALID_ADDRESS`, with its name.  In
    a field of MIME, each character that is not ASCII becomes a question mark.  Other fields are left out.
    What is not valid UTF-8, such as the raw ISO 8859-1 of old programs, stays as it is.

    :param header: of a whole message, with or without the empty line after it.
    """
    pieces: list[bytes] = []
    at = 0
    for field in header_fields(header):
        raw = header[field.start : field.stop]
        if raw.isascii():
            continue
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            continue
        pieces += (header[at : field.start], _in_ascii(field, text))
        at = field.stop
        yield
    pieces.append(header[at:])
    return b"".join(pieces)


def _in_ascii(field: Field, text: str) -> bytes:
    name = field.name
    key = name.lower()
    if not name.isascii() or len(name) > _NAME:
        return b""
    if len(field.value) > SURROGATE_FIELD_LIMIT:
        return b"" if key in _ADDRESSES else _NOT_ASCII.sub("?", text).encode("ascii")
    if key in _ADDRESSES:
        return b"%b: %b\r\n" % (name, _addresses(field.value))
    if key in _TEXTS:
        value = decode_header(field.value, "utf-8")
        return b"%b: %b\r\n" % (name, encode_header(value, name.decode("ascii")))
    if key.startswith(b"content-"):
        return _NOT_ASCII.sub("?", text).encode("ascii")
    return b""


def _addresses(value: bytes) -> bytes:
    found = [_mailbox(each) for each in find_addresses(value) if each.host is not None]
    return b",\r\n ".join(found) or b"undisclosed-recipients:;"


def _mailbox(mailbox: Mailbox) -> bytes:
    name, local, host = mailbox.name or b"", mailbox.local or b"", mailbox.host or b""
    address = local + b"@" + host
    shown = decode_header(name, "utf-8")
    if not address.isascii():
        shown = shown or address.decode("utf-8", "replace")
        address = INVALID_ADDRESS
    elif not _PLAIN.fullmatch(local):
        address = b'"%b"@%b' % (_SPECIAL.sub(rb"\\\g<0>", local), host)
    if not shown:
        return b"<%b>" % address
    if shown.isascii() and shown.isprintable():
        return b'"%b" <%b>' % (_SPECIAL.sub(rb"\\\g<0>", shown.encode("ascii")), address)
    words = encoded_words(shown.encode("utf-8", "replace"), b"utf-8")
    return b"%b <%b>" % (b"\r\n ".join(words), address)


_PLAIN: Final = re.compile(rb"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~.]+")
_SPECIAL: Final = re.compile(rb'[\\"]')
