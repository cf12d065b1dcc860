"""Rendering ENVELOPE (RFC 9051 7.5.2, RFC 3501 7.4.2)."""

from __future__ import annotations

import re
from functools import lru_cache

from mailproto.message._addresses import ADDRESSES_LIMIT, address_steps, parse_addresses, plain_mailboxes
from mailproto.message._fields import REPEATS_LIMIT, Fields
from mailproto.message._ids import ids_text
from mailproto.message._quote import nstring_text, nstring_unfolded, string
from mailproto.message._steps import Steps

__all__ = ["ENVELOPE_LIMIT", "SHOWN_TEXT_LIMIT", "envelope_steps", "shown_text"]

ENVELOPE_LIMIT = 1 << 16
"""The most octets of an ENVELOPE; the addresses that are too many are not shown."""

SHOWN_TEXT_LIMIT = 4096
"""How many octets of a text, such as the subject, ENVELOPE and BODYSTRUCTURE show."""

_OFTEN = 255  # a bit mask: there is a pause after 256 addresses

_WORD_LIMIT = 100  # octets of an encoded word (RFC 2047 2 allows 75) that is not cut


def envelope_steps(fields: Fields, size: int) -> Steps[bytes]:
    """Render the value of ENVELOPE, parentheses included: at most `ENVELOPE_LIMIT` octets.

    If a field of text is repeated, the last one counts.  Repeated fields of addresses are joined.

    :param size: octets of the header.
    """
    get = fields.get
    if size <= SHOWN_TEXT_LIMIT and (size <= _FEW or _are_few(fields)):
        from_ = _addresses(get(b"from"), b"NIL")
        rendered = _rendered(
            (*_texts(fields), _ids(get(b"in-reply-to")), _ids(get(b"message-id"))),
            from_,
            _addresses(get(b"sender"), from_),
            _addresses(get(b"reply-to"), from_),
            _addresses(get(b"to"), b"NIL"),
            _addresses(get(b"cc"), b"NIL"),
            _addresses(get(b"bcc"), b"NIL"),
        )
        if len(rendered) <= ENVELOPE_LIMIT:
            return rendered
    answered = _ids(get(b"in-reply-to"))
    yield
    texts = *_texts(fields), answered, _ids(get(b"message-id"))
    lists = _Lists(ENVELOPE_LIMIT - len(_rendered(texts, *[b"NIL"] * 6)))
    from_ = yield from lists.render(get(b"from"), b"NIL")
    return _rendered(
        texts,
        from_,
        (yield from lists.render(get(b"sender"), from_)),
        (yield from lists.render(get(b"reply-to"), from_)),
        (yield from lists.render(get(b"to"), b"NIL")),
        (yield from lists.render(get(b"cc"), b"NIL")),
        (yield from lists.render(get(b"bcc"), b"NIL")),
    )


_FEW = 1024  # octets of addresses that are read in one step, whatever they are

_ADDRESS_FIELDS = (b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc")


def _are_few(fields: Fields) -> bool:
    octets = 0
    for name in _ADDRESS_FIELDS:
        for value in fields.get(name, ()):
            octets += len(value)
    return octets <= _FEW


def _texts(fields: Fields) -> tuple[bytes, bytes]:
    """The date and the subject."""
    get = fields.get
    return nstring_unfolded(_last(get(b"date"))), nstring_text(_last(get(b"subject")))


def _rendered(
    texts: tuple[bytes, bytes, bytes, bytes],
    from_: bytes,
    sender: bytes,
    reply_to: bytes,
    to: bytes,
    cc: bytes,
    bcc: bytes,
) -> bytes:
    date, subject, answered, message_id = texts
    return b"(%b %b %b %b %b %b %b %b %b %b)" % (
        date,
        subject,
        from_,
        sender,
        reply_to,
        to,
        cc,
        bcc,
        answered,
        message_id,
    )


def _addresses(values: list[bytes] | None, default: bytes) -> bytes:
    """A list of all addresses."""
    if not values:
        return default
    rendered = b"".join(
        [
            (_remembered if len(value) <= _REMEMBERED_OCTETS else _address_list)(value)
            for value in values[:REPEATS_LIMIT]
        ]
    )
    return b"(%b)" % rendered if rendered else default


def _address_list(value: bytes) -> bytes:
    plain = plain_mailboxes(value)
    if plain is not None:
        return b"".join(
            [
                b'(%b NIL "%b" "%b")'
                % (b'"%b"' % (quoted or name) if quoted or name else b"NIL", local or bare, host or bare_host)
                for quoted, name, local, host, bare, bare_host, _, _ in plain
            ]
        )
    return b"".join(
        [
            _ADDRESS
            % (
                b"NIL" if name is None else nstring_text(name),
                b"NIL" if route is None else string(route),
                b"NIL" if local is None else string(local),
                b"NIL" if host is None else string(host),
            )
            for name, route, local, host in parse_addresses(value)
        ]
    )


_REMEMBERED_OCTETS = 1 << 8

_remembered = lru_cache(1 << 11)(_address_list)
"""The latest fields: the same people write and receive again and again."""


_ADDRESS = b"(%b %b %b %b)"


class _Lists:
    """Renders the lists of addresses of one ENVELOPE.

    :ivar room: octets that may still be used.
    """

    def __init__(self, room: int) -> None:
        self.room = room

    def render(self, values: list[bytes] | None, default: bytes) -> Steps[bytes]:
        """A list of those addresses for which there is room; ``default`` if there is no address."""
        rendered: list[bytes] = []
        left = self.room - len(_GROUP_END) - 2
        is_group = False
        count = 0
        for value in values[:REPEATS_LIMIT] if values else ():
            if left < 0 or count > ADDRESSES_LIMIT:
                break
            yield
            found = yield from address_steps(value, min(left // len(_GROUP_END) + 1, ADDRESSES_LIMIT))
            for place, (name, route, local, host) in enumerate(found):
                if place & _OFTEN == _OFTEN:
                    yield
                text = _ADDRESS % (
                    b"NIL" if name is None else nstring_text(shown_text(name)),
                    b"NIL" if route is None else string(shown_text(route)),
                    b"NIL" if local is None else string(shown_text(local)),
                    b"NIL" if host is None else string(shown_text(host)),
                )
                left -= len(text)
                if left < 0:
                    break
                if host is None:
                    is_group = local is not None
                rendered.append(text)
            count += len(found)
        if left < 0 and is_group:
            rendered.append(_GROUP_END)
        shown = b"(%b)" % b"".join(rendered) if rendered else default
        if len(shown) > self.room:
            return b"NIL"
        self.room -= len(shown)
        return shown


_GROUP_END = _ADDRESS % ((b"NIL",) * 4)


def shown_text(value: bytes) -> bytes:
    """The beginning of ``value`` that is shown; no character and no encoded word of it is cut."""
    if len(value) <= SHOWN_TEXT_LIMIT:
        return value
    value = value[:SHOWN_TEXT_LIMIT]
    blank = max(value.rfind(b" "), value.rfind(b"\n"))
    if blank >= SHOWN_TEXT_LIMIT - _WORD_LIMIT:
        return value[:blank]
    return value.decode("utf-8", "ignore").encode() if _is_cut(value) else value


def _is_cut(value: bytes) -> bool:
    """Whether the octets are UTF-8, but for their end."""
    try:
        value.decode()
    except UnicodeDecodeError as error:
        return error.end == len(value) and error.start >= len(value) - 3
    return False


_is_plain_id = re.compile(rb"<[!#-'*-;=?-\[\]-~]{1,1000}>").fullmatch


def _ids(values: list[bytes] | None) -> bytes:
    if not values:
        return b"NIL"
    value = values[-1]
    return b'"%b"' % value if _is_plain_id(value) else string(ids_text(shown_text(value)))


def _last(values: list[bytes] | None) -> bytes | None:
    if not values:
        return None
    return values[-1] if len(values[-1]) <= SHOWN_TEXT_LIMIT else shown_text(values[-1])
