"""Rendering ENVELOPE (RFC 9051 7.5.2, RFC 3501 7.4.2)."""

from __future__ import annotations

from mailproto.message._addresses import parse_addresses
from mailproto.message._fields import REPEATS_LIMIT, Fields
from mailproto.message._ids import ids_text
from mailproto.message._quote import nstring_text, nstring_unfolded, string

__all__ = ["render_envelope"]


def render_envelope(fields: Fields) -> bytes:
    """Render the value of ENVELOPE, parentheses included.

    If a field of text is repeated, the last one counts.  Repeated fields of addresses are joined.
    """
    get = fields.get
    sender_of_all = _addresses(get(b"from"))
    return b"(%b %b %b %b %b %b %b %b %b %b)" % (
        nstring_unfolded(_last(get(b"date"))),
        nstring_text(_last(get(b"subject"))),
        sender_of_all,
        _addresses(get(b"sender"), sender_of_all),
        _addresses(get(b"reply-to"), sender_of_all),
        _addresses(get(b"to")),
        _addresses(get(b"cc")),
        _addresses(get(b"bcc")),
        _ids(get(b"in-reply-to")),
        _ids(get(b"message-id")),
    )


def _ids(values: list[bytes] | None) -> bytes:
    return string(ids_text(values[-1])) if values else b"NIL"


def _last(values: list[bytes] | None) -> bytes | None:
    return values[-1] if values else None


def _addresses(values: list[bytes] | None, default: bytes = b"NIL") -> bytes:
    if not values:
        return default
    rendered = [
        b"(%b %b %b %b)"
        % (
            b"NIL" if name is None else nstring_text(name),
            b"NIL" if route is None else string(route),
            b"NIL" if local is None else string(local),
            b"NIL" if host is None else string(host),
        )
        for value in values[:REPEATS_LIMIT]
        for name, route, local, host in parse_addresses(value)
    ]
    return b"(%b)" % b"".join(rendered) if rendered else default
