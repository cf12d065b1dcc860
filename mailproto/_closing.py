"""Closes large files in a thread of its own.

The last close of a file without a name frees its blocks: 50 MB take some milliseconds, in which a server
could do nothing else.  Twenty clients that hang up in the midst of a message would stop it for 50 ms.
"""

from __future__ import annotations

import os
import queue
import threading
from typing import Final

__all__ = ["LARGE", "close_file"]

LARGE: Final = 1 << 20
"""Octets from which on a file is closed in the thread."""

THREAD: Final = "mailproto-closing"


class _Closer:
    """The thread begins with the first file, and lasts as long as the process."""

    def __init__(self) -> None:
        self._files: queue.SimpleQueue[int] = queue.SimpleQueue()  # it may be used in a ``__del__``
        self._has_begun = False

    def close(self, descriptor: int) -> None:
        self._files.put(descriptor)
        if not self._has_begun:
            self._has_begun = True
            try:
                threading.Thread(target=self._run, name=THREAD, daemon=True).start()
            except RuntimeError:  # the interpreter ends, or there are too many threads
                self._has_begun = False
                while not self._files.empty():
                    os.close(self._files.get())

    def _run(self) -> None:
        while True:
            os.close(self._files.get())


_closer = _Closer()


def _begin_anew() -> None:
    """A process that was forked has none of the threads, and closes its own copies of files."""
    global _closer
    _closer = _Closer()


os.register_at_fork(after_in_child=_begin_anew)


def close_file(descriptor: int, size: int) -> None:
    """Close a file of so many octets: now, or soon if it is large."""
    if size < LARGE:
        os.close(descriptor)
    else:
        _closer.close(descriptor)
