"""Lets the C library's allocator give memory back to the system."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from contextlib import suppress
from time import process_time
from typing import Any, Final

from twisted.internet.interfaces import IReactorTime

__all__ = ["EVERY", "LARGE", "LATEST", "QUIET", "WORTHWHILE", "give_memory_back", "keep_large_blocks_apart"]

LARGE: Final = 3 << 17
"""Octets of a block that is given back as soon as it is free: more than the pieces of messages that come and
go all the time, and less than a hash of a password needs, or a column of a large mailbox."""

EVERY: Final = 10.0
"""Seconds after which it is looked whether there is memory to be given back."""

QUIET: Final = 1.0
"""Seconds of a processor that a process uses at most in `EVERY` seconds in which it has little to do."""

LATEST: Final = 600.0
"""Seconds after which memory is given back even if the process has much to do all the time."""

WORTHWHILE: Final = 1 << 24
"""Octets of the heap that must be free, and by which the process must have grown since the last time."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""The parameters of mallopt(3)."""


class _Information(ctypes.Structure):
    """The result of mallinfo2(3); ``fordblks`` are the octets of the heap that are free."""

    _fields_ = [
        *((f"unused{number}", ctypes.c_size_t) for number in range(8)),
        ("fordblks", ctypes.c_size_t),
        ("keepcost", ctypes.c_size_t),
    ]


def keep_large_blocks_apart() -> None:
    """From now on, blocks of at least `LARGE` octets live outside the heap.

    glibc does that at first; but when a larger block is freed, it takes blocks of up to that size from the
    heap from then on.  So one hash of 19 MiB, or one large array, would make it keep the memory of all later
    ones.  This is called before the first of them: what is in the heap then stays there.
    """
    if (library := _library()) is not None:
        library.mallopt(_MMAP_THRESHOLD, LARGE)
        library.mallopt(_TRIM_THRESHOLD, LARGE)


def give_memory_back(reactor: IReactorTime) -> None:
    """Give memory back to the system from now on.

    That of large blocks is given back at once (`keep_large_blocks_apart`). The heap itself keeps what is
    free between blocks that are in use. After an attack, or a busy hour, that can be most of the process's
    memory. To give it back holds the reactor for a third of a millisecond for each megabyte, also if
    another thread does it, because glibc locks the heap meanwhile. So this is done when there is little to
    do (`QUIET`), at the `LATEST` after ten minutes, and only if it is `WORTHWHILE`.

    Only a server with a process of its own calls this.  If ``MALLOC_MMAP_THRESHOLD_`` or
    ``MALLOC_TRIM_THRESHOLD_`` is in the environment, nothing is done: then the operator has decided.  Nor is
    anything done with other C libraries.
    """
    keep_large_blocks_apart()
    if (library := _library()) is not None:
        _Heap(reactor, library.mallinfo2, library.malloc_trim).begin()


def _library() -> Any:
    """The C library, if it is to be told anything; or None."""
    if "MALLOC_MMAP_THRESHOLD_" in os.environ or "MALLOC_TRIM_THRESHOLD_" in os.environ:
        return None
    with suppress(OSError, AttributeError, TypeError):
        library = ctypes.CDLL(None)
        library.mallinfo2.restype = _Information
        _ = library.mallopt, library.malloc_trim
        return library
    return None


class _Heap:
    """Trims the heap."""

    def __init__(self, reactor: IReactorTime, look: Callable[[], Any], trim: Callable[[int], object]) -> None:
        self._reactor = reactor
        self._look = look
        self._trim = trim
        self._size = resident()
        self._used = process_time()
        self._waited = 0.0  # for how long it has been worthwhile, and never quiet

    def begin(self) -> None:
        """Look again and again."""
        self._reactor.callLater(EVERY, self._again)

    def _again(self) -> None:
        used, self._used = self._used, process_time()
        # What is given back still counts as free: so the size of the process is looked at, too.
        if resident() - self._size <= WORTHWHILE or self._look().fordblks <= WORTHWHILE:
            self._size = min(self._size, resident())
            self._waited = 0.0
        elif self._used - used <= QUIET or self._waited >= LATEST:
            self._trim(0)
            self._size = resident()
            self._waited = 0.0
        else:
            self._waited += EVERY
        self.begin()


def resident() -> int:
    """How many octets of memory the process has; 0 if the system does not tell."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
