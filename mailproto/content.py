"""The octets of a message: one type, whether they are in memory or in a file.

A message of 3 KB and one of 50 MB have the same methods, so code that works for the one works for the other.
The methods of ``bytes`` that would need all octets in memory are not there: an error says what to write
instead.
"""

from __future__ import annotations

import email.policy
import io
import os
from collections.abc import Iterator
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any, NoReturn, SupportsIndex, TypeAlias, cast, overload

from mailproto._closing import close_file

__all__ = ["CHUNK", "Content", "Octets", "chunks", "unwrapped"]

CHUNK = 1 << 18
"""The octets held in memory while a file is searched or copied."""


class Content:
    """The octets of a message, with CRLF line ends: some in memory, and those of a file after them, if any.

    - ``bytes(content)`` gives all of them, ``content[:1000]`` some, ``len(content)`` their number.
    - ``b"text" in content`` and `find` search.
    - `open` gives a binary file, `chunks` gives pieces: for code that should not hold 50 MB in memory.
    - `message` parses them: an `email.message.EmailMessage`.  `mailproto.message` reads without parsing
      everything.

    The file is opened at the first read and closed by `close` or with the last reference.  It is read with
    ``os.pread``, so several threads may read at the same time.

    :param octets: those in memory.
    :raises OSError: any method that reads may raise it if the file is gone or cannot be read.
    :raises ValueError: any method may raise it after `close`.
    """

    __slots__ = ("_descriptor", "_file_size", "_size", "_start", "path", "prefix")

    def __init__(self, octets: bytes = b"") -> None:
        if octets.__class__ is not bytes and not isinstance(octets, bytes):
            octets = bytes(Content.of(octets))
        self.prefix = octets
        self.path = ""
        self._file_size = 0
        self._start = 0
        self._size = len(octets)
        self._descriptor: _Descriptor | None = None

    @classmethod
    def of(cls, octets: Octets | bytearray | memoryview) -> Content:
        """A content of ``octets``; a `Content` is returned as it is.

        :raises TypeError: it is neither.
        """
        if isinstance(octets, Content):
            return octets
        if isinstance(octets, bytes):
            return cls(octets)
        if isinstance(octets, bytearray | memoryview):
            return cls(bytes(octets))
        if isinstance(octets, str):
            raise TypeError("content must be octets: write text.encode()")
        hint = ": write content.as_bytes()" if hasattr(octets, "as_bytes") else ""
        raise TypeError(f"content must be bytes or a Content, not {type(octets).__name__}{hint}")

    @classmethod
    def of_file(
        cls, path: str, size: int, *, start: int = 0, prefix: bytes = b"", descriptor: int | None = None
    ) -> Content:
        """The first ``size`` octets of a file.

        :param path: the file; ``""`` for one without a name.
        :param start: how many octets of the file are left out before them.
        :param prefix: octets before those of the file.
        :param descriptor: the open file, which the object takes over.
        """
        content = cls(prefix)
        content.path = path
        content._file_size = size
        content._start = start
        content._size += size
        if descriptor is not None:
            content._descriptor = _Descriptor(descriptor, start + size)
        return content

    def __repr__(self) -> str:
        size = "closed" if self._size < 0 else f"{self._size} octets"
        return f"<{type(self).__name__}: {size}>"

    def __len__(self) -> int:
        return self._end()

    def __bytes__(self) -> bytes:
        """All octets, in memory."""
        prefix = self.prefix  # first, for another thread may close the content
        return prefix if self._size == len(prefix) else self._read(0, self._end())

    @overload
    def __getitem__(self, key: slice) -> bytes: ...
    @overload
    def __getitem__(self, key: SupportsIndex) -> int: ...
    def __getitem__(self, key: slice | SupportsIndex) -> bytes | int:
        if isinstance(key, slice):
            start, stop, step = key.indices(self._end())
            if step != 1:
                raise ValueError("content is read forwards: write bytes(content)[::-1]")
            return self._read(start, stop)
        if isinstance(key, str):
            raise TypeError(f"a Content is octets: write content.message()[{key!r}]")
        at = range(self._end())[key]  # raises IndexError
        return self._read(at, at + 1)[0]

    def __contains__(self, octets: object) -> bool:
        """Whether ``octets`` occur anywhere."""
        if not isinstance(octets, bytes):
            raise TypeError(f"octets must be bytes, not {type(octets).__name__}")
        return self.find(octets) >= 0

    def __iter__(self) -> NoReturn:
        raise TypeError("a Content is not iterable: write content.chunks(), or content.open() for its lines")

    def __eq__(self, other: object) -> bool:
        """Whether the octets are equal; ``other`` is a Content or bytes."""
        if not isinstance(other, Content | bytes):
            return NotImplemented
        return len(self) == len(other) and all(
            piece == other[start : start + len(piece)] for start, piece in self._numbered()
        )

    __hash__ = None  # type: ignore[assignment]  # it would have to read everything

    def __getattr__(self, name: str) -> NoReturn:
        if hasattr(bytes, name) and not name.startswith("_"):
            raise AttributeError(f"a Content has no {name}(): write bytes(content).{name}()")
        if name == "read":
            raise AttributeError("a Content has no read(): write bytes(content), or content.open().read()")
        raise AttributeError(f"a Content has no attribute {name!r}")

    def __buffer__(self, flags: int) -> NoReturn:  # from Python 3.12
        raise TypeError(
            "a Content is not a buffer: write bytes(content), content.open() for a file, or content.chunks()"
        )

    def find(self, sub: bytes, start: int = 0, stop: int | None = None) -> int:
        """The lowest offset of ``sub`` within ``[start:stop]``; -1 if it is not there."""
        start, stop, _ = slice(start, stop).indices(self._end())
        if not self._file_size:
            return self.prefix.find(sub, start, stop)
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
        return sum(window.count(sub) for window in self.chunks(start, stop))

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The octets of ``[start:stop]`` in pieces of at most `CHUNK`."""
        start, stop, _ = slice(start, stop).indices(self._end())
        while start < stop:
            piece = self._read(start, min(start + CHUNK, stop))
            yield piece
            start += len(piece)

    def open(self) -> io.BufferedReader:
        """A binary file to read: it can be given to parsers, and iterated over for lines."""
        self._end()
        return io.BufferedReader(cast(io.RawIOBase, _ContentIO(self)))

    def message(self) -> EmailMessage:
        """The parsed message, with the policy `email.policy.default`.

        Parsing takes about a millisecond for 20 KB: do it in a thread (`deferToThread`) if messages may be
        large.  Parsing never fails (see ``defects`` of the result), but reading a broken field of it may.
        """
        with self.open() as file:
            return BytesParser(_class=EmailMessage, policy=email.policy.default).parse(file)

    def prepend(self, octets: bytes) -> Content:
        """The same content with ``octets`` before it; the two objects share nothing but the file."""
        return self.with_prefix(octets + self.prefix)

    def with_prefix(self, prefix: bytes) -> Content:
        """The same content with other octets in memory; the two objects share nothing but the file.

        :param prefix: instead of the attribute ``prefix``, which has the octets before those of the file: in
            what a server gives to a delivery, the whole header section.
        """
        self._end()
        if not self._file_size:
            return Content(prefix)
        content = Content.of_file(self.path, self._file_size, start=self._start, prefix=prefix)
        content._descriptor = self._descriptor
        return content

    def from_octet(self, start: int) -> Content:
        """The same content without its first octets; the two objects share nothing but the file."""
        size = self._end()
        if start <= len(self.prefix):
            return self.with_prefix(self.prefix[start:])
        left_out = min(start, size) - len(self.prefix)
        content = Content.of_file(self.path, self._file_size - left_out, start=self._start + left_out)
        content._descriptor = self._descriptor
        return content

    def part(self, start: int, size: int) -> Content:
        """Some octets of the file, as a content that shares nothing but the file, which may have grown."""
        self._end()
        content = Content.of_file(self.path, size, start=self._start + start)
        content._descriptor = self._descriptor
        return content

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError(
            "a Content cannot be copied, or pickled for another process: its file is open here;"
            " write bytes(content)"
        )

    def close(self) -> None:
        """End the use of the content: from now on, reading it raises ValueError.

        A thread that is reading it ends its read first, and then gets the error.
        """
        self._size = -1  # first, for `_read`
        self.prefix = b""
        self._descriptor = None

    def _numbered(self) -> Iterator[tuple[int, bytes]]:
        """The pieces, each with its offset."""
        start = 0
        for piece in self.chunks():
            yield start, piece
            start += len(piece)

    def _end(self) -> int:
        """The number of octets.  :raises ValueError: the content is closed."""
        size = self._size
        if size < 0:
            raise _closed()
        return size

    def _read(self, start: int, stop: int) -> bytes:
        # Another thread may close the content at any time.  What is taken here before it looks whether that
        # has happened belongs together; and as long as this method has the descriptor, it stays open, so
        # that its number cannot come to mean another file.
        prefix, opened = self.prefix, self._descriptor
        if self._size < 0:
            raise _closed()
        if stop <= len(prefix):
            return prefix[start:stop]
        pieces = [prefix[start:]] if start < len(prefix) else []
        offset, wanted = max(start - len(prefix), 0), stop - max(start, len(prefix))
        if opened is None:
            number = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            opened = self._descriptor = _Descriptor(number, self._start + self._file_size)
        descriptor = opened.number
        offset += self._start
        if wanted >= _READ_AHEAD_FROM:
            _read_soon(descriptor, offset + wanted, wanted)
        while wanted > 0:
            piece = os.pread(descriptor, wanted, offset)
            if not piece:
                raise OSError(f"{self.path or 'spooled content'} ends {wanted} octets short")
            pieces.append(piece)
            offset += len(piece)
            wanted -= len(piece)
        return b"".join(pieces)


def _closed() -> ValueError:
    return ValueError(
        "the content is closed: a delivery's content can be read until `deliver` has ended;"
        " keep bytes(content)"
    )


class _Descriptor:
    """An open file, which the contents that read it share; the last reference closes it."""

    __slots__ = ("_size", "number")

    def __init__(self, number: int, size: int) -> None:
        self.number = number
        self._size = size
        _read_no_more(number)

    def __del__(self) -> None:
        close_file(self.number, self._size)


class _ContentIO(io.RawIOBase):
    """The file of `Content.open`."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self._content)}[whence]
        if origin + offset < 0:
            raise ValueError(f"negative offset: {origin + offset}")
        self._at = origin + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        octets = self._content[self._at : self._at + len(view)]
        view[: len(octets)] = octets
        self._at += len(octets)
        return len(octets)


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


Octets: TypeAlias = bytes | Content
"""What functions take that only read: both have ``len``, slices, ``find`` and ``count``."""


def unwrapped(octets: Octets | None) -> Octets:
    """The ``bytes`` of a content in memory, which are read faster; a content with a file as it is.

    :param octets: None for no octets.
    """
    if octets is None:
        return b""
    if isinstance(octets, bytes) or octets._file_size:
        return octets
    return octets.prefix if octets._size >= 0 else bytes(octets)  # raises ValueError, because it is closed


def chunks(octets: Octets, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
    """The octets of ``[start:stop]`` in pieces; those of ``bytes`` are one piece."""
    if isinstance(octets, Content):
        yield from octets.chunks(start, stop)
    elif piece := octets[start:stop]:
        yield piece
