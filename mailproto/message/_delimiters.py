"""Finding the delimiters of the multiparts that are open (RFC 2046 5.1.1).

A line that begins with ``--`` and the boundary of any enclosing multipart ends everything before it
(the whole line need not match; the longest boundary that fits wins, then the innermost).

For each boundary, the position of its next delimiter is kept; or, if it was not searched for so far, the
position up to which there is none.  Both are in heaps: so a delimiter costs the same however many
multiparts are open.  Each octet is searched about once for each boundary.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from mailproto.content import Octets

if TYPE_CHECKING:
    from mailproto.message._scan import Part

__all__ = ["BOUNDARY_LIMIT", "Boundary", "Delimiters"]

BOUNDARY_LIMIT = 80
"""How many octets of a boundary are compared (RFC 2046 5.1.1 allows 70)."""

_AT_ONCE = 1 << 20
"""How many octets are searched in one step, for all boundaries together."""

_AHEAD = 1 << 12
"""How many octets are searched at least, so that each boundary is searched for only now and then."""


class Boundary:
    """The boundary of an open multipart.

    :ivar number: greater than the numbers of all multiparts that contain it.
    :ivar searched: the offset up to which its delimiters are known.
    :ivar found: whether there is one at that offset, the first.
    """

    __slots__ = ("found", "is_open", "marker", "number", "part", "searched", "text")

    def __init__(self, part: Part, text: bytes, number: int) -> None:
        self.part = part
        self.text = text
        self.number = number
        self.marker = b"\n--" + text
        self.searched = -1
        self.found = False
        self.is_open = True


_Heap = list[tuple[int, int, Boundary]]


class Delimiters:
    """The boundaries of the open multiparts, and the next delimiter.

    The heaps are only used while there are two boundaries or more.
    """

    def __init__(self, content: Octets) -> None:
        self._content = content
        self._size = len(content)
        self._open: list[Boundary] = []
        self._opened = 0
        self._found: _Heap = []  # by the offset of the next delimiter
        self._missed: _Heap = []  # by the offset up to which there is none

    def open(self, part: Part, text: bytes) -> None:
        """Search for the boundary ``text`` of ``part``, too."""
        boundary = Boundary(part, text, self._opened)
        self._opened += 1
        if self._open:
            if len(self._open) == 1:
                self._push(self._open[0])
            self._push(boundary)
        self._open.append(boundary)

    def close_in(self, boundary: Boundary) -> None:
        """Close the multiparts in that of ``boundary``."""
        while self._open[-1] is not boundary:
            self.close_last()

    def close_last(self) -> None:
        """Close the innermost multipart."""
        self._open.pop().is_open = False
        if len(self._open) == 1:
            self._found.clear()
            self._missed.clear()

    def close_all(self) -> None:
        """Search for nothing more."""
        while self._open:
            self.close_last()

    def next(self, start: int) -> tuple[int, bool]:
        """Search from ``start`` on, a step at most.

        :returns: the offset of the LF before the first delimiter, or the content's size, and True; or where
            to go on, and False.
        """
        start = start - 1 if start else 0
        opened = self._open
        if len(opened) < 2:
            if not opened:
                return self._size, True
            boundary = opened[0]
            searched, size = boundary.searched, self._size
            if searched >= start and boundary.found:
                return searched, True
            if searched < start and size - start <= _AT_ONCE:  # as in nearly all messages
                at = self._content.find(boundary.marker, start)
                boundary.found = at >= 0
                boundary.searched = at = at if at >= 0 else size
                return at, True
            if searched < size:
                self._search([boundary], start, size, True)
            return boundary.searched, boundary.found or boundary.searched >= size
        stale = _take(self._found, start) + _take(self._missed, start)
        limit, is_end = (self._found[0][0] if self._found else self._size), True
        if stale:
            # At first those of which nothing is known; with luck, there is a delimiter near, and the others
            # need not be searched for.
            limit, is_end = self._search(stale, start, limit, is_end)
        if self._missed and (stale := _take(self._missed, limit)):
            limit, is_end = self._search(stale, start, limit, is_end)
        return limit, is_end

    def _search(self, stale: list[Boundary], start: int, limit: int, is_end: bool) -> tuple[int, bool]:
        """Search for ``stale`` up to ``limit``, or less.

        :param is_end: whether there is a delimiter at ``limit``, or the end of the content.
        :returns: how far they were searched for, and the same of it.
        """
        if limit - start > _AT_ONCE >> 4:
            most = max(_AT_ONCE // len(stale), _AT_ONCE >> 4)
            if limit - start > most:
                limit, is_end = start + most, False
        if len(stale) > 1:
            stale.sort(
                key=_number
            )  # a delimiter of an outer multipart ends the search for those of inner ones
        for boundary in stale:
            at, first = -1, boundary.searched + 1
            if first < start:
                first = start
            last = max(limit, min(start + _AHEAD, self._size)) if limit - start < _AHEAD else limit
            if first <= last:
                at = self._content.find(boundary.marker, first, last + len(boundary.marker))
            boundary.found = at >= 0
            boundary.searched = at if at >= 0 else max(last, boundary.searched)
            if len(self._open) > 1:
                self._push(boundary)
            if 0 <= at <= limit:
                limit, is_end = at, True
        return limit, is_end

    def _push(self, boundary: Boundary) -> None:
        heap = self._found if boundary.found else self._missed
        heapq.heappush(heap, (boundary.searched, boundary.number, boundary))

    def resolve(self, at: int) -> tuple[Boundary, bool]:
        """The boundary after the LF at ``at``, found by `next`, and whether it closes its multipart."""
        if len(self._open) == 1:
            best = self._open[0]
            at += len(best.marker)
            return best, self._content[at : at + 2] == b"--"
        line = self._content[at + 3 : at + 3 + BOUNDARY_LIMIT + 4]
        length = line.find(b"\n")
        if length >= 0:
            whole = line[:length].removesuffix(b"\r")
            length = len(whole) - 2 if len(whole) > 2 and whole.endswith(b"--") else len(whole)
        else:
            length = len(line)
        here = self._at(at)
        whole_lines = [each for each in here if len(each.text) <= length]
        # If none is short enough, the boundary itself ends in hyphens, which were taken for a closing "--".
        found = max(whole_lines, key=_length_and_number) if whole_lines else max(here, key=_length)
        return found, line.startswith(b"--", len(found.text))

    def _at(self, at: int) -> list[Boundary]:
        """The boundaries with a delimiter at ``at``."""
        taken = []
        while self._found and self._found[0][0] == at:
            taken.append(heapq.heappop(self._found))
        for each in taken:
            heapq.heappush(self._found, each)
        return [boundary for _, _, boundary in taken if boundary.is_open]


def _take(heap: _Heap, before: int) -> list[Boundary]:
    """Remove the open boundaries before an offset, and what is closed there; then the first one is open."""
    taken = []
    while heap and (heap[0][0] < before or not heap[0][2].is_open):
        boundary = heapq.heappop(heap)[2]
        if boundary.is_open:
            taken.append(boundary)
    return taken


def _number(boundary: Boundary) -> int:
    return boundary.number


def _length(boundary: Boundary) -> int:
    return len(boundary.text)


def _length_and_number(boundary: Boundary) -> tuple[int, int]:
    return len(boundary.text), boundary.number
