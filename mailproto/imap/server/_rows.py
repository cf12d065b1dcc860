"""FETCH responses: the list of items is compiled once, and then renders many messages at a time.

Values that are stored ready to send (ENVELOPE, BODYSTRUCTURE) and numbers go through one
template, a column at a time, so that a message costs one ``%``.  What has to be made for each message is
not here: its sections, and BODY (`mailproto.imap.server._sections`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from mailproto.imap.server._reading import OCTETS_AT_ONCE
from mailproto.imap.server._sections import FetchPiece, Pieces
from mailproto.imap.server._view import MailboxView
from mailproto.imap.wire import FetchAttribute, FetchItem, FetchSection, internal_date
from mailproto.message import Section
from mailproto.model import MessageInfo, Part

__all__ = ["COLUMNS", "Batch", "Column", "FetchColumn", "RowPlan", "compile_items"]


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
    return [internal_date(info.internal_date or 0, info.zone or 0) for info in batch.infos]


def _sizes(batch: Batch) -> Sequence[Any]:
    return [info.size for info in batch.infos]


def _envelopes(batch: Batch) -> Sequence[Any]:
    return [info.envelope for info in batch.infos]


def _body_structures(batch: Batch) -> Sequence[Any]:
    return [info.body_structure for info in batch.infos]


_NOTHING = Part(0)


@dataclass(frozen=True, slots=True)
class FetchColumn:
    """An item of FETCH whose values are there for many messages at a time, such as FLAGS.

    :ivar name: the item's, in upper case.
    :ivar template: the item in the response, with a place for the value: ``b"UID %d"``.
    :ivar values: gives the value for each message of a batch.
    :ivar parts: what is to be read of the messages.
    :ivar is_long: whether values may have many octets.
    """

    name: str
    template: bytes
    values: Column
    parts: Part = _NOTHING
    is_long: bool = False


COLUMNS: Sequence[FetchColumn] = (
    FetchColumn("UID", b"UID %d", _uids),
    FetchColumn("FLAGS", b"FLAGS %b", _flags, is_long=True),
    FetchColumn("INTERNALDATE", b"INTERNALDATE %b", _internal_dates, Part.INTERNAL_DATE),
    FetchColumn("RFC822.SIZE", b"RFC822.SIZE %d", _sizes, Part.SIZE),
    FetchColumn("ENVELOPE", b"ENVELOPE %b", _envelopes, Part.ENVELOPE, is_long=True),
    FetchColumn("BODYSTRUCTURE", b"BODYSTRUCTURE %b", _body_structures, Part.BODY_STRUCTURE, is_long=True),
)
"""The items of RFC 3501 that are columns."""


@dataclass(frozen=True, slots=True)
class RowPlan:
    """What to read of each message, and how to render it.

    :ivar parts: what is to be read of each message.
    :ivar pieces: the items that have to be made for each message, with what makes them.
    :ivar marks_seen: whether fetching sets ``\\Seen`` (RFC 9051 6.4.5, BODY[...]).
    :ivar names: of the other items.
    :ivar template: the other items, separated by spaces, with a place for each column's value.
    :ivar uids_only: whether messages have no numbers (RFC 9586).
    """

    parts: Part
    pieces: Pieces
    marks_seen: bool
    names: frozenset[str]
    template: bytes
    columns: tuple[FetchColumn, ...]
    uids_only: bool = False

    @property
    def shows_flags(self) -> bool:
        """Whether FLAGS is among the items."""
        return "FLAGS" in self.names

    @property
    def whole(self) -> FetchSection | None:
        """The item ``BODY[]``, if it is the only section and not partial, as in most clients' FETCH."""
        if len(self.pieces) != 1:
            return None
        [(item, _)] = self.pieces
        if isinstance(item, FetchSection) and item.section == Section() and item.partial is None:
            return item
        return None

    @property
    def is_rows(self) -> bool:
        """Whether `render` renders everything."""
        return not self.pieces

    @property
    def _begin(self) -> bytes:
        return b"* %d UIDFETCH (" if self.uids_only else b"* %d FETCH ("

    def render(self, batch: Batch) -> Iterator[bytes]:
        """``* n FETCH (...)`` with CRLF for each message, if `is_rows`; in pieces, mostly one."""
        columns = [column.values(batch) for column in self.columns]
        rows = self._rows(self._begin + self.template + b")\r\n", batch, columns)
        if len(batch.indexes) == 1:
            yield next(rows)
            return
        long = chain(*(column for column, of in zip(columns, self.columns, strict=True) if of.is_long))
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
        template = self._begin + (self.template + b" " if self.columns else b"")
        return self._rows(template, batch, [column.values(batch) for column in self.columns])

    def _rows(self, template: bytes, batch: Batch, columns: Sequence[Sequence[Any]]) -> Iterator[bytes]:
        numbers = _uids(batch) if self.uids_only else [at + 1 for at in batch.indexes]
        return (template % row for row in zip(numbers, *columns, strict=True))


def compile_items(
    items: Sequence[FetchItem],
    columns: Mapping[str, FetchColumn],
    pieces: Mapping[type[FetchItem], FetchPiece[Any]],
    *,
    uid: bool,
    uids_only: bool = False,
) -> RowPlan:
    """Make the plan for these items.

    :param columns: those that the server knows, by name.
    :param pieces: those that the server knows, by the class of their items.
    :param uid: whether the response must have the UID (RFC 9051 6.4.9).
    :param uids_only: see `RowPlan`.
    """
    names: list[str] = []
    others: list[tuple[FetchItem, FetchPiece[Any]]] = []
    for item in items:
        if isinstance(item, FetchAttribute) and item.name in columns:
            names.append(item.name)
        else:
            others.append((item, pieces[type(item)]))
    if uid and "UID" not in names and not uids_only:
        names.insert(0, "UID")
    chosen = [columns[name] for name in names]
    parts = Part(0)
    for column in chosen:
        parts |= column.parts
    for item, piece in others:
        parts |= piece.parts(item)
    if others and not parts:
        parts = Part.SIZE  # something, to find out which messages there are
    return RowPlan(
        parts=parts,
        pieces=tuple(others),
        marks_seen=any(piece.marks_seen(item) for item, piece in others),
        names=frozenset(names),
        template=b" ".join([column.template for column in chosen]),
        columns=tuple(chosen),
        uids_only=uids_only,
    )
