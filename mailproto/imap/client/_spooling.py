"""Where octets of messages wait that are too many for memory."""

from __future__ import annotations

from collections.abc import Callable

from mailproto.content import Content
from mailproto.spool import SpoolFile

__all__ = ["LargeLiteral", "Spill"]

_FILE = 64 << 20
"""Octets after which another file is begun: a file is there until the last message in it is gone."""

_SMALL = 4096
"""Octets of a literal that stays in memory."""


class LargeLiteral:
    """A large literal in a file of its own (`BodyWriter`).

    :param failed: called if it cannot be written; nothing stands for the literal then.
    """

    def __init__(self, failed: Callable[[Exception], None]) -> None:
        self._failed = failed
        self._file: SpoolFile | None = None
        try:
            self._file = SpoolFile(None)
        except Exception as error:
            failed(error)

    def write(self, octets: bytes) -> None:
        """Take some octets."""
        file = self._file
        if file is None:
            return
        try:
            file.write(octets)
        except Exception as error:  # such as a full disk
            self._file = None
            file.close()
            self._failed(error)

    def end(self) -> Content | None:
        """The whole literal."""
        return None if self._file is None else self._file.content()


class Spill:
    """The literals of messages that wait, one after the other in a file."""

    def __init__(self) -> None:
        self._file: SpoolFile | None = None
        self._size = 0

    def move(self, literals: list[bytes | Content | None]) -> int:
        """Put those that are in memory into a file, in their place.  :returns: how many octets were moved.

        :raises MailError: the disk is full, or fails.
        """
        moved = 0
        for place, literal in enumerate(literals):
            if not isinstance(literal, bytes) or len(literal) < _SMALL:
                continue
            if self._file is None or self._size > _FILE:
                self.close()
                self._file, self._size = SpoolFile(None), 0
            self._file.write(literal)
            literals[place] = self._file.part(self._size, len(literal))
            self._size += len(literal)
            moved += len(literal)
        return moved

    def close(self) -> None:
        """Nothing more is added; what is in the file can be read as long as somebody has it."""
        if self._file is not None:
            self._file.close()
            self._file = None
