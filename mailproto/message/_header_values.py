"""A message's header values, made once and stored, for SEARCH, SORT and THREAD."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from mailproto.content import Octets
from mailproto.message._casemap import casemap
from mailproto.message._fields import FIELD_LIMIT, chosen_fields
from mailproto.message._index import Index
from mailproto.message._plain_values import (
    PLAIN_HEADER,
    SHOWN,
    ancestors_hash,
    field_names,
    id_hash,
    plain_values,
)
from mailproto.message._search import Searchable
from mailproto.message._steps import Steps, finish
from mailproto.message._thread import base_subject_and_reply, display_name, sort_mailbox

__all__ = ["FINDING_VERSION", "HeaderValues", "header_values", "header_values_steps", "plain_header_values"]

FINDING_VERSION = 2
"""Increased whenever `header_values` or `search_texts` change; stores then make them anew."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class HeaderValues(NamedTuple):
    """What SEARCH, SORT and THREAD need of a message's header.

    Texts for SEARCH have a line for each value, decoded and mapped as in `Searchable`, and are None if there
    is no such field.  Texts for SORT are mapped by `casemap`, so that they are compared by code points
    (RFC 5051); "" if there is nothing to compare.

    :ivar from_: for SEARCH FROM: the fields, and the names and addresses in them; so are ``to``, ``cc``
        and ``bcc``.
    :ivar subject: for SEARCH SUBJECT.
    :ivar message_id: for SEARCH HEADER Message-ID.
    :ivar day: of the Date field, in its own zone: ``date.toordinal()``; None if there is no valid one.
    :ivar sent: the sent date in seconds since the epoch; None if INTERNALDATE counts (RFC 5256 2.2).
    :ivar base_subject: for SORT and THREAD (RFC 5256 2.1).
    :ivar is_reply: whether the subject is that of a reply or forward.
    :ivar sort_from: the local part of the first address; also ``sort_to``, ``sort_cc``.
    :ivar display_from: the key of DISPLAYFROM (RFC 5957); also ``display_to``.
    :ivar id: 63 bits of a hash of the Message-ID; 0 if there is none.
    :ivar references: such hashes of its ancestors, the oldest first, 8 octets each.
    """

    from_: str | None
    to: str | None
    cc: str | None
    bcc: str | None
    subject: str | None
    message_id: str | None
    day: int | None
    sent: int | None
    base_subject: str
    is_reply: bool
    sort_from: str
    sort_to: str
    sort_cc: str
    display_from: str
    display_to: str
    id: int
    references: bytes


def header_values(content: Octets, index: Index) -> HeaderValues:
    """Read the header of ``content``; any octets have values."""
    return finish(header_values_steps(content, index))


def header_values_steps(content: Octets, index: Index) -> Steps[HeaderValues]:
    """As `header_values`, in steps."""
    root = index.root
    if root.body - root.header <= PLAIN_HEADER:
        plain = plain_values(root.fields(content), HeaderValues._fields)
        if plain is not None:
            return HeaderValues._make(plain)
    searched = Searchable(content, index)
    from_ = yield from searched.address_values_steps(b"from")
    to = yield from searched.address_values_steps(b"to")
    cc = yield from searched.address_values_steps(b"cc")
    bcc = yield from searched.address_values_steps(b"bcc")
    subject = yield from searched.values_steps(b"subject")
    ids = yield from searched.values_steps(b"message-id")
    yield
    date = searched.sent()
    fields = index.root.fields(content)
    first = {name: values[0][:FIELD_LIMIT] for name, values in fields.items() if values}
    base, is_reply = base_subject_and_reply(fields[b"subject"][-1]) if b"subject" in fields else ("", False)
    yield
    froms, tos, ccs = (first.get(name) for name in (b"from", b"to", b"cc"))
    sort_from, sort_to, sort_cc = (_key(sort_mailbox(value)) for value in (froms, tos, ccs))
    yield
    display_from, display_to = (_key(display_name(value)) for value in (froms, tos))
    yield
    return HeaderValues(
        from_,
        to,
        cc,
        bcc,
        subject,
        ids,
        None if date is None else date.date().toordinal(),
        None if date is None else int((date - _EPOCH).total_seconds()),
        casemap(base),
        is_reply,
        sort_from,
        sort_to,
        sort_cc,
        display_from,
        display_to,
        id_hash(fields),
        ancestors_hash(fields),
    )


def plain_header_values(octets: bytes, header: int, body: int, names: Sequence[str]) -> list[Any] | None:
    """Some of the values of a message, from its header alone; None if `header_values` must read it.

    :param octets: the beginning of the message.
    :param header: where its header begins, and ``body``, where it ends (`Part`).
    :param names: fields of `HeaderValues`.
    """
    if body - header > PLAIN_HEADER or body > len(octets):
        return None
    return plain_values(chosen_fields(octets, header, body, field_names(tuple(names))), names)


def _key(text: str) -> str:
    return casemap(text[:SHOWN])
