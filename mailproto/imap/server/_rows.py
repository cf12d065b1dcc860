"""FETCH responses: the list of items is compiled once, and then renders many messages at a time.

Values that are stored ready to send (ENVELOPE, BODYSTRUCTURE) and numbers go through one
template, a column at a time, so that a message costs one ``%``.  What has to be made for each message is
not here: its sections, and BODY (`mailproto.imap.server._sections`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from mailproto.imap.server._reading import OCTETS_AT_ONCE
from mailproto.imap.server._view import MailboxView
from mailproto.imap.wire import FetchAttribute, FetchItem, FetchSection, internal_date
from mailproto.message import Section
from mailproto.model import MessageInfo, Part

__all__ = ["Batch", "RowPlan", "compile_items"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Some messages in parallel sequences: their indexes in the view, and what was read of them."""

    view: MailboxView
    indexes: Sequence[int]
    infos: Sequence[MessageInfo]


Column = Callable[[Batch], Sequence[Any]]


def _uids(batch: Batch) -> Sequence[Any]:
    uids = batch.view.uids
    return [uids[at] for at in batch.indexes]


def _flags(batch: Batch) -> Sequence[Any]:
    return batch.view.flags_at(batch.indexes)


def _internal_dates(batch: Batch) -> Sequence[Any]:
    return [internal_date(info.internal_date or 0) for info in batch.infos]


def _sizes(batch: Batch) -> Sequence[Any]:
    return [info.size for info in batch.infos]


def _envelopes(batch: Batch) -> Sequence[Any]:
    return [info.envelope for info in batch.infos]


def _body_structures(batch: Batch) -> Sequence[Any]:
    return [info.body_structure for info in batch.infos]


_ATTRIBUTES: dict[str, tuple[bytes, Column, Part]] = {
    "UID": (b"UID %d", _uids, Part(0)),
    "FLAGS": (b"FLAGS %b", _flags, Part(0)),
    "INTERNALDATE": (b"INTERNALDATE %b", _internal_dates, Part.INTERNAL_DATE),
    "RFC822.SIZE": (b"RFC822.SIZE %d", _sizes, Part.SIZE),
    "ENVELOPE": (b"ENVELOPE %b", _envelopes, Part.ENVELOPE),
    "BODYSTRUCTURE": (b"BODYSTRUCTURE %b", _body_structures, Part.BODY_STRUCTURE),
}

_LONG: tuple[Column, ...] = (_flags, _envelopes, _body_structures)
"""The columns whose values may have many octets."""


@dataclass(frozen=True, slots=True)
class RowPlan:
    """What to read of each message, and how to render it.

    :ivar parts: what is to be read of each message.
    :ivar sections: the items that are octets of the message.
    :ivar body: whether BODY is among the items.
    :ivar marks_seen: whether fetching sets ``\\Seen`` (RFC 9051 6.4.5, BODY[...]).
    :ivar shows_flags: whether FLAGS is among the items.
    :ivar template: the other items, separated by spaces, with a place for each column's value.
    """

    parts: Part
    sections: tuple[FetchSection, ...]
    body: bool
    marks_seen: bool
    shows_flags: bool
    template: bytes
    columns: tuple[Column, ...]

    @property
    def whole(self) -> FetchSection | None:
        """The item ``BODY[]``, if it is the only section and not partial, as in most clients' FETCH."""
        [item] = self.sections if len(self.sections) == 1 else [None]
        if item is None or item.section != Section() or item.partial is not None:
            return None
        return item

    @property
    def is_rows(self) -> bool:
        """Whether `render` renders everything."""
        return not self.sections and not self.body

    def render(self, batch: Batch) -> Iterator[bytes]:
        """``* n FETCH (...)`` with CRLF for each message, if `is_rows`; in pieces, mostly one."""
        columns = [column(batch) for column in self.columns]
        rows = self._rows(b"* %%d FETCH (%b)\r\n" % self.template, batch, columns)
        if len(batch.indexes) == 1:
            yield next(rows)
            return
        long = chain(*(column for column, of in zip(columns, self.columns, strict=True) if of in _LONG))
        if sum(map(len, long)) < OCTETS_AT_ONCE:
            yield b"".join(rows)
            return
        some: list[bytes] = []
        size = 0
        for row in rows:
            some.append(row)
            size += len(row)
            if size >= OCTETS_AT_ONCE:
                yield b"".join(some)
                some.clear()
                size = 0
        yield b"".join(some)

    def begin(self, batch: Batch) -> Iterator[bytes]:
        """The beginning of each message's response, up to what is not a row."""
        template = b"* %d FETCH (" + (self.template + b" " if self.columns else b"")
        return self._rows(template, batch, [column(batch) for column in self.columns])

    def _rows(self, template: bytes, batch: Batch, columns: Sequence[Sequence[Any]]) -> Iterator[bytes]:
        numbers = [at + 1 for at in batch.indexes]
        return (template % row for row in zip(numbers, *columns, strict=True))


def compile_items(items: Sequence[FetchItem], *, uid: bool) -> RowPlan:
    """Make the plan for these items.

    :param uid: whether the response must have the UID (RFC 9051 6.4.9).
    """
    names = [item.name for item in items if isinstance(item, FetchAttribute)]
    if uid and "UID" not in names:
        names.insert(0, "UID")
    attributes = [_ATTRIBUTES[name] for name in names if name != "BODY"]
    sections = tuple(item for item in items if isinstance(item, FetchSection))
    parts = Part(0)
    for _, _, part in attributes:
        parts |= part
    if "BODY" in names:
        parts |= Part.CONTENT | Part.OFFSETS
    for item in sections:
        parts |= Part.CONTENT
        if item.section.part or item.section.text:
            parts |= Part.OFFSETS
    return RowPlan(
        parts=parts,
        sections=sections,
        body="BODY" in names,
        marks_seen=any(not item.peek for item in sections),
        shows_flags="FLAGS" in names,
        template=b" ".join([template for template, _, _ in attributes]),
        columns=tuple(column for _, column, _ in attributes),
    )
