"""BINARY (RFC 3516): parts of messages without their transfer encoding, and APPEND of binary ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from mailproto.content import Content
from mailproto.imap.server._append import spooled
from mailproto.imap.server._errors import RefusedWithCode
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._in_lines import in_lines
from mailproto.imap.server._options import AppendData
from mailproto.imap.server._roles import Sink
from mailproto.imap.server._sections import Extract, FetchedMessage, FetchPiece, Octets
from mailproto.imap.server._session import Session
from mailproto.imap.wire import (
    ArgumentReader,
    FetchItem,
    FetchSection,
    IMAPWireError,
    Steps,
    Upload,
    grammars,
)
from mailproto.message import Index, UnknownEncoding, binary
from mailproto.message import Steps as Work
from mailproto.model import Part

__all__ = ["EXTENSION", "Decoded", "decoded", "unknown_encoding"]

_REST = re.compile(rb"<([0-9]{1,18})>")
"""A partial without a length, as in URLs; the RFC has none, and clients send it."""

_NO_LENGTH = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class BinaryItem(FetchItem):
    """``BINARY[...]``.

    :ivar section: what ``BODY[...]`` would be.
    """

    section: FetchSection


@dataclass(frozen=True, slots=True)
class BinarySize(FetchItem):
    """``BINARY.SIZE[...]``."""

    section: FetchSection


def _binary(arguments: ArgumentReader) -> BinaryItem:
    return BinaryItem(_section(grammars.body(arguments), arguments))


def _binary_peek(arguments: ArgumentReader) -> BinaryItem:
    return BinaryItem(_section(grammars.body_peek(arguments), arguments))


def _section(section: FetchSection, arguments: ArgumentReader) -> FetchSection:
    label = section.label.replace(b"BODY", b"BINARY", 1)
    if section.partial is None and (rest := arguments.match(_REST)):
        return replace(section, label=label + rest[0], partial=(int(rest[1]), _NO_LENGTH))
    return replace(section, label=label)


def _size(arguments: ArgumentReader) -> BinarySize:
    section = grammars.body_peek(arguments)
    if section.partial is not None:
        raise IMAPWireError("BINARY.SIZE is never partial")
    return BinarySize(replace(section, label=section.label.replace(b"BODY", b"BINARY.SIZE", 1)))


class Decoded:
    """The decoded octets of a part, read from the beginning to the end (`Octets`).

    :ivar length: how many they are.
    :ivar has_nul: whether a NUL is among them.
    :ivar is_ascii: whether none is above 127.
    """

    __slots__ = ("_at", "_content", "_index", "_left", "_path", "_pieces", "has_nul", "is_ascii", "length")

    def __init__(self, message: FetchedMessage, index: Index, path: tuple[int, ...]) -> None:
        self._content = message.content
        self._index = index
        self._path = path
        self.length = 0
        self.has_nul = False
        self.is_ascii = True
        self._rewind()

    def _rewind(self) -> None:
        self._pieces = binary(self._content, self._index, self._path) or iter(())
        self._left = b""
        self._at = 0

    def measure_steps(self) -> Work[None]:
        """Find out the length."""
        for piece in self._pieces:
            self.length += len(piece)
            self.has_nul = self.has_nul or b"\0" in piece
            self.is_ascii = self.is_ascii and piece.isascii()
            yield
        self._rewind()

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """See `Octets`; what is before ``start`` is decoded and dropped."""
        stop = self.length if stop is None else min(stop, self.length)
        if start < self._at:
            self._rewind()
        while self._at < stop:
            piece = self._left or next(self._pieces, None)
            if piece is None:
                return
            skipped = min(max(start - self._at, 0), len(piece))
            wanted = piece[skipped : max(stop - self._at, skipped)]
            used = skipped + len(wanted)
            self._at += used
            self._left = piece[used:]
            yield wanted


async def decoded(message: FetchedMessage, section: FetchSection) -> tuple[Octets, int, bool] | None:
    """The octets of a section without transfer encoding, how many they are, and whether a NUL is among them.

    :returns: None if there is no such part.
    :raises UnknownEncoding: the encoding cannot be decoded.
    """
    wanted = section.section
    if wanted.text or not wanted.part:
        octets = await message.section(wanted)
        return None if octets is None else (octets, len(octets), False)
    index = await message.index()
    if index.find(wanted.part) is None:
        return None
    found = Decoded(message, index, wanted.part)
    await message.in_turns(found.measure_steps())
    return found, found.length, found.has_nul


def unknown_encoding(error: UnknownEncoding) -> RefusedWithCode:
    """The refusal of parts that cannot be decoded (RFC 3516 4.3)."""
    return RefusedWithCode("UNKNOWN-CTE", "Some of the parts have an unknown transfer encoding")


async def _render(message: FetchedMessage, item: BinaryItem) -> bytes | Extract | None:
    section = item.section
    try:
        found = await decoded(message, section)
    except UnknownEncoding as error:
        message.failure = unknown_encoding(error)
        return None
    if found is None:
        return section.label + b" NIL"
    octets, length, has_nul = found
    start, stop = 0, length
    if section.partial is not None:
        origin, count = section.partial
        start, stop = min(origin, length), min(origin + count, length)
    mark = b"~" if has_nul else b""
    return Extract(b"%b %b{%d}\r\n" % (section.label, mark, stop - start), octets, start, stop)


async def _render_size(message: FetchedMessage, item: BinarySize) -> bytes | None:
    try:
        found = await decoded(message, item.section)
    except UnknownEncoding as error:
        message.failure = unknown_encoding(error)
        return None
    return b"%b %d" % (item.section.label, 0 if found is None else found[1])


@dataclass(frozen=True, slots=True)
class BinaryLiteral:
    """A message that may have NULs."""

    size: int


def _read(arguments: ArgumentReader) -> Steps[BinaryLiteral]:
    """The ``{n}`` of a literal8, after its ``~``."""
    size, _ = arguments.announced_here()
    yield Upload(None, size, True)
    return BinaryLiteral(size)


async def _compose(session: Session, data: BinaryLiteral, uploads: Iterator[Sink]) -> Content:
    return await in_lines(session, spooled(uploads))


_PARTS = Part.CONTENT | Part.OFFSETS

EXTENSION = Extension(
    "BINARY",
    capabilities=("BINARY",),
    fetch_pieces=(
        FetchPiece(
            BinaryItem,
            lambda item: _PARTS,
            _render,
            readers={b"BINARY[": _binary, b"BINARY.PEEK[": _binary_peek},
            marks_seen=lambda item: not item.section.peek,
        ),
        FetchPiece(BinarySize, lambda item: _PARTS, _render_size, readers={b"BINARY.SIZE[": _size}),
    ),
    append_data=(AppendData(BinaryLiteral, "~", _read, _compose),),
)
