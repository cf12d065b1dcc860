"""Finding sections of a message (RFC 9051 6.4.5.1, RFC 3501 6.4.5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mailproto.content import CHUNK, Octets, chunks
from mailproto.message._fields import limited_fields
from mailproto.message._index import Index
from mailproto.message._scan import MESSAGE, Part
from mailproto.message._steps import Steps, finish

__all__ = ["Section", "Slices", "section", "top", "top_steps"]


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
    """

    __slots__ = ("_length", "content", "ranges", "tail")

    def __init__(self, content: Octets, ranges: tuple[tuple[int, int], ...], tail: bytes = b"") -> None:
        self.content = content
        self.ranges = ranges
        self.tail = tail
        self._length = sum(stop - start for start, stop in ranges) + len(tail)

    def __len__(self) -> int:
        return self._length

    def __bytes__(self) -> bytes:
        return b"".join(self.chunks())

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The octets ``[start:stop]`` of these octets, in pieces, as far as they exist."""
        stop = self._length if stop is None else min(stop, self._length)
        skipped = 0
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
    part = index.find(wanted.part)
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
    return _some_fields(content, part, wanted.fields, unless=text == "HEADER.FIELDS.NOT")


def _some_fields(content: Octets, part: Part, names: tuple[bytes, ...], *, unless: bool) -> Slices:
    """The named fields, or all other lines if ``unless``; and the empty line, if there is one.

    Beyond the limits of `limited_fields`, nothing is a field.
    """
    wanted = {name.lower() for name in names}
    end = part.body - _empty_line(content, part)
    named: list[tuple[int, int]] = []
    for name, _, start, stop in limited_fields(content, part.header, end):
        if name.lower() in wanted:
            if named and named[-1][1] == start:
                start = named.pop()[0]
            named.append((start, stop))
    ranges = named
    if unless:
        edges = [part.header, *(edge for pair in named for edge in pair), end]
        ranges = [(start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True) if start < stop]
    if end < part.body:
        ranges.append((end, part.body))
    return Slices(content, tuple(ranges))


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
