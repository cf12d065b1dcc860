"""The ENVELOPE that nearly all servers write, without literals and escapes: one regular expression reads it.

What it does not match is read token by token (`_fetch_items`), with the same result.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from mailproto.imap.client._structures import MessageEnvelope
from mailproto.imap.wire._values import text_of
from mailproto.message import NamedAddress, decode_header

__all__ = ["usual_envelope"]

# No possessive repetition of groups: before Python 3.11.5 it is wrong where the group goes back.
_STRING: Final = rb'(?:NIL|"[^"\\\x00]*+")'
_ADDRESS: Final = rb"\(" + rb" ".join([_STRING] * 4) + rb"\)"
_ADDRESSES: Final = rb"(?:NIL|\((?:" + _ADDRESS + rb" ?)+\))"
_BEFORE: Final = rb'\((?:[A-Za-z0-9.]++ (?:[0-9]++|\([^()"{]*+\)|"[^"\\\x00]*+") )*'
_USUAL: Final = re.compile(
    _BEFORE
    + rb"ENVELOPE \("
    + rb" ".join([rb"(%b)" % each for each in [_STRING] * 2 + [_ADDRESSES] * 6 + [_STRING] * 2])
    + rb"\)[ )]"
)
_EACH: Final = re.compile(rb"\((%b) %b (%b) (%b)\)" % ((_STRING,) * 4))
_USUAL_OCTETS: Final = 1 << 16
_KEPT: Final = 1000
_KEPT_OCTETS: Final = 500


def usual_envelope(text: bytes) -> MessageEnvelope | None:
    """The ENVELOPE in the text of a FETCH response; None if it is not in the usual form, or not there."""
    match = _USUAL.match(text) if len(text) <= _USUAL_OCTETS else None
    if match is None:
        return None
    date, subject, from_, sender, reply_to, to, cc, bcc, in_reply_to, message_id = match.groups()
    authors = _addresses(from_)
    return MessageEnvelope(
        _text(date),
        "" if subject == b"NIL" else decode_header(subject[1:-1]),
        authors,
        authors if sender == from_ else _addresses(sender),
        authors if reply_to == from_ else _addresses(reply_to),
        _addresses(to),
        _addresses(cc),
        _addresses(bcc),
        _text(in_reply_to),
        _text(message_id),
    )


def _text(octets: bytes) -> str:
    if octets == b"NIL":
        return ""
    try:
        return octets[1:-1].decode()
    except UnicodeDecodeError:
        return text_of(octets[1:-1])


def _addresses(octets: bytes) -> tuple[NamedAddress, ...]:
    if octets == b"NIL":
        return ()
    if len(octets) > _KEPT_OCTETS:
        people = [_read(name, local, host) for name, local, host in _EACH.findall(octets)]
    else:
        people = [_known(name, local, host) for name, local, host in _EACH.findall(octets)]
    return tuple([person for person in people if person is not None])


def _read(name: bytes, local: bytes, host: bytes) -> NamedAddress | None:
    """An address; None for the begin or the end of a group, and for what is no address."""
    at = _text(local)
    if not at or host == b"NIL":
        return None
    domain = _text(host)
    if name == b"NIL":
        shown = ""
    elif len(name) <= _KEPT_OCTETS:
        shown = _name(name[1:-1])
    else:
        shown = decode_header(name[1:-1]).strip()
    return NamedAddress(shown, f"{at}@{domain}" if domain else at)


@lru_cache(_KEPT)
def _name(octets: bytes) -> str:
    return decode_header(octets).strip()


_known = lru_cache(_KEPT)(_read)
"""People write to each other again and again; this keeps some hundred KB, and at most some MB."""
