"""A file that is read through a window, for code that reads it in many small steps."""

from __future__ import annotations

from mailproto.content import Content

__all__ = ["Window"]

_SIZE = 1 << 18


class Window(Content):
    """A `Content` that does not need a system call for each step."""

    __slots__ = ("_start", "_window", "content")

    def __init__(self, content: Content) -> None:
        super().__init__()
        self._file_size = self._size = len(content)
        self.content = content
        self._window = b""
        self._start = 0

    def _read(self, start: int, stop: int) -> bytes:
        at = start - self._start
        if at < 0 or stop > self._start + len(self._window):
            if stop - start >= _SIZE:
                return self.content[start:stop]
            self._window = self.content[start : start + _SIZE]
            self._start, at = start, 0
        return self._window[at : at + stop - start]

    def find(self, sub: bytes, start: int = 0, stop: int | None = None) -> int:
        """As `Content.find`; searches in the window first."""
        start, stop, _ = slice(start, stop).indices(self._end())
        at = start - self._start
        if 0 <= at < len(self._window):
            found = self._window.find(sub, at, stop - self._start)
            if found >= 0:
                return self._start + found
            start = max(start, self._start + len(self._window) - len(sub) + 1)
        while stop - start >= len(sub):
            window = self._read(start, min(start + _SIZE - 1, stop))
            found = window.find(sub)
            if found >= 0:
                return start + found
            start += len(window) - len(sub) + 1
        return -1
