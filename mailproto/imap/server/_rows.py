"""FETCH responses: the list of items is compiled once, and then renders many messages at a time.

Values that are stored ready to send (ENVELOPE, BODYSTRUCTURE) and numbers go through one
template, a column at a time, so that a message costs one ``%``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mailproto.content import unwrapped
from mailproto.imap.server._view import MailboxView
from mailproto.imap.wire import FetchAttribute, FetchItem, FetchSection, internal_date
from mailproto.message import Index, Section, body
from mailproto.model import MessageInfo, Part

__all__ = ["Batch", "RowPlan", "compile_items"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Some messages in parallel sequences: their indexes in the view, and what was read of them."""

    view: MailboxView
    indexes: Sequence[int]
    infos: Sequence[MessageInfo]


Column = Callable[[Batch], Iterable[Any]]


def _uids(batch: Batch) -> Iterable[Any]:
    uids = batch.view.uids
    return [uids[at] for at in batch.indexes]


def _flags(batch: Batch) -> Iterable[Any]:
    return batch.view.flags_at(batch.indexes)


def _internal_dates(batch: Batch) -> Iterable[Any]:
    return [internal_date(info.internal_date or 0) for info in batch.infos]


def _sizes(batch: Batch) -> Iterable[Any]:
    return [info.size for info in batch.infos]


def _envelopes(batch: Batch) -> Iterable[Any]:
    return [info.envelope for info in batch.infos]


def _body_structures(batch: Batch) -> Iterable[Any]:
    return [info.body_structure for info in batch.infos]


def _bodies(batch: Batch) -> Iterable[Any]:
    return [body(unwrapped(info.content), Index.load(info.offsets or b"")) for info in batch.infos]


_ATTRIBUTES: dict[str, tuple[bytes, Column, Part]] = {
    "UID": (b"UID %d", _uids, Part(0)),
    "FLAGS": (b"FLAGS %b", _flags, Part(0)),
    "INTERNALDATE": (b"INTERNALDATE %b", _internal_dates, Part.INTERNAL_DATE),
    "RFC822.SIZE": (b"RFC822.SIZE %d", _sizes, Part.SIZE),
    "ENVELOPE": (b"ENVELOPE %b", _envelopes, Part.ENVELOPE),
    "BODYSTRUCTURE": (b"BODYSTRUCTURE %b", _body_structures, Part.BODY_STRUCTURE),
    "BODY": (b"BODY %b", _bodies, Part.OFFSETS | Part.CONTENT),
}


@dataclass(frozen=True, slots=True)
class RowPlan:
    """What to read of each message, and how to render it.

    :ivar parts: what is to be read of each message.
    :ivar sections: the items that are octets of the message; `render` leaves them out.
    :ivar marks_seen: whether fetching sets ``\\Seen`` (RFC 9051 6.4.5, BODY[...]).
    :ivar shows_flags: whether FLAGS is among the items.
    :ivar template: the other items, separated by spaces, with a place for each column's value.
    """

    parts: Part
    sections: tuple[FetchSection, ...]
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

    def render(self, batch: Batch) -> list[bytes]:
        """``* n FETCH (...)`` with CRLF for each message, if there are no `sections`."""
        template = b"* %%d FETCH (%b)\r\n" % self.template
        return self._fill(template, batch)

    def begin(self, batch: Batch) -> list[bytes]:
        """The beginning of each message's response, up to its sections."""
        template = b"* %d FETCH (" + (self.template + b" " if self.columns else b"")
        return self._fill(template, batch)

    def _fill(self, template: bytes, batch: Batch) -> list[bytes]:
        numbers = [at + 1 for at in batch.indexes]
        columns = [column(batch) for column in self.columns]
        return [template % row for row in zip(numbers, *columns, strict=True)]


def compile_items(items: Sequence[FetchItem], *, uid: bool) -> RowPlan:
    """Make the plan for these items.

    :param uid: whether the response must have the UID (RFC 9051 6.4.9).
    """
    names = [item.name for item in items if isinstance(item, FetchAttribute)]
    if uid and "UID" not in names:
        names.insert(0, "UID")
    attributes = [_ATTRIBUTES[name] for name in names]
    sections = tuple(item for item in items if isinstance(item, FetchSection))
    parts = Part(0)
    for _, _, part in attributes:
        parts |= part
    for item in sections:
        parts |= Part.CONTENT
        if item.section.part or item.section.text:
            parts |= Part.OFFSETS
    return RowPlan(
        parts=parts,
        sections=sections,
        marks_seen=any(not item.peek for item in sections),
        shows_flags="FLAGS" in names,
        template=b" ".join([template for template, _, _ in attributes]),
        columns=tuple(column for _, column, _ in attributes),
    )
