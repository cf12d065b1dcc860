"""The index of a message's parts, which can be stored with the message."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from mailproto.content import Octets
from mailproto.message._scan import MESSAGE, MULTIPART, Part, part_steps
from mailproto.message._steps import Steps, finish

__all__ = ["Index", "scan", "scan_steps"]

# A stored index: an octet with the width of numbers, then for each part, in the order of the
# message: header, body, end, lines, kind + 8 * number of children.
_WIDTHS = {b"\x14": "I", b"\x18": "Q"}
_FIELDS = 5

_OFTEN = 500
"""Parts between two pauses."""


class Index:
    """The parts of one message as offsets into its content.

    :ivar root: the message itself.
    """

    __slots__ = ("root",)

    def __init__(self, root: Part) -> None:
        self.root = root

    def parts(self) -> list[Part]:
        """All parts in the order of the message, each before its own parts; the root is the first."""
        found = []
        stack = [self.root]
        while stack:
            part = stack.pop()
            found.append(part)
            if part.children:
                stack.extend(reversed(part.children))
        return found

    def find(self, path: Sequence[int]) -> Part | None:
        """The part with IMAP's part number ``path`` (RFC 9051 6.4.5.1), or None; ``()`` is the root.

        Part 1 of a message that is not a multipart is the message itself, as its body.  Part 1 of a multipart
        without parts is empty: BODYSTRUCTURE cannot but name one.
        """
        part, as_message = self.root, True
        for number in path:
            if not as_message and part.kind == MESSAGE:
                part, as_message = part.children[0], True
            if part.kind == MULTIPART and not part.children and number == 1:
                part = Part(part.end, part.depth + 1, is_message=False)
            elif part.kind == MULTIPART:
                if not 1 <= number <= len(part.children):
                    return None
                part = part.children[number - 1]
            elif number != 1 or not as_message:
                return None
            as_message = False
        return part

    def dump(self) -> bytes:
        """Octets for `load`: 21 for a message of one part, and 20 for each further part."""
        return finish(self.dump_steps())

    def dump_steps(self) -> Steps[bytes]:
        """As `dump`, in steps."""
        numbers: list[int] = []
        for place, part in enumerate(self.parts(), 1):
            numbers += (part.header, part.body, part.end, part.lines, part.kind + 8 * len(part.children))
            if not place % _OFTEN:
                yield
        tag, width = (b"\x14", "I") if self.root.end < 1 << 32 else (b"\x18", "Q")
        return tag + struct.pack(f"<{len(numbers)}{width}", *numbers)

    @staticmethod
    def load(stored: bytes) -> Index:
        """The index from which `dump` made ``stored``.

        :raises ValueError: ``stored`` was not made by `dump`.
        """
        return finish(Index.load_steps(stored))

    @staticmethod
    def load_steps(stored: bytes) -> Steps[Index]:
        """As `load`, in steps."""
        try:
            width = _WIDTHS[stored[:1]]
            numbers = struct.unpack(f"<{(len(stored) - 1) // struct.calcsize(width)}{width}", stored[1:])
        except (KeyError, struct.error):
            raise ValueError("not an index of a message") from None
        if not numbers or len(numbers) % _FIELDS:
            raise ValueError("not an index of a message")
        root: Part | None = None
        open_parts: list[tuple[Part, int]] = []
        for at in range(0, len(numbers), _FIELDS):
            if at and not at % (_FIELDS * _OFTEN):
                yield
            while open_parts and len(open_parts[-1][0].children) == open_parts[-1][1]:
                open_parts.pop()
            parent = open_parts[-1][0] if open_parts else None
            if parent is None and root is not None:
                raise ValueError("not an index of a message")
            is_message = parent is None or parent.kind == MESSAGE
            part = Part(numbers[at], len(open_parts) + 1, is_message=is_message)
            part.body, part.end, part.lines = numbers[at + 1 : at + 4]
            children, part.kind = divmod(numbers[at + 4], 8)
            if parent is None:
                root = part
            else:
                parent.children.append(part)
            open_parts.append((part, children))
        if root is None or any(len(part.children) != count for part, count in open_parts):
            raise ValueError("not an index of a message")
        return Index(root)


def scan(content: Octets) -> Index:
    """Find the parts of ``content`` in one pass, in linear time; any octets have an index."""
    return Index(finish(part_steps(content)))


def scan_steps(content: Octets) -> Steps[Index]:
    """As `scan`, in steps."""
    return Index((yield from part_steps(content)))
