"""Finding sections of a message (RFC 9051 6.4.5.1, RFC 3501 6.4.5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from mailproto.content import CHUNK, Octets, chunks
from mailproto.message._fields import HEADER_LIMIT, field_ranges
from mailproto.message._index import Index
from mailproto.message._scan import MESSAGE, Part
from mailproto.message._steps import Steps, finish

__all__ = ["Section", "Sections", "Slices", "section", "top", "top_steps"]


@dataclass(frozen=True, slots=True)
class Section:
    """A section, as in the brackets of ``BODY[...]``.

    :ivar part: part numbers; empty for the whole message.
    :ivar text: "", "HEADER", "TEXT", "MIME", "HEADER.FIELDS" or "HEADER.FIELDS.NOT".
    :ivar fields: names of header fields, in any case; only for the last two.
    """

    part: tuple[int, ...] = ()
    text: str = ""
    fields: tuple[bytes, ...] = ()


class Slices:
    """Some octets of a content, in order; they are copied only when they are read.

    :ivar ranges: ``(start, stop)`` offsets into ``content``.
    :ivar tail: octets after these ranges, which are not in ``content``.
    :ivar head: octets before these ranges.
    """

    __slots__ = ("_length", "content", "head", "ranges", "tail")

    def __init__(
        self, content: Octets, ranges: tuple[tuple[int, int], ...], tail: bytes = b"", head: bytes = b""
    ) -> None:
        self.content = content
        self.ranges = ranges
        self.tail = tail
        self.head = head
        self._length = len(head) + sum(stop - start for start, stop in ranges) + len(tail)

    def __len__(self) -> int:
        return self._length

    def __bytes__(self) -> bytes:
        return b"".join(self.chunks())

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The octets ``[start:stop]`` of these octets, in pieces, as far as they exist."""
        stop = self._length if stop is None else min(stop, self._length)
        if piece := self.head[start:stop]:
            yield piece
        skipped = len(self.head)
        for first, last in self.ranges:
            length = last - first
            low, high = max(start - skipped, 0), min(stop - skipped, length)
            if low < high:
                yield from chunks(self.content, first + low, first + high)
            skipped += length
        if piece := self.tail[max(start - skipped, 0) : max(stop - skipped, 0)]:
            yield piece


def section(content: Octets, index: Index, wanted: Section) -> Slices | None:
    """The octets of a section of ``content``; None if the message has no such part."""
    return Sections(content, index).find(wanted)


class Sections:
    """Finds sections of one message, as `section` does; a header is read once for many of its fields."""

    __slots__ = ("_content", "_header", "_index")

    def __init__(self, content: Octets, index: Index) -> None:
        self._content = content
        self._index = index
        self._header: _Header | None = None  # the latest one

    def find(self, wanted: Section) -> Slices | None:
        """The octets of a section; None if the message has no such part."""
        found = self._find(wanted)
        return finish(self._fields_steps(found, wanted)) if isinstance(found, Part) else found

    def find_steps(self, wanted: Section) -> Steps[Slices | None]:
        """As `find`, in steps; only the fields of a header take long."""
        found = self._find(wanted)
        return (yield from self._fields_steps(found, wanted)) if isinstance(found, Part) else found

    def _find(self, wanted: Section) -> Slices | Part | None:
        """A section; or the part of whose header some fields are wanted."""
        content = self._content
        part = self._index.find(wanted.part)
        text = wanted.text
        if part is None:
            return None
        if text == "MIME":
            return Slices(content, ((part.header, part.body),)) if wanted.part else None
        if wanted.part:
            if not text:
                return Slices(content, ((part.body, part.end),))
            if part.kind != MESSAGE:
                return None
            part = part.children[0]
        if not text:
            return Slices(content, ((part.header, part.end),))
        if text == "HEADER":
            return Slices(content, ((part.header, part.body),))
        if text == "TEXT":
            return Slices(content, ((part.body, part.end),))
        return part

    def _fields_steps(self, part: Part, wanted: Section) -> Steps[Slices]:
        header = self._header
        if header is None or header.part is not part:
            header = self._header = _Header(self._content, part)
            yield from header.read_steps()
        return header.some_fields(wanted.fields, unless=wanted.text == "HEADER.FIELDS.NOT")


_OFTEN = 1000
"""Fields between two pauses."""


class _Header:
    """The fields of one header block; beyond the limits of `field_ranges`, nothing is a field."""

    __slots__ = ("_begin", "_block", "_content", "_end", "_fields", "part")

    def __init__(self, content: Octets, part: Part) -> None:
        self.part = part
        self._content = content
        self._end = part.body - _empty_line(content, part)
        # With the octet before it: only at the start of a message, a byte order mark is left out.
        self._begin = max(part.header - 1, 0)
        self._block = content[self._begin : min(self._end, part.header + HEADER_LIMIT)]
        self._fields: list[tuple[bytes, int, int]] = []

    def read_steps(self) -> Steps[None]:
        """Read the fields."""
        found = field_ranges(self._block, self.part.header - self._begin)
        while True:
            some = list(islice(found, _OFTEN))
            self._fields += some
            if len(some) < _OFTEN:
                return
            yield

    def some_fields(self, names: tuple[bytes, ...], *, unless: bool) -> Slices:
        """The named fields, or all other lines if ``unless``; and the empty line, if there is one."""
        part, block = self.part, self._block
        wanted = {name.lower() for name in names}
        ranges = [(start, stop) for name, start, stop in self._fields if name in wanted]
        rest = self._end
        if unless:
            edges = [part.header - self._begin, *(edge for pair in ranges for edge in pair), len(block)]
            ranges = list(zip(edges[::2], edges[1::2], strict=True))
            rest = self._begin + len(block)
        head = b"".join([block[start:stop] for start, stop in ranges])
        return Slices(self._content, ((rest, part.body),) if rest < part.body else (), head=head)


def _empty_line(content: Octets, part: Part) -> int:
    """The octets of the empty line after the part's header; 0 if there is none."""
    last = content[max(part.header, part.body - 3) : part.body]
    if last in (b"\n\r\n", b"\r\n"):
        return 2
    return 1 if last.endswith(b"\n\n") or last == b"\n" else 0


def _missing_line(content: Octets, part: Part) -> list[tuple[int, int]]:
    """A line end in the content to use as the empty line, if it is missing between header and body."""
    if part.body == part.end or _empty_line(content, part):
        return []
    end = part.body if part.body > part.header else content.find(b"\n", part.header, part.end) + 1
    if not end:
        return []
    start = end - 2 if content[max(end - 2, 0) : end] == b"\r\n" else end - 1
    return [(start, end)]


def top(content: Octets, index: Index, lines: int) -> Slices:
    """The header, the empty line, and the first ``lines`` lines of the body (POP3's TOP, RFC 1939 7)."""
    return finish(top_steps(content, index, lines))


def top_steps(content: Octets, index: Index, lines: int) -> Steps[Slices]:
    """As `top`, in steps."""
    root = index.root
    empty_line = _missing_line(content, root)
    if not _empty_line(content, root) and not empty_line:
        # No line end in the content can be used as the empty line: the body is empty, or a single line.
        line = content[root.body : min(root.end, root.body + CHUNK)] if lines > 0 else b""
        tail = b"\r\n" if root.body == 0 or content[root.body - 1 : root.body] == b"\n" else b"\r\n\r\n"
        return Slices(content, ((root.header, root.body),), tail + line)
    at = root.body
    while lines > 0 and at < root.end:
        piece = content[at : min(at + CHUNK, root.end)]
        held = piece.count(b"\n")
        if held < lines:
            lines -= held
            at += len(piece)
            yield
            continue
        at += _end_of_line(piece, lines)
        break
    return Slices(content, ((root.header, root.body), *empty_line, (root.body, at)))


def _end_of_line(piece: bytes, lines: int) -> int:
    """The offset after the given number of lines, which ``piece`` has."""
    # Counting is so fast that a bisection takes less time than a search for each line.
    start, stop = 0, len(piece)
    while lines > 1 and stop - start > 1:
        middle = (start + stop) // 2
        held = piece.count(b"\n", start, middle)
        if held >= lines:
            stop = middle
        else:
            start, lines = middle, lines - held
    return piece.index(b"\n", start) + 1
