"""One pass over a message finds its MIME parts (RFC 2046 5.1).

A line that begins with ``--`` and the boundary of any enclosing multipart ends what is
before it, whatever that is (5.1.1: an exact match of the line is not required; the
longest boundary that fits wins, then the innermost).  For each open multipart the
scanner remembers where its boundary stands next, and an inner one is searched for only
up to where an outer one was found: so each octet is searched once a level.
"""

from __future__ import annotations

from mailproto.content import Content, FileContent
from mailproto.message._fields import Fields, ends_of_header, structural_fields
from mailproto.message._mime import ContentType, content_type
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
    "scan_parts",
]

NESTING_LIMIT = 100
"""Levels of parts within parts; what is deeper is taken as the text of the last level."""

PARTS_LIMIT = 10_000
"""Parts of one message; what follows is taken as the text of the last one."""

BOUNDARY_LIMIT = 80
"""Octets of a boundary that count (RFC 2046 5.1.1 allows 70)."""

MESSAGE_SUBTYPES = (b"rfc822", b"global")
"""Of type message, those that are messages (RFC 2046 5.2.1, RFC 6532 3.7)."""

_PLAIN_TEXT: ContentType = (b"text", b"plain", ())

LEAF, TEXT, MULTIPART, MESSAGE, OPAQUE = range(5)
"""What a part is: of any other type; text/*; multipart/*; message/rfc822 or message/global;
or one of these two that is past a limit, so that nobody looked into it."""


class Part:
    """A message or a part of one, as offsets into the content.

    The header block is ``[header:body]`` with the empty line that ends it, the body is
    ``[body:end]``; a line end that belongs to a boundary belongs to no part.

    :ivar depth: 1 for the root.
    :ivar is_message: whether it has a message's header: the root, and what is in a `MESSAGE`.
    :ivar kind: `LEAF`, `TEXT`, `MULTIPART`, `MESSAGE` or `OPAQUE`.
    :ivar lines: line ends in the body, for `TEXT` and `MESSAGE`; 0 for others.
    :ivar children: parts of a multipart; the one message in a `MESSAGE`.
    """

    # No reference to what it is in: a tree without cycles is freed at once, not by the collector.
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

    def fields(self, content: Content) -> Fields:
        """Fields for ENVELOPE and BODYSTRUCTURE, with the Content-* ones only where MIME is at work."""
        if self._fields is None:
            self._fields = fields = structural_fields(
                content, self.header, self.body, message=self.is_message
            )
            if self.is_message and b"mime-version" not in fields and b"content-type" not in fields:
                for name in [name for name in fields if name[:8] == b"content-"]:
                    del fields[name]
        return self._fields

    def content_type(self, content: Content) -> ContentType:
        """Type, subtype and parameters; where no field gives them, those of plain text."""
        if self._type is None:
            values = self.fields(content).get(b"content-type")
            self._type = content_type(values[0]) if values else _PLAIN_TEXT
        return self._type


class _Boundary:
    """An open multipart's delimiter.

    :ivar next: no delimiter of this multipart stands in ``[position of the search:next]``.
    """

    __slots__ = ("marker", "next", "part", "text")

    def __init__(self, part: Part, text: bytes) -> None:
        self.part = part
        self.text = text
        self.marker = b"\n--" + text
        self.next = -1


def scan_parts(content: Content) -> Part:
    """The tree of ``content``'s parts; any octets give one."""
    return _Scanner(Window(content) if isinstance(content, FileContent) else content).run()


class _Scanner:
    """
    :ivar path: the part that is being read and all that it is in, the root first.
    :ivar open: the delimiters of those of them that are multiparts and not yet closed.
    :ivar counted: parts whose lines count.
    :ivar cut: whether the last header block read was ended by a delimiter, so that its part has no body.
    :ivar line_goes_up: whether the line end before that delimiter is part of what the part is in.
    """

    def __init__(self, content: Content) -> None:
        self.content = content
        self.size = len(content)
        self.path: list[Part] = []
        self.open: list[_Boundary] = []
        self.counted: list[Part] = []
        self.count = 0
        self.has_messages = False
        self.cut = False
        self.line_goes_up = False

    def run(self) -> Part:
        root = self._child(0)
        part: Part | None = root
        while part is not None:
            part = self._enter(part) or self._next_part(part.body)
        self._count_lines()
        return root

    def _child(self, start: int) -> Part:
        """A new part, in the last one of the path, which it joins."""
        path = self.path
        part = Part(start, len(path) + 1, is_message=not path or path[-1].kind == MESSAGE)
        if path:
            path[-1].children.append(part)
        path.append(part)
        self.count += 1
        if self.count >= PARTS_LIMIT:
            self.open.clear()
        return part

    def _enter(self, part: Part) -> Part | None:
        """Read the header of ``part``; the message in it, if it is a part that has one."""
        boundary = self._header(part)
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
            self.open.append(_Boundary(part, boundary))
        return None

    def _next_part(self, start: int) -> Part | None:
        """The part that the first delimiter from ``start`` on begins; None if there is none any more."""
        content, size = self.content, self.size
        while (at := self._next_delimiter(start)) < size:
            found, closing = self._resolve(at)
            end = at - 1 if content[at - 1 : at] == b"\r" else at
            end = max(end, start)  # no line end of the boundary's own: the line before was a delimiter
            if self.line_goes_up and len(self.path) > 1:
                self.path.pop().end = end
                end = at + 1
            self.cut = self.line_goes_up = False
            self._close(found.part, end)
            while self.open[-1] is not found:
                self.open.pop()
            line_end = content.find(b"\n", at + 1)
            start = size if line_end < 0 else line_end + 1
            if closing:
                self.open.pop()
            elif line_end >= 0:
                return self._child(start)
            else:
                break
        self._close(None, size)
        return None

    def _header(self, part: Part) -> bytes | None:
        """Find the end of the part's header, and its kind; the boundary of a multipart that has parts."""
        content, start = self.content, part.header
        at = self._next_delimiter(start)
        body = ends_of_header(content, start, at + 1)
        complete = body >= 0
        part.body = body if complete else min(at, self.size)
        boundary = self._kind(part)
        cut_before, self.cut = self.cut, False
        if at < self.size and (not complete or body == at + 1) and not self._is_own(boundary, at, complete):
            # The line end before a delimiter belongs to the delimiter, even that of an empty line.
            self.cut = True
            part.body = max(start, at - 1 if content[at - 1 : at] == b"\r" else at)
        self.line_goes_up = self.cut and start <= at and not cut_before
        part.end = part.body
        return boundary if complete else None

    def _is_own(self, boundary: bytes | None, at: int, complete: bool) -> bool:
        """Whether the delimiter after ``at`` is the first of the part whose header it follows."""
        if boundary is None or not complete or self.content[at + 3 : at + 3 + len(boundary)] != boundary:
            return False
        return len(boundary) >= len(self._resolve(at)[0].text)

    def _kind(self, part: Part) -> bytes | None:
        """Set the part's kind; the boundary that a multipart names."""
        fields = part.fields(self.content)
        if b"content-type" not in fields:
            if not part.is_message and self._is_digest(self.path[-2]):
                part.kind = MESSAGE
            return None
        kind, subtype, parameters = part.content_type(self.content)
        kind = kind.lower()
        if kind == b"text":
            return None
        part.kind = LEAF
        if kind == b"multipart" and subtype:
            part.kind = MULTIPART
            for name, text in parameters:
                if name.lower() == b"boundary":
                    return text[:BOUNDARY_LIMIT]
        elif kind == b"message" and subtype.lower() in MESSAGE_SUBTYPES:
            part.kind = MESSAGE
        return None

    def _is_digest(self, part: Part) -> bool:
        """Whether parts of ``part`` are messages unless they say otherwise (RFC 2046 5.1.5)."""
        return part.content_type(self.content)[1].lower() == b"digest"

    def _next_delimiter(self, start: int) -> int:
        """Offset of the LF before the first delimiter line from ``start`` on; the size if there is none."""
        limit = self.size
        if not self.open:
            return limit
        start = start - 1 if start else 0
        for boundary in self.open:
            if boundary.next < start:
                at = self.content.find(boundary.marker, start, limit + len(boundary.marker))
                boundary.next = limit if at < 0 else at
            if boundary.next < limit:
                limit = boundary.next
        return limit

    def _resolve(self, at: int) -> tuple[_Boundary, bool]:
        """Whose delimiter line follows the LF ``at``, and whether it closes."""
        if len(self.open) == 1:
            best = self.open[0]
            at += len(best.marker)
            return best, self.content[at : at + 2] == b"--"
        line = self.content[at + 3 : at + 3 + BOUNDARY_LIMIT + 4]
        length = line.find(b"\n")
        if length >= 0:
            whole = line[:length].removesuffix(b"\r")
            length = len(whole) - 2 if len(whole) > 2 and whole.endswith(b"--") else len(whole)
        else:
            length = len(line)
        found: _Boundary | None = None
        for boundary in reversed(self.open):
            text = boundary.text
            if (
                len(text) <= length
                and line.startswith(text)
                and (found is None or len(text) > len(found.text))
            ):
                found = boundary
                if len(text) == length:
                    break
        if found is None:
            # Only "--" stood in the way: the boundary itself ends in hyphens.
            found = max((b for b in self.open if line.startswith(b.text)), key=lambda b: len(b.text))
        return found, line.startswith(b"--", len(found.text))

    def _close(self, ancestor: Part | None, end: int) -> None:
        """End the parts of the path at ``end``, up to ``ancestor``, which stays open."""
        path = self.path
        while path and path[-1] is not ancestor:
            path.pop().end = end

    def _count_lines(self) -> None:
        content = self.content
        if not self.has_messages:
            for part in self.counted:
                part.lines = content.count(b"\n", part.body, part.end)
            return
        # Bodies of messages hold other bodies: count between neighbouring offsets, once.
        offsets = sorted({offset for part in self.counted for offset in (part.body, part.end)})
        total = last = 0
        totals = {}
        for offset in offsets:
            total += content.count(b"\n", last, offset)
            totals[offset] = total
            last = offset
        for part in self.counted:
            part.lines = totals[part.end] - totals[part.body]
