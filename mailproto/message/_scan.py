"""Finding the MIME parts of a message in one pass (RFC 2046 5.1).

A delimiter of any enclosing multipart ends everything before it (`_delimiters`).
"""

from __future__ import annotations

from mailproto.content import Content, Octets, unwrapped
from mailproto.message._delimiters import BOUNDARY_LIMIT, Delimiters
from mailproto.message._fields import (
    REMEMBERED,
    Fields,
    end_of_header_steps,
    ends_of_header,
    structural_fields,
)
from mailproto.message._heading import (
    LEAF,
    MESSAGE,
    MESSAGE_SUBTYPES,
    MULTIPART,
    OPAQUE,
    TEXT,
    Heading,
    heading_of,
    remembered_heading,
)
from mailproto.message._mime import ContentType
from mailproto.message._steps import Steps, finish
from mailproto.message._window import Window

__all__ = [
    "BOUNDARY_LIMIT",
    "LEAF",
    "MESSAGE",
    "MESSAGE_SUBTYPES",
    "MULTIPART",
    "NESTING_LIMIT",
    "OPAQUE",
    "PARTS_LIMIT",
    "TEXT",
    "Part",
    "part_steps",
    "scan_parts",
]

NESTING_LIMIT = 100
"""The most levels of nested parts; deeper parts count as the text of the last level."""

PARTS_LIMIT = 10_000
"""The most parts of a message; further parts count as the text of the last one."""

_KEPT = 2048
"""Octets of a part's header up to which its fields and its type are kept."""

_AT_ONCE = 1 << 20  # octets in which lines are counted
_SMALL = 1 << 16  # octets of a message whose lines are counted in half a millisecond, whatever they are
_OFTEN = 31  # a bit mask: there is a pause after 32 delimiters


class Part:
    """A message or a part of one, as offsets into the content.

    The header block is ``[header:body]`` with the empty line at its end, and the body is
    ``[body:end]``.  A line end that belongs to a boundary is not in any part.

    :ivar depth: 1 for the root.
    :ivar is_message: whether it has a message's header: the root, and the message in a `MESSAGE`.
    :ivar kind: `LEAF`, `TEXT`, `MULTIPART`, `MESSAGE` or `OPAQUE`.
    :ivar lines: line ends in the body, for `TEXT` and `MESSAGE`; 0 for others.
    :ivar children: the parts of a multipart, or the message in a `MESSAGE`.
    """

    # A part has no reference to its parent: a tree without cycles is freed at once.
    __slots__ = (
        "_fields",
        "_type",
        "body",
        "children",
        "depth",
        "end",
        "header",
        "is_message",
        "kind",
        "lines",
    )

    def __init__(self, header: int, depth: int, *, is_message: bool) -> None:
        self.header = header
        self.body = header
        self.end = header
        self.kind = TEXT
        self.lines = 0
        self.depth = depth
        self.is_message = is_message
        self.children: list[Part] = []
        self._fields: Fields | None = None
        self._type: ContentType | None = None

    def fields(self, content: Octets) -> Fields:
        """Fields for ENVELOPE and BODYSTRUCTURE; Content-* fields are included only in MIME messages."""
        if self._fields is not None:
            return self._fields
        size = self.body - self.header
        if size <= REMEMBERED and not self.is_message:
            return self.heading(content).fields
        fields = structural_fields(content, self.header, self.body, message=self.is_message)
        if self.is_message and b"mime-version" not in fields and b"content-type" not in fields:
            for name in [name for name in fields if name[:8] == b"content-"]:
                del fields[name]
        if size <= _KEPT or self.depth == 1:
            self._fields = fields
        return fields

    def heading(self, content: Octets) -> Heading:
        """What the header says."""
        size = self.body - self.header
        if size <= REMEMBERED and not self.is_message:
            found = remembered_heading(content[self.header : self.body])
            self._fields, self._type = found.fields, found.type
            return found
        found = heading_of(self.fields(content))
        if size <= _KEPT or self.depth == 1 or found.kind == MULTIPART:
            self._type = found.type
        return found

    def forget(self) -> None:
        """Do not keep the fields any longer: those of 10,000 parts take 8 MB."""
        self._fields = self._type = None

    def content_type(self, content: Octets) -> ContentType:
        """Type, subtype and parameters; those of plain text if there is no field."""
        return self.heading(content).type if self._type is None else self._type


def scan_parts(content: Octets) -> Part:
    """The tree of the parts of ``content``; any octets have one."""
    return finish(part_steps(content))


def part_steps(content: Octets) -> Steps[Part]:
    """As `scan_parts`, in steps."""
    octets = unwrapped(content)
    return _Scanner(Window(octets) if isinstance(octets, Content) else octets).run()


class _Scanner:
    """Finds the parts of a message.

    :ivar path: the part that is being read, after all parts that contain it; the root is the first.
    :ivar delimiters: those of the open multiparts in ``path``.
    :ivar counted: the parts for which lines must be counted.
    :ivar to_count: octets in which lines are counted before the next pause.
    :ivar cut: whether a delimiter ended the last header block, so that its part has no body.
    :ivar line_goes_up: whether the line end before that delimiter belongs to the parent part.
    """

    def __init__(self, content: Octets) -> None:
        self.content = content
        self.size = len(content)
        self.path: list[Part] = []
        self.delimiters = Delimiters(content)
        self.counted: list[Part] = []
        self.to_count = _AT_ONCE
        self.count = 0
        self.has_messages = False
        self.cut = False
        self.line_goes_up = False

    def run(self) -> Steps[Part]:
        """Read all parts; only here are pauses, because each generator takes time."""
        root = self._child(0)
        part: Part | None = root
        start = delimiters = 0
        next_delimiter = self.delimiters.next
        while True:
            # Read the header of a part, or else, go on to the next delimiter.
            at, is_end = next_delimiter(part.header if part else start)
            while not is_end:
                yield
                at, is_end = next_delimiter(at + 1)
            delimiters += 1
            if not delimiters & _OFTEN:
                yield
            if part is None:
                if at >= self.size:
                    break
                start, part = self._end_part(start, at)
                continue
            if at - part.header < _AT_ONCE:
                end = ends_of_header(self.content, part.header, at + 1)
            else:
                end = yield from end_of_header_steps(self.content, part.header, at + 1)
            boundary = self._header(part, at, end)
            start, part = part.body, self._enter(part, boundary)
        self._close(None, self.size)
        if self.size <= _SMALL and not self.has_messages:  # as nearly always
            self._count_at_once()
        else:
            yield from self._count_lines()
        return root

    def _child(self, start: int) -> Part:
        """Add a new part to the last part of the path, and to the path."""
        path = self.path
        part = Part(start, len(path) + 1, is_message=not path or path[-1].kind == MESSAGE)
        if path:
            path[-1].children.append(part)
        path.append(part)
        self.count += 1
        if self.count >= PARTS_LIMIT:
            self.delimiters.close_all()
        return part

    def _enter(self, part: Part, boundary: bytes | None) -> Part | None:
        """Go into ``part``, whose header was read; return the message in it, if it contains one."""
        if part.kind == MESSAGE:
            if part.depth < NESTING_LIMIT and self.count < PARTS_LIMIT:
                self.has_messages = True
                self.counted.append(part)
                return self._child(part.body)
            part.kind = OPAQUE
        elif part.kind == TEXT:
            self.counted.append(part)
        elif part.kind == MULTIPART and part.depth >= NESTING_LIMIT:
            part.kind = OPAQUE
        elif boundary is not None:
            self.delimiters.open(part, boundary)
        return None

    def _end_part(self, start: int, at: int) -> tuple[int, Part | None]:
        """End the parts that end with the delimiter after ``at``.

        :param start: the beginning of what was not read before.
        :returns: the beginning of what follows, and the part that begins there, if one does.
        """
        content, delimiters = self.content, self.delimiters
        found, closing = delimiters.resolve(at)
        end = at - 1 if content[at - 1 : at] == b"\r" else at
        end = max(end, start)  # a delimiter right after another one has no line end of its own
        if self.line_goes_up and len(self.path) > 1:
            self.path.pop().end = end
            end = at + 1
        self.cut = self.line_goes_up = False
        self._close(found.part, end)
        delimiters.close_in(found)
        line_end = content.find(b"\n", at + 1)
        if closing:
            delimiters.close_last()
        if line_end < 0:
            delimiters.close_all()
            return self.size, None
        return line_end + 1, None if closing else self._child(line_end + 1)

    def _header(self, part: Part, at: int, body: int) -> bytes | None:
        """Read the part's header, and its kind; return the boundary of a multipart with parts.

        :param at: the LF before the first delimiter after the part's beginning; or the content's size.
        :param body: the end of the header; -1 if it has none.
        """
        content, start = self.content, part.header
        complete = body >= 0
        part.body = body if complete else min(at, self.size)
        boundary = self._kind(part)
        cut_before, self.cut = self.cut, False
        if at < self.size and (not complete or body == at + 1) and not self._is_own(boundary, at, complete):
            # The line end before a delimiter belongs to the delimiter, even after an empty line.
            self.cut = True
            part.body = max(start, at - 1 if content[at - 1 : at] == b"\r" else at)
        self.line_goes_up = self.cut and start <= at and not cut_before
        part.end = part.body
        return boundary if complete else None

    def _is_own(self, boundary: bytes | None, at: int, complete: bool) -> bool:
        """Whether the delimiter after ``at`` is the first delimiter of the part with the header before it."""
        if boundary is None or not complete or self.content[at + 3 : at + 3 + len(boundary)] != boundary:
            return False
        return len(boundary) >= len(self.delimiters.resolve(at)[0].text)

    def _kind(self, part: Part) -> bytes | None:
        """Set the part's kind; return the boundary of a multipart."""
        heading = part.heading(self.content)
        if heading.kind is not None:
            part.kind = heading.kind
        elif not part.is_message and self._is_digest(self.path[-2]):
            part.kind = MESSAGE
        return heading.boundary

    def _is_digest(self, part: Part) -> bool:
        """Whether parts of ``part`` are messages by default (RFC 2046 5.1.5)."""
        return part.content_type(self.content)[1].lower() == b"digest"

    def _close(self, ancestor: Part | None, end: int) -> None:
        """End the parts of the path at ``end``, up to ``ancestor``, which stays open."""
        path = self.path
        while path and path[-1] is not ancestor:
            path.pop().end = end

    def _count_at_once(self) -> None:
        """As `_count_lines`.

        In a text, ``count`` takes four times as long as ``replace``, but not if all octets are line ends.
        """
        for part in self.counted:
            body = self.content[part.body : part.end]
            part.lines = len(body) - len(body.replace(b"\n", b""))

    def _count_lines(self) -> Steps[None]:
        if not self.has_messages:
            for part in self.counted:
                size = part.end - part.body
                if size <= self.to_count:  # as in nearly all messages
                    self.to_count -= size
                    part.lines = self.content.count(b"\n", part.body, part.end)
                else:
                    part.lines = yield from self._lines(part.body, part.end)
            return
        # Bodies of messages contain other bodies, so count once between neighbouring offsets.
        offsets = sorted({offset for part in self.counted for offset in (part.body, part.end)})
        total = last = 0
        totals = {}
        for offset in offsets:
            total += yield from self._lines(last, offset)
            totals[offset] = total
            last = offset
        for part in self.counted:
            part.lines = totals[part.end] - totals[part.body]

    def _lines(self, start: int, stop: int) -> Steps[int]:
        """How many lines end in ``[start:stop]``."""
        count = 0
        while self.to_count < stop - start:
            count += self.content.count(b"\n", start, start + self.to_count)
            start += self.to_count
            self.to_count = _AT_ONCE
            yield
        self.to_count -= stop - start
        return count + self.content.count(b"\n", start, stop)
