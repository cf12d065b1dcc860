"""A message while it comes: in memory, and in a file if it is large."""

from __future__ import annotations

from typing import Final

from mailproto.content import Content
from mailproto.spool import SpoolFile

__all__ = ["Arriving"]

IN_MEMORY: Final = 1 << 16
"""Octets of a message that are kept in memory."""


class Arriving:
    """Takes the octets of a message (`write`), and then gives them as a `Content`."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._file: SpoolFile | None = None

    def write(self, octets: bytes) -> None:
        """Take some.  :raises mailproto.errors.MailError: there is no room on the disk for them."""
        self._size += len(octets)
        if self._file is None:
            self._pieces.append(octets)
            if self._size <= IN_MEMORY:
                return
            octets, self._pieces = b"".join(self._pieces), []
            self._file = SpoolFile(None)
        self._file.write(octets)

    def content(self) -> Content:
        """All that was taken."""
        return Content(b"".join(self._pieces)) if self._file is None else self._file.content()
