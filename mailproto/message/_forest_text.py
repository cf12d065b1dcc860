"""Writes threads as THREAD shows them (RFC 5256 4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

__all__ = ["forest_pieces"]

_AT_ONCE = 2000
"""Pieces that are joined."""

_OPENED = 5_000
"""Messages between two pauses, where only depths are compared: some 1 ms."""


def forest_pieces(numbers: Sequence[int], depths: Sequence[int]) -> Iterator[bytes]:
    """The threads as THREAD shows them (RFC 5256 4), in pieces of some KB: ``(2)(3 6 (4 23)(44 7 96))``.

    The first pieces are empty if there are many messages.

    :param numbers: in depth-first order; 0 stands for a message that is not there.
    :param depths: of the same; 0 begins a thread.
    """
    pieces: list[bytes] = []
    # For each open parenthesis, the depth at which it was opened.
    opened: list[int] = []
    count = len(depths)
    siblings = bytearray(count)
    for _ in _mark_siblings(depths, siblings):
        yield b""
    for place, (number, depth) in enumerate(zip(numbers, depths, strict=True)):
        while opened and opened[-1] >= depth:
            pieces.append(b")")
            opened.pop()
        if depth == 0 or siblings[place]:
            if opened and pieces[-1][-1:] not in b"()":
                pieces.append(b" ")
            pieces.append(b"(")
            opened.append(depth)
        elif pieces[-1] != b"(":
            pieces.append(b" ")
        if number:
            pieces.append(b"%d" % number)
        if len(pieces) > _AT_ONCE and place + 1 < count:
            yield b"".join(pieces[:-1])
            del pieces[:-1]
    pieces += [b")"] * len(opened)
    yield b"".join(pieces)


def _mark_siblings(depths: Sequence[int], found: bytearray) -> Iterator[None]:
    """Note for each message whether its parent has other children, in steps."""
    open_: list[int] = []  # the latest message at each depth of the present branch
    for place, depth in enumerate(depths):
        if depth < len(open_):
            found[place] = found[open_[depth]] = 1
            del open_[depth:]
        open_.append(place)
        if not (place + 1) % _OPENED:
            yield
