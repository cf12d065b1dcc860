"""The octets of a message: `bytes` if they are few, a file if they are many.

Every interface that carries a message uses `Content`.  A `FileContent` has the reading methods of ``bytes``
(``len``, slices, ``find``, ``count``, ``bytes()``) and reads a window of the file at a time, so that code
written for ``bytes`` can read a 50 MB message without holding it in memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TypeAlias

__all__ = ["CHUNK", "Content", "FileContent", "chunks", "prepend"]

CHUNK = 1 << 18
"""The octets held in memory while a file is searched or copied."""


class FileContent:
    """Octets in a file, preceded by a few in memory (trace header fields).

    It reads with ``os.pread``, so several threads may read at the same time.  The file is opened at the
    first read and closed by `close` or with the last reference.  The object takes over a ``descriptor``
    that it is given.

    :param path: the file; ``""`` for one without a name.
    :param size: the number of octets to use from the start of the file.
    :param prefix: octets before those of the file.
    :raises OSError: any method that reads may raise it if the file is gone or cannot be read.
    """

    __slots__ = ("_descriptor", "_file_size", "path", "prefix")

    def __init__(self, path: str, size: int, *, prefix: bytes = b"", descriptor: int | None = None) -> None:
        self.path = path
        self.prefix = prefix
        self._file_size = size
        self._descriptor = descriptor
        if descriptor is not None:
            _read_no_more(descriptor)

    def __len__(self) -> int:
        return len(self.prefix) + self._file_size

    def __bytes__(self) -> bytes:
        """All octets, in memory: for small content."""
        return self._read(0, len(self))

    def __getitem__(self, key: slice) -> bytes:
        start, stop, step = key.indices(len(self))
        if step != 1:
            raise ValueError("content is read forwards")
        return self._read(start, stop)

    def find(self, sub: bytes, start: int = 0, stop: int | None = None) -> int:
        """The lowest offset of ``sub`` within ``[start:stop]``; -1 if it is not there."""
        start, stop, _ = slice(start, stop).indices(len(self))
        overlap = len(sub) - 1
        while stop - start >= len(sub):
            window = self._read(start, min(start + CHUNK + overlap, stop))
            at = window.find(sub)
            if at >= 0:
                return start + at
            start += CHUNK
        return -1

    def count(self, sub: bytes, start: int = 0, stop: int | None = None) -> int:
        """How often the single octet ``sub`` occurs in ``[start:stop]``."""
        if len(sub) != 1:
            raise ValueError("only single octets are counted")
        start, stop, _ = slice(start, stop).indices(len(self))
        return sum(window.count(sub) for window in self.chunks(start, stop))

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The octets of ``[start:stop]`` in pieces of at most `CHUNK`."""
        start, stop, _ = slice(start, stop).indices(len(self))
        while start < stop:
            piece = self._read(start, min(start + CHUNK, stop))
            yield piece
            start += len(piece)

    def prepend(self, octets: bytes) -> FileContent:
        """The same content with ``octets`` before it; the two objects share nothing but the file."""
        return self.with_prefix(octets + self.prefix)

    def with_prefix(self, prefix: bytes) -> FileContent:
        """The same file after another ``prefix``; the two objects share nothing but the file."""
        descriptor = None if self._descriptor is None else os.dup(self._descriptor)
        return FileContent(self.path, self._file_size, prefix=prefix, descriptor=descriptor)

    def close(self) -> None:
        """Close the file; a later read opens it again, if it has a name."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __del__(self) -> None:
        self.close()

    def _read(self, start: int, stop: int) -> bytes:
        prefix = self.prefix
        if stop <= len(prefix):
            return prefix[start:stop]
        pieces = [prefix[start:]] if start < len(prefix) else []
        offset, wanted = max(start - len(prefix), 0), stop - max(start, len(prefix))
        if self._descriptor is None:
            self._descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            _read_no_more(self._descriptor)
        if wanted >= _READ_AHEAD_FROM:
            _read_soon(self._descriptor, offset + wanted, wanted)
        while wanted > 0:
            piece = os.pread(self._descriptor, wanted, offset)
            if not piece:
                raise OSError(f"{self.path or 'spooled content'} ends {wanted} octets short")
            pieces.append(piece)
            offset += len(piece)
            wanted -= len(piece)
        return b"".join(pieces)


_READ_AHEAD_FROM = 1 << 16
"""Octets; a reader that asks for this many at a time will probably read the rest of the file, too."""


def _read_no_more(descriptor: int) -> None:
    """Ask the kernel not to read ahead: some kernels read 8 MB ahead, which takes 20 ms."""
    if hasattr(os, "posix_fadvise"):
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
        except OSError:
            return  # not a regular file; the advice is optional


def _read_soon(descriptor: int, offset: int, size: int) -> None:
    """Ask the kernel to fetch the octets that will be read next, while the reader does other things."""
    if hasattr(os, "posix_fadvise"):
        try:
            os.posix_fadvise(descriptor, offset, size, os.POSIX_FADV_WILLNEED)
        except OSError:
            return


Content: TypeAlias = bytes | FileContent
"""A message's octets, lines ended by CRLF."""


def chunks(content: Content, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
    """The octets of ``content[start:stop]`` in pieces; ``bytes`` are one piece."""
    if isinstance(content, FileContent):
        yield from content.chunks(start, stop)
    elif piece := content[start:stop]:
        yield piece


def prepend(octets: bytes, content: Content) -> Content:
    """``octets`` followed by ``content``."""
    return content.prepend(octets) if isinstance(content, FileContent) else octets + content
