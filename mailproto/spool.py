"""A temporary file for a message that is too large for memory while it arrives."""

from __future__ import annotations

import os
import tempfile

from mailproto._closing import close_file
from mailproto.content import Content
from mailproto.errors import storage_failure

__all__ = ["SpoolFile"]


class SpoolFile:
    """A file without a name, which is gone with its last descriptor, even if the process is killed.

    :param folder: where the file is made; None for the system's folder of temporary files.
    :raises StorageFull, Unavailable: the disk is full or fails; ``detail`` has the cause.  `write` raises
        them, too.
    """

    __slots__ = ("_descriptor", "_folder", "_size", "_whole")

    def __init__(self, folder: str | None) -> None:
        self._size = 0
        self._whole: Content | None = None
        self._folder = folder or ""
        try:
            self._descriptor, path = tempfile.mkstemp(dir=folder, prefix="mailproto-")
            os.unlink(path)
        except OSError as error:
            raise storage_failure(error, "spool a message") from error

    def write(self, octets: bytes) -> None:
        """Add ``octets``."""
        self._size += len(octets)
        view = memoryview(octets)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            raise storage_failure(error, "spool a message", self._folder) from error

    def content(self, prefix: bytes = b"") -> Content:
        """All that was written, after ``prefix``.  The content owns the file from now on."""
        descriptor, self._descriptor = self._descriptor, -1
        return Content.of_file("", self._size, prefix=prefix, descriptor=descriptor)

    def part(self, start: int, size: int) -> Content:
        """Some octets of what was written.  More may be written, and `close` does not affect the part.

        Parts of one file share a descriptor.
        """
        if self._whole is None:
            self._whole = Content.of_file("", self._size, descriptor=os.dup(self._descriptor))
        return self._whole.part(start, size)

    def close(self) -> None:
        """Close the file, unless a content owns it."""
        if self._descriptor >= 0:
            close_file(self._descriptor, self._size)
            self._descriptor = -1
